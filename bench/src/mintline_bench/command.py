"""The bench's command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mintline.errors import MintlineError
from mintline_bench.run import bench
from mintline_local.copies import parse
from mintline_local.interrupts import Interrupted, run
from mintline_local.places import DEFAULT_STATE


def main() -> int:
    """Read the command line, run, and say in one line what went wrong."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the line.")
    parser.add_argument("--mints", type=_positive, default=1000)
    parser.add_argument("--users", type=_positive, default=50)
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="the line's state folder")
    parser.add_argument(
        "--timeout", type=float, default=900.0, help="seconds until unfinished mints are lost"
    )
    parser.add_argument("--scale", action="append", default=[], help="copies of a worker: builder=2")
    options = parser.parse_args()
    try:
        copies = parse(options.scale)
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


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value
