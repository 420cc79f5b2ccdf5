"""The bench's command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mintline.errors import MintlineError
from mintline.interrupts import Interrupted, run
from mintline_bench.profiles import PROFILES, plan
from mintline_bench.run import bench
from mintline_devstack.arguments import Arguments, amount, at_least_one
from mintline_devstack.replicas import parse
from mintline_ops.run_file import DEFAULT_STATE


def main(argv: Sequence[str]) -> int:
    """Read the command line, run, and say in one line what went wrong."""
    parser = Arguments(prog="python -m mintline_bench", description="Measure the pipeline.")
    parser.add_argument(
        "--profile",
        choices=tuple(PROFILES),
        default="burst",
        help="; ".join(f"{name}: {profile.about}" for name, profile in PROFILES.items()),
    )
    parser.add_argument("--mints", type=at_least_one, help="how many; the profile says so otherwise")
    parser.add_argument("--users", type=at_least_one, help="how many post them, in turn")
    parser.add_argument("--rate", type=amount, help="mints a second, for the profile steady")
    parser.add_argument("--runs", type=at_least_one, default=1, help="how often; medians and ranges follow")
    parser.add_argument("--json", type=Path, help="a file that gets the figures, machine and commit")
    parser.add_argument(
        "--state", type=Path, default=DEFAULT_STATE, help="where a running stack is looked for"
    )
    parser.add_argument(
        "--timeout", type=amount, default=900.0, help="seconds until unfinished mints are lost, each run"
    )
    parser.add_argument("--scale", action="append", default=[], help="copies of a worker: builder=2")
    options = parser.parse_args(argv)
    try:
        chosen = plan(
            options.profile,
            mints=options.mints,
            users=options.users,
            rate=options.rate,
            runs=options.runs,
            report=options.json,
        )
        copies = parse(options.scale)
        return run(bench(chosen, state=options.state, patience=options.timeout, copies=copies))
    except Interrupted as interruption:
        return interruption.exit_code
    except MintlineError as error:
        print(f"bench: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 2
