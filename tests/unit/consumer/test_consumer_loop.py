"""Concurrency, visibility and stopping."""

import asyncio
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mintline.consumer import ConsumerMetrics
from mintline.errors import Throttled
from mintline.queue_port import Received
from mintline.resource_types import Queue

if TYPE_CHECKING:
    from tests.unit.consumer.conftest import Harness

QUEUE = Queue("test", senders=("a",), receiver="b", visibility_timeout=30, max_receives=1000)


async def test_handlers__when_there_is_more_work__never_exceed_the_concurrency(line: "Harness") -> None:
    line.put(*(f"m{i}" for i in range(60)))
    running = 0
    peak = 0

    async def handle(_: str) -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.005)
        running -= 1

    consumer = line.consumer(handle, concurrency=7, receivers=3)
    await line.run_until(consumer, lambda: line.queues.waiting(QUEUE) == 0)
    assert peak == 7
    assert len(line.handled) == 60


async def test_fetch__when_no_slot_is_free__does_not_take_messages(line: "Harness") -> None:
    line.put(*(f"m{i}" for i in range(10)))
    release = asyncio.Semaphore(0)

    async def handle(_: str) -> None:
        await release.acquire()

    running = asyncio.create_task(line.consumer(handle, concurrency=4).run(line.stop))
    for ended in range(7):
        # The next message comes only when one has ended, and brings no other along.
        await line.until(lambda ended=ended: len(line.handled) == 4 + ended)  # type: ignore[misc]
        taken = [stored.receive_count for stored in line.queues._line(QUEUE).messages]
        assert taken == [1] * 4 + [0] * (6 - ended)
        release.release()
    for _ in range(3):
        release.release()
    await line.until(lambda: line.queues.waiting(QUEUE) == 0)
    line.stop.set()
    await running


async def test_messages__when_one_is_slow__do_not_wait_for_it(line: "Harness") -> None:
    line.put("slow", *(f"m{i}" for i in range(40)))
    release = asyncio.Event()

    async def handle(mint_id: str) -> None:
        if mint_id == "slow":
            await release.wait()

    running = asyncio.create_task(line.consumer(handle, concurrency=5).run(line.stop))
    await line.until(lambda: line.queues.waiting(QUEUE) == 1)
    release.set()
    line.stop.set()
    await running
    assert line.queues.waiting(QUEUE) == 0


async def test_visibility__when_the_handler_outlasts_it__is_extended_so_that_nobody_else_gets_it(
    line: "Harness",
) -> None:
    line.put("long")

    async def handle(_: str) -> None:
        await line.time.sleep(QUEUE.visibility_timeout * 2.5)

    await line.run_until(line.consumer(handle), lambda: line.queues.waiting(QUEUE) == 0)
    assert line.handled == ["long"]


async def test_crash__when_between_handler_and_delete__redelivers(line: "Harness") -> None:
    line.put("m")
    delete = line.queues.delete
    crashed = False

    async def crashing(received: Received) -> None:
        nonlocal crashed
        if not crashed:
            crashed = True
            raise Throttled("SQS delete: lost")
        await delete(received)

    line.queues.delete = crashing  # type: ignore[method-assign] # the first delete is lost

    async def handle(_: str) -> None:
        pass

    await line.run_until(line.consumer(handle), lambda: line.queues.waiting(QUEUE) == 0)
    assert line.handled == ["m", "m"]


async def test_receive__when_it_fails__backs_off_and_goes_on(line: "Harness") -> None:
    line.put("m")
    receive = line.queues.receive
    failures = 0

    async def failing(queue: Queue, *, limit: int = 10, wait: int = 20) -> list[Received]:
        nonlocal failures
        if failures < 3:
            failures += 1
            raise Throttled("slow down") if failures < 3 else KeyError("surprise")
        return await receive(queue, limit=limit, wait=wait)

    line.queues.receive = failing  # type: ignore[method-assign] # fails thrice

    async def handle(_: str) -> None:
        pass

    with capture_logs() as logs:
        consumer = line.consumer(handle, receivers=1)
        await line.run_until(consumer, lambda: line.queues.waiting(QUEUE) == 0)
    assert len([entry for entry in logs if entry["event"] == "receive_failed"]) == 3


async def test_stop__when_handlers_finish_within_the_grace__settles_them_and_takes_no_more(
    line: "Harness",
) -> None:
    line.put("m1")
    release = asyncio.Event()
    finished: list[str] = []

    async def handle(mint_id: str) -> None:
        await release.wait()
        finished.append(mint_id)

    with capture_logs() as logs:
        running = asyncio.create_task(line.consumer(handle).run(line.stop))
        await line.until(lambda: line.handled == ["m1"])
        line.stop.set()
        await line.until(lambda: "consumer_draining" in [entry["event"] for entry in logs])
        line.put("m2")
        release.set()
        await asyncio.wait_for(running, 5)
    assert (line.handled, finished) == (["m1"], ["m1"])
    assert line.queues.waiting(QUEUE) == 1


async def test_stop__when_the_grace_runs_out__cancels_and_makes_messages_visible_again(
    line: "Harness",
) -> None:
    line.put("stuck")
    cancelled = asyncio.Event()

    async def handle(_: str) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    running = asyncio.create_task(line.consumer(handle, grace=5.0).run(line.stop))
    await line.until(lambda: line.handled == ["stuck"])
    started = line.time.clock()
    line.stop.set()
    await asyncio.wait_for(running, 5)
    assert cancelled.is_set()
    assert line.time.clock() - started >= 5.0
    (again,) = await line.queues.receive(QUEUE, wait=0)
    assert again.receive_count == 2


async def test_stop__when_idle_in_a_long_poll__is_immediate(line: "Harness") -> None:
    async def handle(_: str) -> None:
        pass

    running = asyncio.create_task(line.consumer(handle).run(line.stop))
    await asyncio.sleep(0.02)
    line.stop.set()
    await asyncio.wait_for(running, 0.25)


async def test_run__when_cancelled__stops_gracefully_and_stays_cancelled(line: "Harness") -> None:
    line.put("m")
    finished: list[str] = []

    async def handle(mint_id: str) -> None:
        await asyncio.sleep(0.05)
        finished.append(mint_id)

    running = asyncio.create_task(line.consumer(handle).run(line.stop))
    await line.until(lambda: line.handled == ["m"])
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert finished == ["m"]
    assert line.queues.waiting(QUEUE) == 0


async def test_run__when_stopped_before_it_starts__takes_nothing(line: "Harness") -> None:
    line.put("m")
    line.stop.set()

    async def handle(_: str) -> None:
        pass

    await asyncio.wait_for(line.consumer(handle).run(line.stop), 1)
    assert line.handled == []
    assert line.queues.waiting(QUEUE) == 1


async def test_intake__when_handlers_are_throttled__then_shrinks_to_one_and_grows_back_as_they_succeed(
    line: "Harness",
) -> None:
    registry = CollectorRegistry()
    throttled, running, most = True, 0, 0
    line.put(*(f"m{number}" for number in range(400)))

    async def handle(_: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await line.time.sleep(1.5)
        running -= 1
        if throttled:
            raise Throttled("ThrottlingException", retry_after=1)

    def width() -> float:
        return registry.get_sample_value("mintline_intake_width", {"queue": "test"}) or 0

    consumer = line.consumer(handle, concurrency=32, max_attempts=1000, metrics=ConsumerMetrics(registry))
    task = asyncio.create_task(consumer.run(line.stop))
    await line.until(lambda: width() == 1)
    assert most == 32
    await line.until(lambda: running <= 1)
    most = 0
    before = len(line.handled)
    await line.until(lambda: len(line.handled) >= before + 5)
    assert most == 1
    throttled = False
    await line.until(lambda: width() == 32)
    line.stop.set()
    await task
