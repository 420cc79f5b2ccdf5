"""One seed: a fresh line, load and disturbance together, then calm, patience, and the verdict."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.states import TERMINAL
from mintline.tasks import cut_off
from mintline_bench.load import Driver, Posted
from mintline_bench.users import sign_in_new
from mintline_bench.verify import Verdict, verify
from mintline_client import AsyncMintline
from mintline_client.sign_in import demo_client_token
from mintline_devstack.ports import Ports
from mintline_devstack.running_stack import Stack, running_stack
from mintline_harness.chaos.disturb import Disturbances
from mintline_harness.chaos.errands import PATIENT, Errands
from mintline_harness.chaos.event_logs import missing_events
from mintline_harness.chaos.items import ItemDriver, create_items, verify_items
from mintline_harness.chaos.proxy import FaultProxy, Reached, Weather
from mintline_harness.chaos.sponsored import SponsoredDriver
from mintline_harness.chaos.webhook_receiver import receiving
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
LOG_PATIENCE = 60.0
"""Seconds from the end of the last mint to its last event, at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a seed.

    `unreconciled` is what `mintline reconcile` found wrong, `events_missing` of how many mints and errands
    the events are wrong.
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
    events_missing: int
    struck: dict[str, int]
    seconds: float

    @property
    def clean(self) -> bool:
        """Tell whether every promise was kept."""
        return not (
            self.lost
            or self.doubled
            or self.stuck
            or self.mismatched
            or self.unreconciled
            or self.events_missing
        )


@dataclass(frozen=True, slots=True)
class Shares:
    """Of the mints, those that a relayer pays for, and those of items of an ERC-1155 collection."""

    sponsored: float = 0.0
    items: float = 0.0

    def __str__(self) -> str:
        return f"SPONSORED={self.sponsored} ITEMS={self.items}"

    def chosen(self, seed: int, mints: int) -> tuple[set[int], set[int]]:
        """Return the numbers of the sponsored mints, and of those of items."""
        rng, others = random.Random(f"sponsored {seed}"), random.Random(f"items {seed}")  # noqa: S311 - reproducible on purpose
        sponsored = {number for number in range(mints) if rng.random() < self.sponsored}
        items = {number for number in range(mints) if others.random() < self.items}
        return sponsored - items, items


async def run_seed(seed: int, *, mints: int, patience: float, shares: Shares) -> Outcome:
    """Run one seed on a stack of its own; `patience` is in seconds, from the last fault on."""
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        again = f"make chaos FIRST={seed} SEEDS=1 MINTS={mints} {shares}"
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
        posted, struck, verdict, missing = await _drive(
            stack, line, weather, seed=seed, mints=mints, patience=patience, shares=shares
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
            events_missing=missing,
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
    shares: Shares,
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
    sponsoring = SponsoredDriver(session, api_url=info["api_url"], tokens=tokens, deadline=deadline)
    by_relayer, of_items = shares.chosen(seed, mints)
    items = await _items(session, line, deadline=deadline) if of_items else None
    errands = await _errands(stack, line, session, rpc, token=tokens[0], deadline=deadline)
    disturbances = Disturbances(
        rng=random.Random(f"disturbances {seed}"),  # noqa: S311 - reproducible on purpose
        span=span,
        pids=line.supervisor.pids,
        rpc=rpc,
        weather=weather,
    )

    async def post(number: int) -> Posted:
        await asyncio.sleep(span * number / mints)
        if items is not None and number in of_items:
            return await items.post(number)
        return await (sponsoring if number in by_relayer else driver).post(number)

    disturbing = asyncio.create_task(disturbances.run())
    stack.push_async_callback(_end, disturbing)
    running = asyncio.create_task(errands.run())
    stack.push_async_callback(cut_off, running)
    posted = await asyncio.gather(*(post(number) for number in range(mints)))
    await disturbing
    tokens_posted = [mint for number, mint in enumerate(posted) if number not in of_items]
    item_mints = [mint for number, mint in enumerate(posted) if number in of_items]
    await asyncio.gather(
        driver.follow(tokens_posted, pause=2.0),
        *([] if items is None else [items.follow(item_mints, pause=2.0)]),
        running,
    )
    verdict = await _verdict(
        partial(verify, node, contract=info["contract"], first_block=first), tokens_posted
    )
    if items is not None:
        verdict += await _verdict(
            partial(verify_items, node, contract=items.contract, first_block=first), item_mints
        )
    logs = [(tokens, tokens_posted), *([] if items is None else [(items.tokens, item_mints)])]
    missing = sum(
        await asyncio.gather(
            *(
                missing_events(api_url=info["api_url"], tokens=some, posted=theirs, patience=LOG_PATIENCE)
                for some, theirs in logs
            )
        )
    )
    wrong = await errands.missing_events(patience=LOG_PATIENCE)
    for each in wrong:
        print(f"errands: {each}", file=sys.stderr)  # noqa: T201 - a command's own output
    return posted, dict(disturbances.struck), verdict, missing + len(wrong)


async def _errands(
    stack: AsyncExitStack,
    line: Stack,
    session: aiohttp.ClientSession,
    rpc: Rpc,
    *,
    token: str,
    deadline: float,
) -> Errands:
    """Return the errands of a user and of a client that is made before anything goes wrong."""
    demo = line.info["demo_client"]
    admin = AsyncMintline(
        line.info["api_url"],
        client_id=demo["client_id"],
        client_secret=demo["client_secret"],
        retries=PATIENT,
    )
    errands = Errands(
        info=line.info,
        http=session,
        rpc=rpc,
        admin=await stack.enter_async_context(admin),
        token=token,
        receiver=await stack.enter_async_context(receiving()),
        deadline=deadline,
    )
    await errands.prepare()
    return errands


async def _items(session: aiohttp.ClientSession, line: Stack, *, deadline: float) -> ItemDriver:
    """Return the driver of a collection of items, which is made before anything goes wrong."""
    demo = line.info["demo_client"]
    async with AsyncMintline(
        line.info["api_url"], client_id=demo["client_id"], client_secret=demo["client_secret"]
    ) as client:
        contract = await create_items(client, within=deadline - time.time())
    token = (await demo_client_token(session, line.info)).access_token
    driver = ItemDriver(session, api_url=line.info["api_url"], tokens=[token], deadline=deadline)
    driver.contract = contract
    return driver


async def _verdict(check: Callable[..., Awaitable[Verdict]], posted: Sequence[Posted]) -> Verdict:
    """Return what the chain says of mints; what has not ended is stuck, not lost as well."""
    ended = [mint for mint in posted if mint.status in TERMINAL]
    of_all, of_ended = [await check(posted=some) for some in (posted, ended)]
    return replace(of_all, lost=of_ended.lost)


async def _end(disturbing: asyncio.Task[None]) -> None:
    """Break nothing more: the stack is about to be stopped, in order, for somebody to look at."""
    disturbing.cancel()
    await asyncio.wait([disturbing])


async def reconcile(folder: Path) -> dict[str, Any] | None:
    """Return what the operators' own command finds; None if it could not say."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mintline_cli", "reconcile", "--state", str(folder), "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, complaint = await process.communicate()
    try:
        report: dict[str, Any] = json.loads(output)
    except ValueError:
        print(complaint.decode(), file=sys.stderr)  # noqa: T201 - a command's own output
        return None
    for finding in report["findings"]:
        print(f"reconcile: {json.dumps(finding)}", file=sys.stderr)  # noqa: T201 - a command's own output
    return report
