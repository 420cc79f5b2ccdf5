"""Messages of a type or version that only another release knows: they wait for a copy that does."""

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mintline import acknowledgement
from mintline import consumer as consumer_module
from mintline.consumer import ConsumerMetrics
from mintline.messages.codec import AnyMessage, decode
from mintline.messages.work import BuildMint
from mintline.resource_types import Queue

if TYPE_CHECKING:
    from tests.unit.consumer.conftest import Harness

QUEUE = Queue("test", senders=("a",), receiver="b", visibility_timeout=30, max_receives=1000)
NEXT = '{"type":"build_drop","version":1,"drop_id":"SECRET"}'
NEXT_VERSION = '{"type":"build_mint","version":2,"mint_id":"SECRET"}'


async def nothing(_: str) -> None:
    pass


@pytest.mark.parametrize("body", [NEXT, NEXT_VERSION])
async def test_message__when_another_release_knows_it__then_waits_for_a_copy_of_that(
    line: "Harness", monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    line.queues.put(QUEUE, body, group="a", dedup="d")
    line.put("b", group="b")
    received = 0

    def upgraded_after_three(text: str) -> AnyMessage:
        nonlocal received
        received += text == body
        return BuildMint(mint_id="a") if text == body and received > 3 else decode(text)

    monkeypatch.setattr(consumer_module, "decode", upgraded_after_three)
    registry = CollectorRegistry()
    with capture_logs() as logs:
        await line.run_until(
            line.consumer(nothing, max_attempts=2, metrics=ConsumerMetrics(registry)),
            lambda: line.queues.waiting(QUEUE) == 0,
        )
    assert line.handled == ["b", "a"]
    assert line.queues.dead_letters(QUEUE) == []
    labels = {"queue": "test", "outcome": "unsupported"}
    assert registry.get_sample_value("mintline_messages_total", labels) == 3
    entries = [entry for entry in logs if entry["event"] == "message_unsupported"]
    assert len(entries) == 3
    assert "SECRET" not in str(logs)


@pytest.mark.parametrize(
    ("body", "unknown"), [(NEXT, "type build_drop"), (NEXT_VERSION, "version 2")], ids=["type", "version"]
)
async def test_message__when_no_copy_knows_it_for_long__then_is_dead_lettered_with_the_reason(
    line: "Harness", monkeypatch: pytest.MonkeyPatch, body: str, unknown: str
) -> None:
    monkeypatch.setattr(acknowledgement, "UNSUPPORTED_SECONDS", 10.0)
    line.queues.put(QUEUE, body, group="a", dedup="d")
    began = line.time.clock()
    registry = CollectorRegistry()
    consumer = line.consumer(nothing, metrics=ConsumerMetrics(registry))
    await line.run_until(consumer, lambda: line.queues.waiting(QUEUE) == 0)
    assert line.time.clock() - began >= 10
    (dead,) = line.queues.dead_letters(QUEUE)
    assert (dead.body, dead.code) == (body, "message_unsupported")
    assert dead.reason.startswith(
        f"this release does not know messages of {unknown}, nor does any other copy"
    )
    labels = {"queue": "test", "outcome": "exhausted"}
    assert registry.get_sample_value("mintline_messages_total", labels) == 1


async def test_message__when_it_was_deferred_for_long_before__then_waits_for_an_upgraded_copy_all_the_same(
    line: "Harness", monkeypatch: pytest.MonkeyPatch
) -> None:
    line.queues.put(QUEUE, NEXT, group="a", dedup="d")
    stored = line.queues._line(QUEUE).messages[0]
    stored.sent_at -= 86_400
    stored.receive_count = QUEUE.max_receives - 51

    def upgraded(text: str) -> AnyMessage:
        count = line.queues._line(QUEUE).messages[0].receive_count
        return BuildMint(mint_id="a") if 1 <= count < 10 else decode(text)

    monkeypatch.setattr(consumer_module, "decode", upgraded)
    await line.run_until(line.consumer(nothing), lambda: line.queues.waiting(QUEUE) == 0)
    assert line.handled == ["a"]
    assert line.queues.dead_letters(QUEUE) == []
