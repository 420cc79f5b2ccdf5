"""How long the sweep pauses: the less there is for it to do, the longer."""

from __future__ import annotations

import asyncio
import random

import pytest

from mintline.states import MintStatus
from mintline_broadcaster import sweep as sweeping
from mintline_broadcaster.sweep import CALM, IDLE, Sweeper
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent

INTERVAL = 15.0


class _Even(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


async def pause_after_a_pass(sweeper: Sweeper) -> float:
    stop, pauses = asyncio.Event(), []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            stop.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(5):
        await sweeper.run(stop, interval=INTERVAL, sleep=sleep, rng=_Even())
    return pauses[1] / INTERVAL


def opened(harness: Harness, nonce: int, status: MintStatus, *, seconds_ago: int) -> None:
    at = harness.now - seconds_ago * 1000
    harness.built(mint_intent(nonce), status=status, created_at=at, updated_at=at)
    if status is not MintStatus.ACCEPTED:
        harness.reserved(mint_intent(nonce), reserved_at=at, updated_at=at)


async def test_pause__when_nothing_is_open__is_the_longest(harness: Harness) -> None:
    assert await pause_after_a_pass(harness.sweeper()) == IDLE


@pytest.mark.parametrize("status", [MintStatus.ACCEPTED, MintStatus.BUILT])
async def test_pause__when_all_that_is_open_is_young__is_longer(harness: Harness, status: MintStatus) -> None:
    opened(harness, 0, status, seconds_ago=0)
    assert await pause_after_a_pass(harness.sweeper()) == CALM


@pytest.mark.parametrize("status", [MintStatus.ACCEPTED, MintStatus.BUILT])
async def test_pause__when_something_is_late__is_the_interval(harness: Harness, status: MintStatus) -> None:
    opened(harness, 0, status, seconds_ago=60)
    assert await pause_after_a_pass(harness.sweeper()) == 1


async def test_pause__when_a_pass_did_not_read_all__is_the_interval(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PAGE", 1)
    monkeypatch.setattr(sweeping, "MAX_PAGES", 1)
    opened(harness, 0, MintStatus.ACCEPTED, seconds_ago=0)
    assert await pause_after_a_pass(harness.sweeper()) == 1
