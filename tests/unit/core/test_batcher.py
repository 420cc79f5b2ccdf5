import asyncio
from collections.abc import Sequence

import pytest

from mintline.batcher import Batcher


class Flushes:
    """Doubles numbers, recording its batches; holds them back while `gate` is closed."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0
        self.peak = 0

    async def __call__(self, items: Sequence[int]) -> Sequence[int | BaseException]:
        self.batches.append(list(items))
        self.running += 1
        self.peak = max(self.peak, self.running)
        await self.gate.wait()
        self.running -= 1
        return [ValueError(f"bad {item}") if item < 0 else item * 2 for item in items]


@pytest.fixture
def flushes() -> Flushes:
    return Flushes()


async def test_submit__when_the_line_is_idle__flushes_at_once(flushes: Flushes) -> None:
    batcher = Batcher(flushes, max_items=10, linger=30)
    assert await asyncio.wait_for(batcher.submit(1), 1) == 2
    assert flushes.batches == [[1]]


async def test_submit__when_many_come_in_one_turn__shares_full_batches(flushes: Flushes) -> None:
    batcher = Batcher(flushes, max_items=10, linger=0.01)
    assert await asyncio.gather(*(batcher.submit(i) for i in range(25))) == [2 * i for i in range(25)]
    assert [len(batch) for batch in flushes.batches] == [10, 10, 5]


async def test_submit__when_a_flush_is_out__gathers_until_it_lands(flushes: Flushes) -> None:
    batcher = Batcher(flushes, max_items=10, linger=30)
    flushes.gate.clear()
    first = asyncio.create_task(batcher.submit(0))
    await asyncio.sleep(0.001)
    later = []
    for i in range(1, 5):
        later.append(asyncio.create_task(batcher.submit(i)))
        await asyncio.sleep(0.001)
    assert flushes.batches == [[0]]
    flushes.gate.set()
    await asyncio.wait_for(asyncio.gather(first, *later), 1)
    assert flushes.batches == [[0], [1, 2, 3, 4]]


async def test_submit__when_a_flush_is_slow__lingers_no_longer_than_told(flushes: Flushes) -> None:
    batcher = Batcher(flushes, max_items=10, linger=0.005)
    flushes.gate.clear()
    tasks = [asyncio.create_task(batcher.submit(0))]
    await asyncio.sleep(0.001)
    tasks.append(asyncio.create_task(batcher.submit(1)))
    await asyncio.sleep(0.05)
    assert flushes.batches == [[0], [1]]
    flushes.gate.set()
    await asyncio.gather(*tasks)


async def test_submit__when_all_flights_are_out__waits_for_one_to_land(flushes: Flushes) -> None:
    batcher = Batcher(flushes, max_items=2, linger=0.001, concurrency=3)
    flushes.gate.clear()
    tasks = [asyncio.create_task(batcher.submit(i)) for i in range(20)]
    await asyncio.sleep(0.02)
    assert len(flushes.batches) == 3
    flushes.gate.set()
    assert await asyncio.gather(*tasks) == [2 * i for i in range(20)]
    assert flushes.peak == 3


async def test_submit__when_weights_add_up__splits_the_batch(flushes: Flushes) -> None:
    batcher = Batcher(flushes, max_items=10, max_weight=10, weight=lambda item: item, linger=0.001)
    await asyncio.gather(*(batcher.submit(item) for item in (4, 4, 4, 9, 1, 50, 2)))
    assert [sum(batch) for batch in flushes.batches if len(batch) > 1 and sum(batch) > 10] == []
    assert [item for batch in flushes.batches for item in batch] == [4, 4, 4, 9, 1, 50, 2]
    assert [50] in flushes.batches


async def test_submit__when_one_item_fails__fails_alone(flushes: Flushes) -> None:
    batcher = Batcher(flushes, max_items=10, linger=0.001)
    results = await asyncio.gather(*(batcher.submit(i) for i in (1, -2, 3)), return_exceptions=True)
    assert results[0] == 2
    assert str(results[1]) == "bad -2"
    assert results[2] == 6
    assert len(flushes.batches) == 1


async def test_submit__when_the_flush_raises__fails_the_batch_and_no_other() -> None:
    async def flush(items: Sequence[int]) -> Sequence[int | BaseException]:
        if 0 in items:
            raise ConnectionError("down")
        return list(items)

    batcher = Batcher(flush, max_items=2, linger=0.001)
    results = await asyncio.gather(*(batcher.submit(i) for i in range(4)), return_exceptions=True)
    assert [type(result).__name__ for result in results] == [
        "ConnectionError",
        "ConnectionError",
        "int",
        "int",
    ]


async def test_submit__when_results_are_missing__fails_instead_of_mixing_them_up() -> None:
    async def flush(items: Sequence[int]) -> Sequence[int | BaseException]:
        return list(items)[1:]

    batcher = Batcher(flush, max_items=3, linger=0.001)
    results = await asyncio.gather(*(batcher.submit(i) for i in range(3)), return_exceptions=True)
    assert all(isinstance(result, RuntimeError) for result in results)


async def test_submit__when_cancelled_before_the_flush__leaves_its_item_out(
    flushes: Flushes,
) -> None:
    batcher = Batcher(flushes, max_items=10, linger=0.01)
    tasks = [asyncio.create_task(batcher.submit(i)) for i in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert flushes.batches == [[0, 2]]
    assert results[0] == 0
    assert isinstance(results[1], asyncio.CancelledError)
    assert results[2] == 4


async def test_submit__when_cancelled_in_flight__harms_no_other(flushes: Flushes) -> None:
    batcher = Batcher(flushes, max_items=2, linger=0.001)
    flushes.gate.clear()
    tasks = [asyncio.create_task(batcher.submit(i)) for i in range(2)]
    await asyncio.sleep(0.01)
    tasks[0].cancel()
    await asyncio.sleep(0)
    flushes.gate.set()
    assert await tasks[1] == 2
    assert tasks[0].cancelled()


async def test_submit__when_its_group_is_in_flight__waits_while_others_go(flushes: Flushes) -> None:
    batcher = Batcher(flushes, max_items=2, linger=0.001, group=lambda item: item % 2)
    flushes.gate.clear()
    tasks = [asyncio.create_task(batcher.submit(i)) for i in (0, 2, 4, 6, 1, 8, 3)]
    await asyncio.sleep(0.02)
    assert flushes.batches == [[0, 2], [1, 3]]
    flushes.gate.set()
    assert await asyncio.wait_for(asyncio.gather(*tasks), 1) == [0, 4, 8, 12, 2, 16, 6]
    assert flushes.batches == [[0, 2], [1, 3], [4, 6], [8]]


async def test_aclose__when_a_group_is_in_flight__sends_what_waits_for_it(flushes: Flushes) -> None:
    batcher = Batcher(flushes, max_items=2, linger=30, group=lambda _: "one")
    tasks = [asyncio.create_task(batcher.submit(i)) for i in range(5)]
    await asyncio.sleep(0)
    await asyncio.wait_for(batcher.aclose(), 1)
    assert [task.result() for task in tasks] == [0, 2, 4, 6, 8]
    assert flushes.peak == 1


async def test_aclose__when_items_wait__flushes_them_and_refuses_more(flushes: Flushes) -> None:
    batcher = Batcher(flushes, max_items=10, linger=30)
    tasks = [asyncio.create_task(batcher.submit(i)) for i in range(3)]
    await asyncio.sleep(0)
    await asyncio.wait_for(batcher.aclose(), 1)
    assert [task.result() for task in tasks] == [0, 2, 4]
    with pytest.raises(RuntimeError, match="closed"):
        await batcher.submit(9)
