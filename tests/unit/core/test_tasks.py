"""Waiting for tasks, on every supported Python."""

from __future__ import annotations

import asyncio

from mintline.tasks import all_ended


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
