"""What becomes of a message, by what its handler does."""

import asyncio
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mintline.consumer import ConsumerMetrics
from mintline.errors import Conflict, Deferred, Rejected, Unavailable
from mintline.queue_port import Received

if TYPE_CHECKING:
    from tests.unit.consumer.conftest import Harness

from mintline.resource_types import Queue

QUEUE = Queue("test", senders=("a",), receiver="b", visibility_timeout=30, max_receives=1000)


async def test_message__when_handled__is_deleted(line: "Harness") -> None:
    line.put("a", "b", "c")

    async def handle(_: str) -> None:
        pass

    await line.run_until(line.consumer(handle), lambda: line.queues.waiting(QUEUE) == 0)
    assert sorted(line.handled) == ["a", "b", "c"]
    assert line.queues.dead_letters(QUEUE) == []


async def test_message__when_someone_was_first__is_dropped_in_silence(line: "Harness") -> None:
    line.put("a")

    async def handle(_: str) -> None:
        raise Conflict("moved on")

    with capture_logs() as logs:
        await line.run_until(line.consumer(handle), lambda: line.queues.waiting(QUEUE) == 0)
    assert line.queues.dead_letters(QUEUE) == []
    assert [entry for entry in logs if entry["log_level"] in ("warning", "error")] == []


async def test_message__when_its_handler_hangs__then_is_cancelled_and_comes_back(line: "Harness") -> None:
    line.put("a")
    cancelled: list[str] = []

    async def handle(mint_id: str) -> None:
        if len(line.handled) == 1:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(mint_id)

    metrics = ConsumerMetrics(registry := CollectorRegistry())
    consumer = line.consumer(handle, deadline=0.05, metrics=metrics)
    with capture_logs() as logs:
        await line.run_until(consumer, lambda: line.queues.waiting(QUEUE) == 0)
    assert (line.handled, cancelled) == (["a", "a"], ["a"])
    assert [entry["error"] for entry in logs if entry["event"] == "message_refused"] == [
        "the handler did not end within 0.05 seconds"
    ]
    labels = {"queue": "test", "outcome": "retried"}
    assert registry.get_sample_value("mintline_messages_total", labels) == 1


async def test_message__when_its_handler_times_out_by_itself__then_that_is_a_failure(line: "Harness") -> None:
    line.put("a")

    async def handle(_: str) -> None:
        if len(line.handled) == 1:
            raise TimeoutError

    with capture_logs() as logs:
        await line.run_until(line.consumer(handle), lambda: line.queues.waiting(QUEUE) == 0)
    assert [entry["error"] for entry in logs if entry["event"] == "handler_failed"] == ["TimeoutError"]


async def test_message__when_deferred_more_often_than_attempts__is_never_dead_lettered(
    line: "Harness",
) -> None:
    line.put("a")

    async def handle(_: str) -> None:
        if len(line.handled) <= 8:
            raise Deferred("waiting for a top-up", retry_after=1)

    await line.run_until(line.consumer(handle, max_attempts=3), lambda: line.queues.waiting(QUEUE) == 0)
    assert len(line.handled) == 9
    assert line.queues.dead_letters(QUEUE) == []


async def test_message__when_deferred_and_failing_by_turns__counts_only_failures(line: "Harness") -> None:
    line.put("a")

    async def handle(_: str) -> None:
        if len(line.handled) > 8:
            return
        if len(line.handled) % 4 == 0:
            raise Unavailable("node down", retry_after=1)
        raise Deferred("waiting", retry_after=1)

    await line.run_until(line.consumer(handle, max_attempts=3), lambda: line.queues.waiting(QUEUE) == 0)
    assert line.queues.dead_letters(QUEUE) == []


async def test_message__when_the_queue_itself_would_give_up__is_replaced_by_a_copy(line: "Harness") -> None:
    line.put("a")
    (line.queues._line(QUEUE).messages[0]).receive_count = QUEUE.max_receives - 51

    async def handle(_: str) -> None:
        if len(line.handled) < 3:
            raise Deferred("waiting", retry_after=1)

    counts: list[int] = []
    receive = line.queues.receive

    async def spying(queue: Queue, *, limit: int = 10, wait: int = 20) -> list[Received]:
        batch = await receive(queue, limit=limit, wait=wait)
        counts.extend(received.receive_count for received in batch)
        return batch

    line.queues.receive = spying  # type: ignore[method-assign] # to see what is received
    await line.run_until(line.consumer(handle), lambda: line.queues.waiting(QUEUE) == 0)
    assert counts == [QUEUE.max_receives - 50, 1, 2]


async def test_message__when_it_fails_for_a_while__comes_back_until_it_succeeds(line: "Harness") -> None:
    line.put("a")

    async def handle(_: str) -> None:
        if len(line.handled) < 4:
            raise Unavailable("node down")

    started = line.time.clock()
    await line.run_until(line.consumer(handle), lambda: line.queues.waiting(QUEUE) == 0)
    assert len(line.handled) == 4
    assert line.time.clock() - started >= 1 + 2 + 4


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Unavailable("node down", retry_after=1), "node down"), (KeyError("secret"), "KeyError")],
)
async def test_message__when_attempts_run_out__is_dead_lettered_with_the_last_reason(
    line: "Harness", error: Exception, reason: str
) -> None:
    line.put("a")

    async def handle(_: str) -> None:
        raise error

    consumer = line.consumer(handle, max_attempts=3)
    await line.run_until(consumer, lambda: line.queues.waiting(QUEUE) == 0)
    assert len(line.handled) == 3
    (dead,) = line.queues.dead_letters(QUEUE)
    assert (dead.code, dead.reason) == ("attempts_exhausted", reason)
    assert dead.digest is not None
    assert len(dead.digest) == 16


async def test_message__when_rejected__is_dead_lettered_at_once_with_code_and_reason(line: "Harness") -> None:
    line.put("a")

    async def handle(_: str) -> None:
        raise Rejected("no_such_mint", "There is no such mint.")

    await line.run_until(line.consumer(handle), lambda: line.queues.waiting(QUEUE) == 0)
    (dead,) = line.queues.dead_letters(QUEUE)
    assert (dead.code, dead.reason) == ("no_such_mint", "There is no such mint.")
    assert line.handled == ["a"]


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '{"type":"build_mint"}', '{"type":"Non sense","mint_id":"SECRET"}']
)
async def test_message__when_it_is_no_message__is_dead_lettered_unhandled_and_unquoted(
    line: "Harness", body: str
) -> None:
    line.queues.put(QUEUE, body, group="g", dedup="d")
    line.put("good")

    async def handle(_: str) -> None:
        pass

    with capture_logs() as logs:
        await line.run_until(line.consumer(handle), lambda: line.queues.waiting(QUEUE) == 0)
    (dead,) = line.queues.dead_letters(QUEUE)
    assert (dead.body, dead.code) == (body, "undecodable")
    assert line.handled == ["good"]
    assert "SECRET" not in dead.reason + str(logs)


async def test_message__when_its_handler_fails__is_logged_without_its_content(
    line: "Harness",
) -> None:
    line.put("SECRET")

    async def handle(mint_id: str) -> None:
        if len(line.handled) == 1:
            raise ValueError(f"cannot parse {mint_id}")

    with capture_logs() as logs:
        await line.run_until(line.consumer(handle), lambda: line.queues.waiting(QUEUE) == 0)
    (failure,) = [entry for entry in logs if entry["event"] == "handler_failed"]
    assert failure["error"] == "ValueError"
    assert any("test_consumer_outcomes.py" in frame for frame in failure["frames"])
    assert "cannot parse" not in str(logs)


async def test_metrics__when_messages_end_differently__count_each_outcome(line: "Harness") -> None:
    line.put("done", "duplicate", "rejected")
    registry = CollectorRegistry()

    async def handle(mint_id: str) -> None:
        if mint_id == "duplicate":
            raise Conflict("moved on")
        if mint_id == "rejected":
            raise Rejected("no", "No.")

    consumer = line.consumer(handle, metrics=ConsumerMetrics(registry))
    await line.run_until(consumer, lambda: line.queues.waiting(QUEUE) == 0)
    for outcome in ("done", "duplicate", "rejected"):
        labels = {"queue": "test", "outcome": outcome}
        assert registry.get_sample_value("mintline_messages_total", labels) == 1
    assert registry.get_sample_value("mintline_handler_seconds_count", {"queue": "test"}) == 3
