"""One seed: a fresh line, load and disturbance together, then calm, patience, and the verdict."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.states import TERMINAL
from mintline_bench.load import Driver, Posted
from mintline_bench.users import sign_in_new
from mintline_bench.verify import Verdict, verify
from mintline_devstack.ports import Ports
from mintline_devstack.running_stack import Stack, running_stack
from mintline_harness.chaos.disturb import Disturbances
from mintline_harness.chaos.event_logs import untold
from mintline_harness.chaos.proxy import FaultProxy, Reached, Weather
from mintline_harness.chaos.sponsored import SponsoredDriver
from mintline_harness.entries import start_entry
from mintline_harness.evidence import evidence

PROXIED = ("ministack", "kms_front", "anvil")
FINALITY = 8
"""Blocks: a reorg of ours never goes past it."""
USERS = 20
SHORTEST = 60.0
"""Seconds of disturbance at least: seven processes are to die five times each."""
PACE = 16.0
"""Mints a second."""
SLOW_ANSWERS = 30.0
TELLING = 60.0
"""Seconds from the end of the last mint to its last event, at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a seed.

    `unreconciled` is what `mintline reconcile` found wrong, `untold` of how many mints the events are wrong.
    """

    seed: int
    accepted: int
    finalized: int
    failed: int
    lost: int
    doubled: int
    stuck: int
    mismatched: int
    unreconciled: int
    untold: int
    struck: dict[str, int]
    seconds: float

    @property
    def clean(self) -> bool:
        """Tell whether every promise was kept."""
        return not (
            self.lost or self.doubled or self.stuck or self.mismatched or self.unreconciled or self.untold
        )


async def run_seed(seed: int, *, mints: int, patience: float, sponsored: float = 0.0) -> Outcome:
    """Run one seed on a line of its own; `patience` is in seconds, from the last fault on.

    `sponsored` is the share of the mints that a relayer pays for.
    """
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        again = f"make chaos FIRST={seed} SEEDS=1 MINTS={mints} SPONSORED={sponsored}"
        kept = stack.enter_context(evidence("chaos", again=again))
        weather = Weather(random.Random(f"weather {seed}"))  # noqa: S311 - reproducible on purpose

        async def through(ports: Ports) -> Reached:
            proxies = {name: FaultProxy(ports.url(name), weather) for name in PROXIED}
            for proxy in proxies.values():
                await stack.enter_async_context(proxy)
            return Reached(ports, proxies)

        line = await stack.enter_async_context(
            running_stack(kept.folder, ports="free", through=through, finality=FINALITY)
        )
        posted, struck, verdict, not_told = await _drive(
            stack, line, weather, seed=seed, mints=mints, patience=patience, sponsored=sponsored
        )
        findings = await reconcile(kept.folder)
        counts = {"rejected", "reverted"}
        outcome = Outcome(
            seed=seed,
            accepted=len(posted),
            finalized=sum(mint.status == "finalized" for mint in posted),
            failed=sum(mint.status in counts for mint in posted),
            lost=verdict.lost,
            doubled=verdict.doubled,
            stuck=sum(mint.status not in TERMINAL for mint in posted),
            mismatched=verdict.mismatched,
            unreconciled=-1 if findings is None else findings["differences"],
            untold=not_told,
            struck=struck,
            seconds=round(time.monotonic() - started, 1),
        )
        kept.record({**asdict(outcome), "reconcile": findings}, posted)
        if outcome.clean:
            kept.dispensable()
        return outcome


async def _drive(
    stack: AsyncExitStack,
    line: Stack,
    weather: Weather,
    *,
    seed: int,
    mints: int,
    patience: float,
    sponsored: float,
) -> tuple[Sequence[Posted], dict[str, int], Verdict, int]:
    info, span = line.info, max(SHORTEST, mints / PACE)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(SLOW_ANSWERS))
    )
    rpc = Rpc([info["rpc_url"]])
    stack.push_async_callback(rpc.aclose)
    node = Node(rpc)
    tokens = await sign_in_new(info, count=USERS)
    first = await node.block_number()
    deadline = time.time() + span + patience
    driver = Driver(session, api_url=info["api_url"], tokens=tokens, deadline=deadline)
    sponsoring = driver
    if sponsored:
        # Of users of their own: the API does not show a sponsored mint yet.
        others = await sign_in_new(info, count=USERS)
        entry = await start_entry(line, session)
        sponsoring = found = SponsoredDriver(session, api_url=entry, tokens=others, deadline=deadline)
        await found.find_wallets()
    chosen = random.Random(f"sponsored {seed}")  # noqa: S311 - reproducible on purpose
    by_relayer = {number for number in range(mints) if chosen.random() < sponsored}
    disturbances = Disturbances(
        rng=random.Random(f"disturbances {seed}"),  # noqa: S311 - reproducible on purpose
        span=span,
        pids=line.supervisor.pids,
        rpc=rpc,
        weather=weather,
    )

    async def post(number: int) -> Posted:
        await asyncio.sleep(span * number / mints)
        return await (sponsoring if number in by_relayer else driver).post(number)

    disturbing = asyncio.create_task(disturbances.run())
    stack.push_async_callback(_end, disturbing)
    posted = await asyncio.gather(*(post(number) for number in range(mints)))
    await disturbing
    await asyncio.gather(
        driver.follow([one for number, one in enumerate(posted) if number not in by_relayer], pause=2.0),
        sponsoring.follow([one for number, one in enumerate(posted) if number in by_relayer], pause=2.0),
    )
    # What has not ended is stuck, not lost as well; it may well be doubled.
    ended = [mint for mint in posted if mint.status in TERMINAL]
    of_all, of_ended = [
        await verify(node, contract=info["contract"], first_block=first, posted=some)
        for some in (posted, ended)
    ]
    not_told = await untold(
        session,
        api_url=info["api_url"],
        tokens=tokens,
        posted=[one for number, one in enumerate(posted) if number not in by_relayer],
        patience=TELLING,
    )
    return posted, dict(disturbances.struck), replace(of_all, lost=of_ended.lost), not_told


async def _end(disturbing: asyncio.Task[None]) -> None:
    """Break nothing more: the line is about to be stopped, in order, for somebody to look at."""
    disturbing.cancel()
    await asyncio.wait([disturbing])


async def reconcile(folder: Path) -> dict[str, Any] | None:
    """Return what the operators' own command finds; None if it could not say."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mintline_cli", "reconcile", "--state", str(folder), "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, complaint = await process.communicate()
    try:
        found: dict[str, Any] = json.loads(told)
    except ValueError:
        print(complaint.decode(), file=sys.stderr)  # noqa: T201 - a command's own output
        return None
    for finding in found["findings"]:
        print(f"reconcile: {json.dumps(finding)}", file=sys.stderr)  # noqa: T201 - a command's own output
    return found
