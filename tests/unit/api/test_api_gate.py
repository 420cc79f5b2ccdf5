"""Under more load than there is room for, and under a dependency that asks for less."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from mintline.errors import Throttled
from mintline_api.http.context import GATE
from mintline_api.http.gate import LINGERING, RECEIVING, Gate
from mintline_api.http.problems import RequestRefused
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness

METADATA = {"name": "Aurora #1", "image": "https://example.com/1.png"}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def gate_of(most: int, clock: Callable[[], float] | None = None, *, patience: float = 0.05) -> Gate:
    return Gate(most=most, clock=clock or Clock(), rng=random.Random(1), patience=patience)


async def hold(gate: Gate, release: asyncio.Event) -> None:
    async with gate.entered():
        await release.wait()


async def entered(gate: Gate, count: int, release: asyncio.Event) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(hold(gate, release)) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_gate__when_it_is_full__then_a_request_waits_and_enters_as_another_leaves() -> None:
    gate, first, second = gate_of(1, patience=5), asyncio.Event(), asyncio.Event()
    inside = await entered(gate, 1, first)
    waiting = await entered(gate, 1, second)
    assert not waiting[0].done()
    first.set()
    await inside[0]
    second.set()
    await waiting[0]


async def test_gate__when_no_place_comes_free_in_time__then_the_request_is_refused_and_leaves_no_trace() -> (
    None
):
    gate, release = gate_of(1), asyncio.Event()
    inside = await entered(gate, 1, release)
    with pytest.raises(RequestRefused) as refused:
        await hold(gate, release)
    assert refused.value.kind.slug == "overloaded"
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 4
    release.set()
    await inside[0]
    async with gate.entered():
        assert gate._inside == 1
    assert (gate._inside, len(gate._waiting)) == (0, 0)


async def test_gate__when_as_many_wait_as_may__then_the_next_is_refused_at_once() -> None:
    gate, release = gate_of(2, patience=60), asyncio.Event()
    tasks = await entered(gate, 4, release)
    with pytest.raises(RequestRefused):
        await asyncio.wait_for(hold(gate, release), 1)
    release.set()
    await asyncio.gather(*tasks)


async def test_gate__when_waiting_requests_are_cancelled_at_any_point__then_no_place_is_lost() -> None:
    gate, rng = gate_of(2, patience=0.002), random.Random(7)
    for _ in range(200):
        release = asyncio.Event()
        tasks = await entered(gate, 4, release)
        for _ in range(rng.randrange(4)):
            rng.choice(tasks).cancel()
            if rng.random() < 0.5:
                await asyncio.sleep(0)
        if rng.random() < 0.2:
            await asyncio.sleep(0.002)
        release.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (gate._inside, len(gate._waiting)) == (0, 0)


async def test_gate__when_an_answer_lingers__then_its_place_is_anothers_and_lingerers_are_bounded() -> None:
    gate = gate_of(1)
    async with gate.entered():
        with gate.lingering() as may_wait:
            assert may_wait
            async with gate.entered():
                pass
        assert gate._inside == 1
    kept = [gate.lingering() for _ in range(LINGERING)]
    assert [context.__enter__() for context in kept] == [True] * LINGERING
    with gate.lingering() as may_wait:
        assert not may_wait
    for context in kept:
        context.__exit__(None, None, None)
    assert gate._inside == 0


async def receive(gate: Gate, arrived: asyncio.Event, *, seconds: float = 60) -> None:
    async with gate.entered(), gate.receiving(seconds):
        await arrived.wait()


async def test_gate__when_a_body_is_on_its_way__then_its_place_is_anothers_until_it_is_there() -> None:
    gate, arrived, release = gate_of(1, patience=5), asyncio.Event(), asyncio.Event()
    receiving = asyncio.create_task(receive(gate, arrived))
    await asyncio.sleep(0)
    inside = await entered(gate, 1, release)
    assert gate._inside == 1
    arrived.set()
    async with asyncio.timeout(5):
        while not gate._waiting:  # noqa: ASYNC110 - a turn of the loop is what there is to wait for
            await asyncio.sleep(0)
    assert not receiving.done()
    release.set()
    await asyncio.gather(receiving, *inside)
    assert gate._inside == 0


async def test_gate__when_too_many_bodies_are_on_their_way__then_the_slowest_makes_room_for_the_next() -> (
    None
):
    gate, arrived = gate_of(2), asyncio.Event()
    slow = [asyncio.create_task(receive(gate, arrived)) for _ in range(RECEIVING * 2)]
    await asyncio.sleep(0)
    late = asyncio.create_task(receive(gate, arrived))
    with pytest.raises(TimeoutError):
        await slow.pop(0)
    arrived.set()
    await asyncio.gather(late, *slow, return_exceptions=True)
    assert (gate._inside, len(gate._receiving)) == (0, 0)


async def test_gate__when_bodies_break_off_in_any_way__then_no_place_is_lost() -> None:
    gate, rng = gate_of(2, patience=0.002), random.Random(7)
    for _ in range(100):
        arrived = asyncio.Event()
        tasks = [asyncio.create_task(receive(gate, arrived, seconds=0.004)) for _ in range(12)]
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(rng.choice((0, 0.002)))
            rng.choice(tasks).cancel()
        if rng.random() < 0.5:
            await asyncio.sleep(0.004)
        arrived.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (gate._inside, len(gate._waiting), len(gate._receiving)) == (0, 0, 0)


async def test_gate__when_a_dependency_throttles__then_fewer_enter_and_more_again_as_work_gets_done() -> None:
    clock = Clock()
    gate = gate_of(8, clock)
    for _ in range(3):
        gate.limit.throttled()
    assert gate.limit.value == 4
    for _ in range(5):
        clock.now += 1
        gate.limit.throttled()
    assert gate.limit.value == 1
    for _ in range(40):
        gate.limit.done()
    assert gate.limit.value == 8


async def test_api__when_its_places_are_taken__then_503_with_retry_after_and_health_still_answers(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = client._runner.app[GATE]
    monkeypatch.setattr(gate, "_patience", 0.01)
    gate.limit._limit = 1.0
    async with gate.entered():
        refused = await client.request("GET", "/v1/mints", headers=harness.headers())
        alive = await client.request("GET", "/healthz")
    body: Any = refused.json()
    assert (refused.status, body["code"], body["status"]) == (503, "overloaded", 503)
    assert int(refused.headers["retry-after"]) >= 1
    assert alive.status == 200
    assert (await client.request("GET", "/v1/mints", headers=harness.headers())).status == 200


async def test_api__when_dynamodb_throttles__then_503_with_retry_after_and_fewer_requests_enter(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise Throttled("BatchExecuteStatement: ThrottlingError")

    before = client._runner.app[GATE].limit.value
    monkeypatch.setattr(harness.mints, "create", refuse)
    response = await client.post_json("/v1/mints", {"metadata": METADATA}, headers=harness.headers())
    assert (response.status, response.headers["retry-after"]) == (503, "1")
    assert client._runner.app[GATE].limit.value == before // 2


async def test_api__when_sqs_throttles__then_the_mint_is_accepted_and_fewer_requests_enter(
    harness: Harness, client: MemoryClient
) -> None:
    before = client._runner.app[GATE].limit.value
    harness.line.failure = Throttled("SendMessageBatch: RequestThrottled")
    response = await client.post_json("/v1/mints", {"metadata": METADATA}, headers=harness.headers())
    assert response.status == 202
    assert client._runner.app[GATE].limit.value == before // 2


async def test_api__when_bodies_come_slowly_for_all_its_places__then_others_are_answered(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = client._runner.app[GATE]
    monkeypatch.setattr(gate, "_patience", 0.01)
    gate.limit._limit = 2.0
    head = "POST /v1/mints HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 999\r\n"
    fields = "".join(f"{name}: {value}\r\n" for name, value in harness.headers().items())
    with ExitStack() as connections:
        for _ in range(5):
            connections.enter_context(client.unfinished(f"{head}{fields}\r\n{{".encode()))
        await asyncio.sleep(0.01)
        listed = await client.request("GET", "/v1/mints", headers=harness.headers())
        posted = await client.post_json("/v1/mints", {"metadata": METADATA}, headers=harness.headers())
    assert (listed.status, posted.status) == (200, 202)
