"""Items that come shortly after one another share flushes, and few wait in vain; virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

import pytest

from mintline.batcher import Batcher
from mintline_harness.simulation.loop import VirtualLoop

TRICKLE = 0.075
FLUSH = 0.008


class Flushes:
    """Takes a while for each flush, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.count += 1
        await asyncio.sleep(FLUSH)
        return items


def run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(work)


async def submitted(batcher: Batcher[int, int], gaps: Iterable[float]) -> list[float]:
    """Submit an item after each gap, whether or not those before are flushed; return what each waited."""
    loop = asyncio.get_running_loop()

    async def one(number: int) -> float:
        started = loop.time()
        await batcher.submit(number)
        return loop.time() - started

    tasks = []
    for number, gap in enumerate(gaps):
        await asyncio.sleep(gap)
        tasks.append(asyncio.create_task(one(number)))
    return list(await asyncio.gather(*tasks))


@pytest.mark.parametrize(("rate", "flushes_an_item"), [(20, 0.7), (50, 0.4), (100, 0.3)])
def test_trickle__when_independent_callers_come__then_they_share_flushes_and_wait_no_longer_than_told(
    rate: float, flushes_an_item: float
) -> None:
    async def work() -> None:
        flushes, rng = Flushes(), random.Random(1)
        batcher = Batcher(flushes, max_items=10, linger=0.02, trickle=TRICKLE)
        waits = await submitted(batcher, [rng.expovariate(rate) for _ in range(600)])
        assert flushes.count <= flushes_an_item * len(waits)
        assert max(waits) <= TRICKLE + 2 * FLUSH + 0.02

    run(work())


def test_trickle__when_one_caller_comes_again_and_again__then_it_is_hardly_slowed_down() -> None:
    async def work() -> None:
        flushes, loop = Flushes(), asyncio.get_running_loop()
        batcher = Batcher(flushes, max_items=10, linger=0.02, trickle=TRICKLE)
        started = loop.time()
        for number in range(200):
            await batcher.submit(number)
        assert flushes.count == 200
        assert loop.time() - started <= 200 * FLUSH + 11 * TRICKLE

    run(work())


def test_trickle__when_items_come_far_apart__then_each_goes_at_once() -> None:
    async def work() -> None:
        batcher = Batcher(Flushes(), max_items=10, linger=0.02, trickle=TRICKLE)
        waits = await submitted(batcher, [0.2] * 20)
        assert max(waits) == pytest.approx(FLUSH)

    run(work())


def test_trickle__when_a_gap_is_long_by_chance__then_a_wait_that_paid_is_followed_by_another() -> None:
    async def work() -> None:
        flushes = Flushes()
        batcher = Batcher(flushes, max_items=10, linger=0.02, trickle=TRICKLE)
        await submitted(batcher, [0.0, *[0.05, 0.02, 0.15] * 20])
        assert flushes.count <= 21 + 1

    run(work())


def test_trickle__when_nothing_comes_for_its_tail__then_a_wait_is_over() -> None:
    async def work() -> None:
        batcher = Batcher(Flushes(), max_items=10, linger=0.02, trickle=1.0, tail=0.1)
        waits = await submitted(batcher, [0.0, 0.05, 0.05])
        assert waits == pytest.approx([FLUSH, 0.05 + 0.1 + FLUSH, 0.1 + FLUSH])

    run(work())


async def joined(batcher: Batcher[int, int], gaps: Iterable[float]) -> float:
    """Submit two items in one turn, then one after each gap; return how long the last result took."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    tasks = [asyncio.create_task(batcher.submit(number)) for number in range(2)]
    for number, gap in enumerate(gaps, start=2):
        await asyncio.sleep(gap)
        tasks.append(asyncio.create_task(batcher.submit(number)))
    await asyncio.gather(*tasks)
    return loop.time() - started


def test_together__when_none_follows__then_they_wait_for_a_quarter_of_the_linger() -> None:
    async def work() -> None:
        flushes = Flushes()
        took = await joined(Batcher(flushes, max_items=10, linger=0.02), [])
        assert flushes.count == 1
        assert took == pytest.approx(0.005 + FLUSH)

    run(work())


def test_together__when_others_follow_closely__then_they_wait_for_these_until_the_linger_is_over() -> None:
    async def work() -> None:
        flushes = Flushes()
        took = await joined(Batcher(flushes, max_items=100, linger=0.02), [0.004] * 4)
        assert flushes.count == 1
        assert took == pytest.approx(0.02 + FLUSH)

    run(work())
