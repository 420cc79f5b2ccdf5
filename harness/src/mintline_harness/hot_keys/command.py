"""The command line of the count of hot keys: the bench, on a stack whose writes are counted."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from mintline.atomic_files import replace_file
from mintline.errors import MintlineError, Misconfigured
from mintline.interrupts import Interrupted, run
from mintline_bench.command import parser, plan_of
from mintline_bench.profiles import Plan
from mintline_bench.run import bench
from mintline_devstack.arguments import at_least_one
from mintline_devstack.emulators import PREFIX
from mintline_devstack.ports import Ports
from mintline_devstack.running_stack import running_stack
from mintline_harness.chaos.proxy import Reached
from mintline_harness.hot_keys.meter import KEY_LIMIT, KeyMeter
from mintline_harness.hot_keys.report import figures, table

MOST = 12
"""How many keys are reported."""


def main(argv: Sequence[str]) -> int:
    """Read the command line, run, and say in one line what went wrong."""
    arguments = parser(
        "python -m mintline_harness.hot_keys",
        "Count each key's write units under load.",
    )
    arguments.add_argument(
        "--limit", type=at_least_one, help=f"throttle each key at so many units a second; AWS: {KEY_LIMIT}"
    )
    options = arguments.parse_args(argv)
    try:
        plan = plan_of(options)
        if plan.load.shape == "idle":
            raise Misconfigured("the profile idle mints nothing: take another")
        return run(count(plan, patience=options.timeout, limit=options.limit))
    except Interrupted as interruption:
        return interruption.exit_code
    except MintlineError as error:
        print(f"hot keys: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 2


async def count(plan: Plan, *, patience: float, limit: int | None = None) -> int:
    """Run a plan on a new stack, and print its hottest keys; return the bench's exit code.

    With a `limit` (write units a second) each key is throttled at it.
    """
    async with AsyncExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mintline-hot-keys-")))
        meters: list[KeyMeter] = []

        async def through(ports: Ports) -> Reached:
            meter = KeyMeter(ports.url("ministack"), prefix=PREFIX, limit=limit)
            meters.append(await stack.enter_async_context(meter))
            return Reached(ports, {"ministack": meters[0]})

        await stack.enter_async_context(running_stack(state, ports="free", through=through))
        code = await bench(plan, state=state, patience=patience)
        hottest = meters[0].keys.hottest(MOST)
    first = plan.users if plan.load.warm else 0
    mints = plan.runs * (plan.mints + first)
    hot_keys = figures(hottest, mints=mints)
    print(table(hottest, mints=mints))  # noqa: T201 - the result
    print(json.dumps({"hot_keys": hot_keys}))  # noqa: T201 - the result
    if plan.report is not None:
        document = json.loads(plan.report.read_text()) | {"hot_keys": hot_keys}
        replace_file(plan.report, json.dumps(document, indent=2).encode() + b"\n", mode=0o644)
    return code
