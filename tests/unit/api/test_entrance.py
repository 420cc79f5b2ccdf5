"""Requests of a trickle go on together, and others at once; on virtual time."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any

import pytest

from mintline_api.features.operations.entrance import ENTRANCE, ENTRANCE_SECONDS, TOGETHER, Entrance
from mintline_harness.simulation.loop import VirtualLoop
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness


def run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(work)


async def passed(entrance: Entrance, gaps: Iterable[float]) -> tuple[list[float], Counter[float]]:
    """Let a request come after each gap; return how long each waited, and how many went on when."""
    loop = asyncio.get_running_loop()
    times: Counter[float] = Counter()

    async def request() -> float:
        came = loop.time()
        await entrance.wait()
        times[loop.time()] += 1
        return loop.time() - came

    tasks = []
    for gap in gaps:
        await asyncio.sleep(gap)
        tasks.append(asyncio.create_task(request()))
    return list(await asyncio.gather(*tasks)), times


async def posted_in_turn(
    workers: int, *, requests: int, rng: random.Random, answers: tuple[float, float]
) -> float:
    """Let each worker post again once it is answered, so many seconds later; return how long all took."""
    entrance, loop = Entrance(ENTRANCE_SECONDS), asyncio.get_running_loop()

    async def worker() -> None:
        for _ in range(requests):
            await entrance.wait()
            await asyncio.sleep(rng.uniform(*answers))

    await asyncio.gather(*(worker() for _ in range(workers)))
    return loop.time()


@pytest.mark.parametrize(("rate", "together"), [(20, 4.5), (50, 7.0), (100, 7.5)])
def test_entrance__when_requests_trickle_in__lets_them_go_on_together_within_its_time(
    rate: float, together: float
) -> None:
    async def work() -> None:
        rng = random.Random(1)
        waits, times = await passed(Entrance(ENTRANCE_SECONDS), [rng.expovariate(rate) for _ in range(600)])
        assert len(waits) / len(times) >= together
        assert max(waits) <= ENTRANCE_SECONDS + 0.001

    run(work())


@pytest.mark.parametrize(("workers", "times"), [(1, 1.15), (2, 1.3), (4, 1.45), (6, 1.6)])
def test_entrance__when_answers_take_workers_100_ms__then_they_are_not_much_slower(
    workers: int, times: float
) -> None:
    async def work() -> None:
        took = await posted_in_turn(workers, requests=200, rng=random.Random(2), answers=(0.05, 0.15))
        assert took <= 200 * 0.1 * times

    run(work())


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_entrance__when_workers_post_again_once_answered__hardly_slows_them_down(
    workers: int,
) -> None:
    async def work() -> None:
        took = await posted_in_turn(workers, requests=100, rng=random.Random(1), answers=(0.02, 0.04))
        assert took <= 100 * 0.03 * 1.1 + 16 * ENTRANCE_SECONDS

    run(work())


def test_entrance__when_requests_come_far_apart__keeps_none_waiting() -> None:
    async def work() -> None:
        waits, _ = await passed(Entrance(ENTRANCE_SECONDS), [0.11] * 20)
        assert max(waits) == 0

    run(work())


def test_entrance__when_enough_come_at_once__keeps_none_waiting() -> None:
    async def work() -> None:
        waits, _ = await passed(Entrance(ENTRANCE_SECONDS), [0.0] * TOGETHER)
        assert max(waits) == 0

    run(work())


def test_entrance__when_one_of_those_that_wait_is_cancelled__lets_the_others_go_on() -> None:
    async def work() -> None:
        entrance = Entrance(ENTRANCE_SECONDS)
        await entrance.wait()
        cancelled, other = asyncio.create_task(entrance.wait()), asyncio.create_task(entrance.wait())
        await asyncio.sleep(0.01)
        cancelled.cancel()
        with suppress(asyncio.CancelledError):
            await cancelled
        async with asyncio.timeout(ENTRANCE_SECONDS):
            await other

    run(work())


class _Held(Entrance):
    """Keeps requests waiting until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.came = asyncio.Event()
        self.open = asyncio.Event()

    async def wait(self) -> None:
        self.came.set()
        await self.open.wait()


async def post(client: MemoryClient, harness: Harness, body: object) -> Answered:
    headers = {**harness.headers(), "Content-Type": "application/json"}
    return await client.request("POST", "/v1/mints", headers=headers, body=json.dumps(body).encode())


async def test_post__when_it_waits_at_the_entrance__has_taken_nothing_yet(harness: Harness) -> None:
    app = harness.app()
    app[ENTRANCE] = entrance = _Held()
    async with MemoryClient(app) as client:
        posting = asyncio.create_task(
            post(
                client,
                harness,
                {
                    "metadata": {
                        "name": "One",
                        "image": "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3",
                    }
                },
            )
        )
        async with asyncio.timeout(5):
            await entrance.came.wait()
        assert not harness.mints.items
        assert not harness.wallets.items

        entrance.open.set()
        assert (await posting).status == 202


async def test_post__when_it_is_malformed__is_refused_without_waiting(harness: Harness) -> None:
    app = harness.app()
    app[ENTRANCE] = entrance = _Held()
    async with MemoryClient(app) as client:
        response = await post(client, harness, {"metadata": 7})

    assert response.status == 400
    assert not entrance.came.is_set()
