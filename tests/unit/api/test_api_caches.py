from __future__ import annotations

import asyncio

import pytest

from mintline_api.caches import BoundedCache, SingleFlight


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_cache__when_full__drops_what_was_used_least_recently() -> None:
    cache: BoundedCache[str, int] = BoundedCache(max_weight=2, clock=Clock())
    cache.put("a", 1)
    cache.put("b", 2)
    cache.get("a")
    cache.put("c", 3)

    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == (1, None, 3, 2)


def test_cache__when_an_entry_is_past_its_deadline__forgets_it() -> None:
    clock = Clock()
    cache: BoundedCache[str, int] = BoundedCache(max_weight=2, clock=clock)
    cache.put("a", 1, ttl=10)
    clock.now = 9.9
    assert cache.get("a") == 1
    clock.now = 10

    assert cache.get("a") is None
    assert len(cache) == 0


def test_cache__when_entries_weigh_differently__bounds_their_sum() -> None:
    cache: BoundedCache[str, bytes] = BoundedCache(max_weight=10, clock=Clock(), weight=len)
    cache.put("a", b"x" * 6)
    cache.put("a", b"x" * 4)
    cache.put("b", b"x" * 6)
    assert len(cache) == 2
    cache.put("c", b"x" * 11)
    assert (cache.get("c"), len(cache)) == (None, 2)
    cache.put("d", b"x")

    assert (cache.get("a"), cache.get("b"), cache.get("d")) == (None, b"x" * 6, b"x")


async def test_flight__when_the_work_fails__fails_for_all_and_can_be_repeated() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    attempts = 0

    async def work() -> int:
        nonlocal attempts
        attempts += 1
        await asyncio.sleep(0)
        if attempts == 1:
            raise ValueError("first")
        return attempts

    outcomes = await asyncio.gather(*(flights.run("k", work) for _ in range(3)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [ValueError] * 3
    assert await flights.run("k", work) == 2


async def test_flight__when_every_caller_has_gone__still_lands() -> None:
    flights: SingleFlight[str, None] = SingleFlight()
    landed = asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0.01)
        landed.set()
        raise ValueError("nobody hears this")

    caller = asyncio.create_task(flights.run("k", work))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    await asyncio.wait_for(landed.wait(), 1)
