"""Spans of calls to AWS and to nodes: below the caller, or linked to all callers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from mintline.aws.session import AwsCalls
from mintline.batcher import Batcher
from mintline.chain.transport import Request
from mintline.errors import Unavailable
from mintline.otel import OtelTracer
from mintline.rpc_factory import TracedTransport
from mintline.span_context import MAX_LINKS
from mintline.tracing import client_span


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> OtelTracer:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return OtelTracer(provider)


def spans(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


class Client:
    """As much of an AWS client as is traced."""

    def __init__(self, error: Exception | None = None) -> None:
        self.meta = SimpleNamespace(
            service_model=SimpleNamespace(service_name="dynamodb"),
            events=SimpleNamespace(register=lambda *_: None),
        )
        self._error = error

    async def _make_api_call(self, operation: str, parameters: Any) -> Any:
        await asyncio.sleep(0)
        if self._error is not None:
            raise self._error
        return operation, parameters


def attached(tracer: OtelTracer, error: Exception | None = None) -> Client:
    calls, client = AwsCalls(), Client(error)
    calls.tracer = tracer
    calls.attach(client)
    return client


async def test_aws_call__when_made_for_a_mint__is_a_span_below_the_mints(
    tracer: OtelTracer, exporter: InMemorySpanExporter
) -> None:
    client = attached(tracer)
    with tracer.span("process build"):
        assert await client._make_api_call("PutItem", {"a": 1}) == ("PutItem", {"a": 1})

    (call,), (mint,) = spans(exporter, "dynamodb PutItem"), spans(exporter, "process build")
    assert call.parent is not None
    assert call.parent.span_id == mint.context.span_id
    assert call.kind is SpanKind.CLIENT


async def test_aws_call__when_it_fails__says_so_by_the_errors_type_alone(
    tracer: OtelTracer, exporter: InMemorySpanExporter
) -> None:
    client = attached(tracer, ValueError("a secret"))
    with tracer.span("process build"), pytest.raises(ValueError, match="a secret"):
        await client._make_api_call("PutItem", {})

    (call,) = spans(exporter, "dynamodb PutItem")
    assert call.status.status_code is StatusCode.ERROR
    assert call.status.description == "ValueError"
    assert call.events == ()


async def test_aws_call__when_nobody_asked__is_no_span(
    tracer: OtelTracer, exporter: InMemorySpanExporter
) -> None:
    await attached(tracer)._make_api_call("ReceiveMessage", {})

    assert exporter.get_finished_spans() == ()


def test_aws_client__when_tracing_is_off__is_left_as_it_is() -> None:
    client = Client()
    AwsCalls().attach(client)

    assert "_make_api_call" not in vars(client)


def flushing(tracer: OtelTracer) -> Batcher[str, str]:
    async def flush(items: Sequence[str]) -> list[str]:
        with client_span(tracer, "flush", {"items": len(items)}):
            await asyncio.sleep(0)
        return list(items)

    return Batcher(flush, max_items=2 * MAX_LINKS, linger=0.01)


async def test_batch__when_several_asked__links_to_each_of_them(
    tracer: OtelTracer, exporter: InMemorySpanExporter
) -> None:
    batcher = flushing(tracer)

    async def one(name: str) -> None:
        with tracer.span(name):
            await asyncio.gather(batcher.submit(name), batcher.submit(name))

    await asyncio.gather(one("a"), one("b"), batcher.submit("nobody's"))

    (flush,) = spans(exporter, "flush")
    assert flush.attributes == {"items": 5}
    assert flush.parent is None
    callers = {spans(exporter, name)[0].context.span_id for name in "ab"}
    assert [link.context.span_id in callers for link in flush.links] == [True, True]
    await batcher.aclose()


async def test_batch__when_one_asked__is_below_it(tracer: OtelTracer, exporter: InMemorySpanExporter) -> None:
    batcher = flushing(tracer)
    with tracer.span("a"):
        await batcher.submit("item")

    (flush,), (span,) = spans(exporter, "flush"), spans(exporter, "a")
    assert flush.parent is not None
    assert flush.parent.span_id == span.context.span_id
    assert flush.links == ()
    await batcher.aclose()


async def test_batch__when_more_asked_than_a_span_keeps_links__names_the_first(
    tracer: OtelTracer, exporter: InMemorySpanExporter
) -> None:
    batcher = flushing(tracer)

    async def one() -> None:
        with tracer.span("a"):
            await batcher.submit("item")

    await asyncio.gather(*(one() for _ in range(MAX_LINKS + 5)))

    (flush,) = spans(exporter, "flush")
    assert len(flush.links) == MAX_LINKS
    await batcher.aclose()


class Answers:
    """A transport that answers everything, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.closed = False
        self._error = error

    async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
        if self._error is not None:
            raise self._error
        return [url, *requests]

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("methods", "name"),
    [
        (("eth_call",), "eth_call"),
        (("eth_call", "eth_call"), "eth_call"),
        (("eth_call", "eth_chainId"), "several methods"),
    ],
)
async def test_exchange__when_asked_for__is_a_span_that_shows_the_host_alone(
    tracer: OtelTracer, exporter: InMemorySpanExporter, methods: tuple[str, ...], name: str
) -> None:
    transport = TracedTransport(Answers(), tracer)
    requests = [Request(method, []) for method in methods]
    with tracer.span("process build"):
        assert await transport.exchange("https://node.example/v2/SECRET", requests)

    (exchange,) = spans(exporter, name)
    assert exchange.attributes == {
        "rpc.system": "jsonrpc",
        "server.address": "node.example",
        "mintline.calls": len(methods),
    }


async def test_exchange__when_it_fails__is_a_span_that_failed(
    tracer: OtelTracer, exporter: InMemorySpanExporter
) -> None:
    answers = Answers(Unavailable("gone"))
    transport = TracedTransport(answers, tracer)
    with tracer.span("process build"), pytest.raises(Unavailable):
        await transport.exchange("https://node.example", [Request("eth_call", [])])
    await transport.aclose()

    (exchange,) = spans(exporter, "eth_call")
    assert exchange.status.description == "Unavailable"
    assert answers.closed
