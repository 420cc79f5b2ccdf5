"""Waiting for tasks, on every supported Python."""

from __future__ import annotations

import asyncio

import pytest

from mintline.errors import Unavailable
from mintline.tasks import all_ended, for_each, results_of


async def failure() -> None:
    raise ValueError("this task fails")


async def test_all_ended__when_one_fails__waits_for_all() -> None:
    tasks = [asyncio.create_task(asyncio.sleep(0.01)), asyncio.create_task(failure())]
    await all_ended(tasks)
    assert all(task.done() for task in tasks)


async def test_all_ended__when_all_have_ended_already__still_runs_what_is_done_at_their_end() -> None:
    future = asyncio.get_running_loop().create_future()
    under_way = {future}
    future.add_done_callback(under_way.discard)
    future.set_result(None)
    await all_ended((future,))
    assert not under_way


async def test_for_each__when_one_fails__then_its_error_is_raised_and_no_work_goes_on() -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def work(item: int) -> None:
        begun.append(item)
        try:
            if item == 2:
                raise Unavailable("the second")
            await asyncio.Event().wait()
        finally:
            ended.append(item)

    with pytest.raises(Unavailable, match="the second"):
        await for_each(range(1, 9), work, at_once=3)

    assert sorted(begun) == sorted(ended)
    assert len(begun) <= 3


async def test_for_each__when_all_goes_well__then_each_is_worked_on_once_and_so_many_at_a_time() -> None:
    done: list[int] = []
    most = now = 0

    async def work(item: int) -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        done.append(item)

    await for_each(range(10), work, at_once=4)

    assert (sorted(done), most) == (list(range(10)), 4)


async def test_results_of__when_later_items_end_first__then_the_results_have_the_order_of_the_items() -> None:
    ended: list[int] = []
    most = now = 0

    async def work(item: int) -> str:
        nonlocal most, now
        now += 1
        most = max(most, now)
        for _ in range(0 if item % 2 else 2):
            await asyncio.sleep(0)
        now -= 1
        ended.append(item)
        return str(item)

    results = await results_of(range(10), work, at_once=4)

    assert results == [str(item) for item in range(10)]
    assert ended != sorted(ended)
    assert most == 4


async def test_results_of__when_one_fails__then_its_error_is_raised() -> None:
    async def work(item: int) -> int:
        if item == 2:
            raise Unavailable("the second")
        return item

    with pytest.raises(Unavailable, match="the second"):
        await results_of(range(1, 9), work, at_once=3)
