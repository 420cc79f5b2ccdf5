"""Whether the event logs of users and clients tell what their mints and drops went through."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

from mintline.errors import MintlineError
from mintline.states import TERMINAL, MintStatus
from mintline_bench.load import Posted
from mintline_client import AsyncMintline, Retries

PAUSE = 2.0
"""Seconds between two readings of the logs."""


async def missing_events(
    *,
    api_url: str,
    tokens: Sequence[str],
    posted: Sequence[Posted],
    patience: float,
) -> int:
    """Count ended mints whose events are not what happened to them, and events that come twice in a log.

    Events come after what they tell: the logs are read again for up to `patience` seconds.
    """
    ended = {mint.mint_id: mint.status for mint in posted if mint.status in TERMINAL}
    deadline = time.monotonic() + patience
    while True:
        logs = await asyncio.gather(*(_log(api_url, token) for token in tokens))
        wrong = _wrong(ended, logs)
        if not wrong or time.monotonic() > deadline:
            return wrong
        await asyncio.sleep(PAUSE)


def _wrong(ended: Mapping[str, MintStatus], logs: Sequence[Sequence[Mapping[str, Any]]]) -> int:
    by_mint: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    repeated = 0
    for log in logs:
        repeated += len(log) - len({event["id"] for event in log})
        for event in log:
            if event["resource"]["type"] == "mint":
                by_mint[event["resource"]["id"]].append(event)
    return repeated + sum(not mint_events_complete(by_mint[name], status) for name, status in ended.items())


def mint_events_complete(events: Sequence[Mapping[str, Any]], status: MintStatus) -> bool:
    """Tell whether a mint's events go from its acceptance to its end, each step once and in order."""
    types = [event["type"] for event in events]
    in_blocks = types.count("mint.mined") - types.count("mint.reorged")
    return (
        types[:1] == ["mint.accepted"]
        and types[-1:] == [f"mint.{status}"]
        and all(types.count(once) == 1 for once in (types[0], types[-1]))
        and all(earlier["sequence"] < later["sequence"] for earlier, later in pairwise(events))
        and (status is not MintStatus.FINALIZED or in_blocks == 1)
    )


async def missing_drop_events(
    client: AsyncMintline, drop_id: str, posted: Sequence[Posted], *, refused: int, patience: float
) -> int:
    """Count what the log of a drop's client tells wrong: the drop, and each of its mints that has ended.

    `refused` lines of the drop were refused. The log is read again for up to `patience` seconds; raises
    Unavailable if it cannot be read.
    """
    ended = {mint.mint_id: mint.status for mint in posted if mint.status in TERMINAL}
    deadline = time.monotonic() + patience
    while True:
        log: list[Mapping[str, Any]] = [dict(event) async for event in client.events.list()]
        of_drop = [event for event in log if event["resource"]["id"] == drop_id]
        wrong = _wrong(ended, [log]) + (not drop_events_complete(of_drop, refused=refused))
        if not wrong or time.monotonic() > deadline:
            return wrong
        await asyncio.sleep(PAUSE)


def drop_events_complete(events: Sequence[Mapping[str, Any]], *, refused: int) -> bool:
    """Tell whether a completed drop's events are its own, in order, and each that happens once comes once.

    Lines are refused by their form as they are taken, and by their recipient as the drop is prepared: each is
    told once. A drop that pauses itself goes on before it is completed.
    """
    types = [event["type"].removeprefix("drop.") for event in events]
    before = types[: types.index("started")] if "started" in types else types
    between = types[len(before) + 1 : -1]
    pauses = [kind for kind in between if kind != "progressed"]
    return (
        set(before) <= {"lines_refused"}
        and (1 <= len(before) <= 2 if refused else not before)
        and types[-1:] == ["completed"]
        and "progressed" in between
        and pauses == ["paused", "resumed"] * (len(pauses) // 2)
        and all(earlier["sequence"] < later["sequence"] for earlier, later in pairwise(events))
    )


async def _log(api_url: str, token: str) -> list[Mapping[str, Any]]:
    """Return a user's whole log, each page by one try; an empty one if it cannot be read just now."""
    log: list[Mapping[str, Any]] = []
    async with AsyncMintline(api_url, token=token, retries=Retries(tries=1)) as client:
        with suppress(MintlineError):
            log = [dict(event) async for event in client.events.list()]
    return log
