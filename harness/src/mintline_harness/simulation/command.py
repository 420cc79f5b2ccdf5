"""The command line of the simulation: many schedules, or one told in full."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, MutableMapping, Sequence
from itertools import count
from typing import Any

import structlog

from mintline_devstack.arguments import Arguments, amount, at_least_one
from mintline_harness.simulation.coverage import Reached
from mintline_harness.simulation.loop import OWNER
from mintline_harness.simulation.parts import Parts
from mintline_harness.simulation.planted import BUGS
from mintline_harness.simulation.process import Life
from mintline_harness.simulation.schedule import Report, run

HASH_SEED = "0"
"""Sets and dictionaries of strings keep one order in all runs: else a seed would not say it all."""


def main(argv: Sequence[str]) -> int:
    """Run what the arguments ask for; 0 if every schedule kept every promise."""
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        os.environ["PYTHONHASHSEED"] = HASH_SEED
        os.execv(sys.executable, [sys.executable, "-m", "mintline_harness.simulation", *argv])  # noqa: S606 - itself
    arguments = _parser().parse_args(argv)
    parts = BUGS[arguments.plant] if arguments.plant else None
    if arguments.seed is not None:
        return _replay(arguments.seed, parts)
    return _explore(_seeds(arguments), parts, planted=arguments.plant)


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(
        prog="python -m mintline_harness.simulation",
        description="Run the services' own handlers through schedules of faults.",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--count", type=at_least_one, default=1000, help="how many, by seeds from 0 on")
    group.add_argument("--seconds", type=amount, help="as many schedules as fit into this time")
    group.add_argument("--seed", type=int, help="this one schedule, with everything that happens in it")
    parser.add_argument("--plant", choices=sorted(BUGS), help="a bug to plant first")
    return parser


def _seeds(arguments: argparse.Namespace) -> Iterator[int]:
    if arguments.seconds is None:
        yield from range(arguments.count)
        return
    end = time.monotonic() + arguments.seconds
    for seed in count():
        if time.monotonic() >= end:
            return
        yield seed


def _explore(seeds: Iterator[int], parts: Parts | None, *, planted: str | None) -> int:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL), processors=[_silent]
    )
    # Everything of a schedule dies with it: looking for cycles within one only costs time.
    gc.disable()
    started, schedules, mints, faults = time.monotonic(), 0, 0, Counter[str]()
    reached, breach = Reached(), None
    for seed in seeds:
        report = run(seed, parts)
        schedules += 1
        mints += report.mints
        faults.update(report.faults)
        reached.add(report.reached)
        if schedules % 50 == 0:
            gc.collect()
        if report.breach is not None:
            breach = report
            break
    if breach is not None:
        _print_breach(breach, planted)
    seconds = round(time.monotonic() - started, 1)
    result = {
        "schedules": schedules,
        "breaches": int(breach is not None),
        "mints": mints,
        "faults": dict(sorted(faults.items())),
        "edges": dict(sorted(reached.edges.items())),
        "seconds": seconds,
    }
    print("\n".join(reached.lines()))  # noqa: T201 - a command's own output
    print(json.dumps(result))  # noqa: T201 - the result
    return int(breach is not None)


def _print_breach(report: Report, planted: str | None) -> None:
    plant = f" PLANT={planted}" if planted else ""
    lines = [
        *report.notes,
        f"seed {report.seed}: {report.breach}",
        f"replay: make simulate SEED={report.seed}{plant}",
    ]
    print("\n".join(lines), file=sys.stderr)  # noqa: T201 - a command's own output


def _replay(seed: int, parts: Parts | None) -> int:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO), processors=[_rendered]
    )
    report = run(seed, parts, noted=print)
    print(json.dumps({"seed": seed, "breach": report.breach, "faults": report.faults}))  # noqa: T201 - the result
    return int(report.breach is not None)


def _silent(_logger: Any, _method: str, _event: MutableMapping[str, Any]) -> Any:
    raise structlog.DropEvent


def _rendered(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """Show a log line with the simulation's time, and the process that it came from."""
    life, what = OWNER.get(), event.pop("event")
    who = life.process.name if isinstance(life, Life) else ""
    fields = " ".join(f"{name}={value}" for name, value in event.items())
    return f"{asyncio.get_running_loop().time():9.3f}  {who:<14} {what}  {fields}"
