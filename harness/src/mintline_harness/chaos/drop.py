"""A drop with bad lines, whose upload is cut twice while every service is killed again and again.

::

    upload ─cut─▶ upload ─cut─▶ upload ─▶ prepare ─▶ start ─▶ completed ─▶ verdict
    └────────────────── each service is killed once in a period ─────┘

`python -m mintline_harness.chaos.drop --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import structlog

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import MintlineError, Unavailable
from mintline.interrupts import Interrupted, run
from mintline.tasks import cut_off
from mintline_bench.load import Posted
from mintline_bench.verify import verify
from mintline_client import AsyncMintline, Retries
from mintline_client.drops import MOVED_ON
from mintline_client.errors import Conflicting
from mintline_devstack.arguments import Arguments, amount, at_least_one
from mintline_devstack.running_stack import Stack, running_stack
from mintline_harness.chaos.drop_lines import DropLines, drop_lines
from mintline_harness.chaos.event_logs import missing_drop_events
from mintline_harness.chaos.killings import Killings
from mintline_harness.chaos.run import FINALITY, reconcile
from mintline_harness.evidence import evidence

T = TypeVar("T")
CUTS = 2
PIECE = 64 * 1024
PAUSE = 1.0
TOLD = 60.0
"""Seconds from the end of the drop to its last event, at most."""
PATIENT = Retries(tries=12)
"""The API is away for seconds, again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropOutcome:
    """What came of a seed.

    `named`: the bad lines that were handed back, and no other; `tokens`: what the chain has of the drop;
    `unreconciled`: what `mintline reconcile` found wrong, -1 if it could not say; `events_missing`: of how
    many of its mints, and whether of the drop, the client's event log says something else.
    """

    seed: int
    lines: int
    bad: int
    named: int
    finalized: int
    tokens: int
    lost: int
    doubled: int
    mismatched: int
    unreconciled: int
    events_missing: int
    cuts: int
    kills: dict[str, int]
    seconds: float

    @property
    def clean(self) -> bool:
        """Tell whether each good line is one token, each bad one is named, and the books agree."""
        good = self.lines - self.bad
        counts = (self.named, self.finalized, self.tokens, self.cuts)
        wrong = self.lost or self.doubled or self.mismatched or self.unreconciled or self.events_missing
        return counts == (self.bad, good, good, CUTS) and not wrong


def main(argv: Sequence[str]) -> int:
    """Run the seeds; 0 only if each promise was kept in every one."""
    parser = Arguments(prog="python -m mintline_harness.chaos.drop", description="Break a running drop.")
    parser.add_argument("--seeds", type=at_least_one, default=1, help="how many, from --first on")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--lines", type=at_least_one, default=10_000, help="lines of the drop")
    parser.add_argument("--bad", type=int, default=42, help="how many of them are to be refused")
    parser.add_argument("--every", type=amount, default=20.0, help="seconds in which each service dies once")
    parser.add_argument("--patience", type=amount, default=3_000.0, help="seconds until the drop is stuck")
    options = parser.parse_args(argv)
    if not 0 <= options.bad < options.lines:
        parser.error("--bad: expected fewer than --lines")
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        return run(_seeds(options))
    except Interrupted as interruption:
        return interruption.exit_code
    except MintlineError as error:
        print(f"chaos: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 2


async def _seeds(options: argparse.Namespace) -> int:
    clean = True
    for seed in range(options.first, options.first + options.seeds):
        outcome = await run_drop(
            seed, lines=options.lines, bad=options.bad, every=options.every, patience=options.patience
        )
        clean = clean and outcome.clean
        print(json.dumps(asdict(outcome)), flush=True)  # noqa: T201 - the result
    return int(not clean)


async def run_drop(seed: int, *, lines: int, bad: int, every: float, patience: float) -> DropOutcome:
    """Run one seed on a line of its own; `every` and `patience` are in seconds.

    Raises Unavailable if the drop does not end in time.
    """
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        again = f"make chaos-drop FIRST={seed} LINES={lines} BAD={bad} EVERY={every}"
        kept = stack.enter_context(evidence("chaos-drop", again=again))
        line = await stack.enter_async_context(running_stack(kept.folder, ports="free", finality=FINALITY))
        killings = Killings(
            random.Random(f"killings {seed}"),  # noqa: S311 - reproducible on purpose
            every,
            line.supervisor.pids,
        )
        async with AsyncExitStack() as calls:
            client = await calls.enter_async_context(_client(line))
            rpc = Rpc([line.info["rpc_url"]])
            calls.push_async_callback(rpc.aclose)
            node = Node(rpc)
            first = await node.block_number()
            drop = drop_lines(lines=lines, bad=bad, seed=seed)
            killing = asyncio.create_task(killings.run())
            calls.push_async_callback(cut_off, killing)
            deadline = time.monotonic() + patience
            drop_id, cuts = await _upload(client, line, drop, kept.folder / "lines.ndjson", deadline)
            await _finish(client, drop_id, deadline)
            await cut_off(killing)
            named = _named(await _until(lambda: client.drops.refused(drop_id), deadline), drop)
            mints = await _until(lambda: _mints(client, drop_id), deadline)
            events_missing = await _until(
                lambda: missing_drop_events(client, drop_id, mints, refused=bad, patience=TOLD), deadline
            )
            verdict = await verify(node, contract=line.info["contract"], first_block=first, posted=mints)
        findings = await reconcile(kept.folder)
        outcome = DropOutcome(
            seed=seed,
            lines=lines,
            bad=bad,
            named=named,
            finalized=sum(mint.status == "finalized" for mint in mints),
            tokens=verdict.minted,
            lost=verdict.lost,
            doubled=verdict.doubled,
            mismatched=verdict.mismatched,
            unreconciled=-1 if findings is None else findings["differences"],
            events_missing=events_missing,
            cuts=cuts,
            kills=dict(sorted(killings.kills.items())),
            seconds=round(time.monotonic() - started, 1),
        )
        kept.record({**asdict(outcome), "reconcile": findings}, mints)
        if outcome.clean:
            kept.dispensable()
        return outcome


def _client(line: Stack) -> AsyncMintline:
    demo = line.info["demo_client"]
    return AsyncMintline(
        line.info["api_url"],
        client_id=demo["client_id"],
        client_secret=demo["client_secret"],
        retries=PATIENT,
    )


async def _until(call: Callable[[], Awaitable[T]], deadline: float) -> T:
    """Call until the API answers; raises Unavailable once the deadline has passed."""
    while True:
        try:
            return await call()
        except Unavailable:
            if time.monotonic() >= deadline:
                raise
            await asyncio.sleep(PAUSE)


async def _upload(
    client: AsyncMintline, line: Stack, lines: DropLines, file: Path, deadline: float
) -> tuple[str, int]:
    """Make a drop and upload its lines, cutting the connection twice; return its id and the cuts."""
    await asyncio.to_thread(file.write_bytes, lines.body)
    name = f"chaos {len(lines.body)}"
    drop = await _until(lambda: client.drops.create({"name": name}, idempotency_key=name), deadline)
    drop_id, cuts = drop["drop_id"], 0
    while cuts < CUTS:
        offset = await _until(lambda: client.drops.offset(drop_id), deadline)
        upto = offset + (len(lines.body) - offset) // (CUTS + 1 - cuts)
        cuts += await _cut(line, drop_id, lines.body[offset:upto], offset)
    while True:
        # Of the last cut one, bytes may still arrive: the upload is tried again.
        try:
            await _until(lambda: client.drops.upload(drop_id, file), deadline)
        except Conflicting as refused:
            if refused.code != MOVED_ON or time.monotonic() >= deadline:
                raise
            await asyncio.sleep(PAUSE)
        else:
            return drop_id, cuts


async def _cut(line: Stack, drop_id: str, body: bytes, offset: int) -> int:
    """Send a part of the lines, then break the connection; return how many cuts that were."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), PIECE):
            yield body[start : start + PIECE]
        await asyncio.sleep(PAUSE)  # what is sent arrives
        raise ConnectionError("cut")

    async with _client(line) as client, aiohttp.ClientSession() as session:
        headers = {
            **await client.api.headers(),
            "Content-Type": "application/x-ndjson",
            "Upload-Offset": str(offset),
        }
        url = f"{line.info['api_url']}/v1/drops/{drop_id}/lines"
        with suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
            async with session.patch(url, data=pieces(), headers=headers):
                return 0  # refused, as an overlap with an upload that is not over yet
    return 1


async def _finish(client: AsyncMintline, drop_id: str, deadline: float) -> None:
    """Prepare and start a drop, and follow it until each line has ended."""

    async def to(status: str) -> Any:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            return await client.drops.wait(drop_id, status)

    try:
        await _until(lambda: client.drops.prepare(drop_id), deadline)
        await _until(lambda: to("prepared"), deadline)
        await _until(lambda: client.drops.start(drop_id), deadline)
        await _until(lambda: to("completed"), deadline)
    except TimeoutError:
        raise Unavailable(f"{drop_id} did not end in time") from None


def _named(refused: bytes, drop: DropLines) -> int:
    """Return how many lines were handed back; -1 if they are not the bad ones."""
    numbers = tuple(json.loads(text)["refused"]["line"] for text in refused.splitlines())
    return len(numbers) if numbers == drop.bad else -1


async def _mints(client: AsyncMintline, drop_id: str) -> list[Posted]:
    """Return the mints of a drop, as the verdict takes them."""
    return [
        Posted(mint["mint_id"], 0, mint["mint_id"], 0.0, 0.0, dict(mint))
        async for mint in client.drops.mints(drop_id)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
