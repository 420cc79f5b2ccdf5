"""The command line of the soak: a steady load, a table of what each process holds, one JSON object."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

import aiohttp
import psutil

from mintline.errors import MintlineError
from mintline.interrupts import Interrupted, run
from mintline_bench.load import Driver, Posted
from mintline_bench.users import sign_in_new
from mintline_devstack.arguments import Arguments, amount
from mintline_devstack.running_stack import Stack, running_stack
from mintline_harness.chaos.disturb import SERVICES
from mintline_harness.evidence import evidence
from mintline_harness.soak.growth import Growth, growth

USERS = 50
EVERY = 2.0
"""Seconds between two samples."""
PATIENCE = 300.0
"""Seconds in which the last mints must end."""

Samples = Mapping[str, Sequence[tuple[float, float]]]


def main(argv: Sequence[str]) -> int:
    """Soak a stack; 0 only if every mint ended well and no service grew."""
    parser = Arguments(
        prog="python -m mintline_harness.soak", description="Load a stack steadily, and weigh it."
    )
    parser.add_argument("--minutes", type=amount, default=20.0)
    parser.add_argument("--rate", type=amount, default=20.0, help="mints a second")
    options = parser.parse_args(argv)
    try:
        return run(_soak(seconds=options.minutes * 60, rate=options.rate))
    except Interrupted as interruption:
        return interruption.exit_code
    except MintlineError as error:
        print(f"soak: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 2


async def _soak(*, seconds: float, rate: float) -> int:
    async with AsyncExitStack() as stack:
        again = f".venv/bin/python -m mintline_harness.soak --minutes {seconds / 60:g} --rate {rate:g}"
        kept = stack.enter_context(evidence("soak", again=again))
        line = await stack.enter_async_context(running_stack(kept.folder, ports="free"))
        samples: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        sampling = asyncio.create_task(_sample(line.supervisor.pids, samples))
        posted, took = await _load(stack, line, seconds=seconds, rate=rate)
        sampling.cancel()
        result = _judged(samples, posted, took)
        well = not result["grows"] and result["finalized"] == len(posted)
        kept.record(result, posted)
        if well:
            kept.dispensable()
    print(json.dumps(result))  # noqa: T201 - the result
    return int(not well)


def _judged(samples: Samples, posted: Sequence[Posted], took: float) -> dict[str, Any]:
    """Print the table of what each service holds, and return the result."""
    figures = {name: growth(samples[name]) for name in SERVICES}
    print(table(figures))  # noqa: T201 - the result
    return {
        "mints": len(posted),
        "finalized": sum(mint.status == "finalized" for mint in posted),
        "mints_per_s": round(len(posted) / took, 1),
        "seconds": round(took, 1),
        "grows": [name for name, figure in figures.items() if figure.grows],
        "rss_mb": {name: round(figure.size / 1e6, 1) for name, figure in figures.items()},
        "kb_per_minute": {name: round(figure.slope * 60 / 1e3, 1) for name, figure in figures.items()},
    }


async def _load(
    stack: AsyncExitStack, line: Stack, *, seconds: float, rate: float
) -> tuple[Sequence[Posted], float]:
    """Post at a steady rate, and wait for every end; return the mints, and how long the posting took."""
    info = line.info
    session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)))
    tokens = await sign_in_new(info, count=USERS)
    deadline = time.time() + seconds + PATIENCE
    driver = Driver(session, api_url=info["api_url"], tokens=tokens, deadline=deadline)
    started = time.monotonic()

    async def post(number: int) -> Posted:
        await asyncio.sleep(started + number / rate - time.monotonic())
        return await driver.post(number)

    posted = await asyncio.gather(*(post(number) for number in range(int(seconds * rate))))
    took = time.monotonic() - started
    await driver.follow(posted)
    return posted, took


async def _sample(
    pids: Callable[[], Mapping[str, int]], samples: Mapping[str, list[tuple[float, float]]]
) -> None:
    while True:
        for name, pid in pids().items():
            with suppress(psutil.Error):
                samples[name].append((time.monotonic(), float(psutil.Process(pid).memory_info().rss)))
        await asyncio.sleep(EVERY)


def table(figures: Mapping[str, Growth]) -> str:
    """Return the figures as aligned lines."""
    lines = [f"{'service':<14}{'RSS MB':>10}{'kB/minute':>12}   judged"]
    for name, figure in figures.items():
        verdict = "grows" if figure.grows else "steady"
        size, slope = figure.size / 1e6, figure.slope * 60 / 1e3
        lines.append(f"{name:<14}{size:>10.1f}{slope:>12.1f}   {verdict} over {figure.seconds:.0f} s")
    return "\n".join(lines)
