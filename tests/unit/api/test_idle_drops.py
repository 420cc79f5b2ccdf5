"""How often a process looks for drops that need work, and what ends its waiting."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from mintline_api.features.drops.runner import IDLE_LOOKS, IDLE_SECONDS, POLL_SECONDS
from mintline_api.metrics import Metrics
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from tests.unit.api.test_drops import Shop, line, ndjson


@pytest.fixture
async def shop(harness: Harness, client: MemoryClient) -> Shop:
    harness.clients.add("shop")
    shop = Shop(harness, client)
    await shop.make()
    return shop


async def looks_in_a_minute(harness: Harness) -> int:
    """Return how often a process that has nothing to do looks, after its first minute."""
    runner = harness.api.drop_runner("one", clock=harness.clock, metrics=Metrics(CollectorRegistry()))
    at, looks = 0.0, 0
    while at < 120:
        at += await runner.poll()
        looks += at >= 60
    return looks


async def test_look__when_no_drop_is_open__then_it_is_at_most_five_times_a_minute(shop: Shop) -> None:
    assert 1 <= await looks_in_a_minute(shop.harness) <= 5


async def test_rest__when_a_drop_is_prepared_by_this_process__then_it_ends_and_the_next_ones_are_short(
    shop: Shop,
) -> None:
    runner = shop.harness.api.drop_runner(
        "one", clock=shop.harness.clock, metrics=Metrics(CollectorRegistry())
    )
    while await runner.poll() != IDLE_SECONDS:
        pass
    await shop.upload(ndjson([line(1)]))
    resting = asyncio.create_task(runner.rest(3600))
    await shop.call("POST", "/prepare")
    async with asyncio.timeout(10):
        await resting
    assert await runner.poll() == POLL_SECONDS
    await runner.aclose()


async def test_look__when_the_index_shows_a_drop_late__then_it_looks_again_soon(shop: Shop) -> None:
    harness = shop.harness
    runner = harness.api.drop_runner("one", clock=harness.clock, metrics=Metrics(CollectorRegistry()))
    while await runner.poll() != IDLE_SECONDS:
        pass
    runner.woken.set()
    await runner.rest(3600)
    assert [await runner.poll() for _ in range(IDLE_LOOKS - 1)] == [POLL_SECONDS] * (IDLE_LOOKS - 1)
