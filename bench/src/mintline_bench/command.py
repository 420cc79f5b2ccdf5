"""The bench's command line."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from mintline.errors import MintlineError
from mintline.interrupts import Interrupted, run
from mintline_bench.profiles import PROFILES, Plan, plan
from mintline_bench.run import bench
from mintline_devstack.arguments import Arguments, amount, at_least_one
from mintline_devstack.replicas import parse
from mintline_ops.run_file import DEFAULT_STATE


def parser(prog: str, description: str) -> Arguments:
    """Return a parser of the options by which a load is chosen; `plan_of` takes what it reads."""
    parser = Arguments(prog=prog, description=description)
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
        "--timeout", type=amount, default=900.0, help="seconds until unfinished mints are lost, each run"
    )
    return parser


def plan_of(options: Namespace) -> Plan:
    """Return the plan that the options say; raises Misconfigured for those that do not go together."""
    return plan(
        options.profile,
        mints=options.mints,
        users=options.users,
        rate=options.rate,
        runs=options.runs,
        report=options.json,
    )


def main(argv: Sequence[str]) -> int:
    """Read the command line, run, and say in one line what went wrong."""
    arguments = parser("python -m mintline_bench", "Measure the pipeline.")
    arguments.add_argument(
        "--state", type=Path, default=DEFAULT_STATE, help="where a running stack is looked for"
    )
    arguments.add_argument("--scale", action="append", default=[], help="copies of a worker: builder=2")
    options = arguments.parse_args(argv)
    try:
        chosen = plan_of(options)
        copies = parse(options.scale)
        return run(bench(chosen, state=options.state, patience=options.timeout, copies=copies))
    except Interrupted as interruption:
        return interruption.exit_code
    except MintlineError as error:
        print(f"bench: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 2
