"""The bench's command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mintline.errors import MintlineError
from mintline.interrupts import Interrupted, run
from mintline_bench.run import bench, bench_sponsored
from mintline_devstack.arguments import Arguments, amount, at_least_one
from mintline_devstack.replicas import parse
from mintline_ops.run_file import DEFAULT_STATE


def main(argv: Sequence[str]) -> int:
    """Read the command line, run, and say in one line what went wrong."""
    parser = Arguments(prog="python -m mintline_bench", description="Measure the line.")
    parser.add_argument("--mints", type=at_least_one, default=1000)
    parser.add_argument("--users", type=at_least_one, default=50)
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="the line's state folder")
    parser.add_argument(
        "--timeout", type=amount, default=900.0, help="seconds until unfinished mints are lost"
    )
    parser.add_argument("--scale", action="append", default=[], help="copies of a worker: builder=2")
    parser.add_argument(
        "--sponsored",
        nargs="?",
        const="bulk",
        choices=("bulk", "lone"),
        help="mint by the demo client, each token to a new address: many in a request, or one",
    )
    options = parser.parse_args(argv)
    try:
        copies = parse(options.scale)
        if options.sponsored:
            return run(
                bench_sponsored(
                    mints=options.mints,
                    state=options.state,
                    patience=options.timeout,
                    bulk=options.sponsored == "bulk",
                    copies=copies,
                )
            )
        return run(
            bench(
                mints=options.mints,
                users=options.users,
                state=options.state,
                patience=options.timeout,
                copies=copies,
            )
        )
    except Interrupted as interruption:
        return interruption.exit_code
    except MintlineError as error:
        print(f"bench: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 2
