from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from mintline.errors import Deferred, MintlineError, Rejected
from mintline.messages.codec import decode
from mintline.messages.work import BuildMint
from mintline.otel import OtelTracer
from mintline.resources import BUILD
from mintline.settings import ServiceSettings
from mintline.tracer_factory import open_tracer
from mintline.tracing import OFF, with_tracing
from mintline_testkit.queues import MemoryQueues

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = PARENT.removesuffix("01") + "00"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> OtelTracer:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return OtelTracer(provider)


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


@pytest.mark.parametrize("parent", ["", "trace-of-mint", "00-0-0-0", PARENT.replace("00-", "ff-", 1)])
def test_span__when_its_parent_is_no_traceparent__begins_a_trace(
    parent: str, tracer: OtelTracer, exporter: InMemorySpanExporter
) -> None:
    with tracer.span("work", parent=parent, links=[parent]) as own:
        assert tracer.current() == own
    assert only(exporter).parent is None
    assert only(exporter).links == ()


def test_span__when_the_client_does_not_sample__is_not_exported_but_carried_on(
    tracer: OtelTracer, exporter: InMemorySpanExporter
) -> None:
    with tracer.span("work", parent=UNSAMPLED) as own:
        assert own.startswith(UNSAMPLED[:36])
        assert own.endswith("-00")
    assert exporter.get_finished_spans() == ()


def test_span__when_it_fails__says_the_errors_type_and_nothing_of_its_text(
    tracer: OtelTracer, exporter: InMemorySpanExporter
) -> None:
    with pytest.raises(Rejected), tracer.span("work"):
        raise Rejected("code", "a secret reason")
    span = only(exporter)
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "Rejected")
    assert "secret" not in span.to_json()


def test_span__when_its_work_is_deferred__is_no_failure(
    tracer: OtelTracer, exporter: InMemorySpanExporter
) -> None:
    with pytest.raises(MintlineError), tracer.span("work"):
        raise Deferred("later", retry_after=1)
    span = only(exporter)
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes == {"mintline.outcome": "Deferred"}


async def test_sending__when_it_happens_in_a_span__puts_that_on_the_message(tracer: OtelTracer) -> None:
    queues = MemoryQueues()
    outbox = with_tracing(queues, tracer)
    with tracer.span("work", parent=PARENT) as own:
        await outbox.send(BUILD, BuildMint(mint_id="m", trace=PARENT), group="a", dedup="1")
    await outbox.send(BUILD, BuildMint(mint_id="m", trace=PARENT), group="b", dedup="2")
    inside, outside = await queues.receive(BUILD, wait=0)
    assert [decode(inside.body).trace, decode(outside.body).trace] == [own, PARENT]


async def test_current__when_tasks_run_at_once__is_each_ones_own(tracer: OtelTracer) -> None:
    async def work(name: str) -> bool:
        with tracer.span(name) as own:
            await asyncio.sleep(0)
            return tracer.current() == own

    assert list(await asyncio.gather(work("a"), work("b"))) == [True, True]
    assert tracer.current() == ""


async def test_tracer__when_no_collector_is_set__is_off_and_changes_nothing() -> None:
    queues = MemoryQueues()
    async with AsyncExitStack() as stack:
        tracer = open_tracer(stack, "builder", ServiceSettings())
    assert tracer is OFF
    assert with_tracing(queues, tracer) is queues
    with tracer.span("work", parent=PARENT) as own:
        assert (own, tracer.current()) == ("", "")


@pytest.mark.slow
def test_services__when_they_are_imported__do_not_load_opentelemetry() -> None:
    modules = "mintline_api mintline_builder mintline_signer.host mintline_broadcaster mintline_indexer"
    code = "; ".join(
        [
            "import sys, importlib",
            f"[importlib.import_module(m + '.service') for m in {modules!r}.split()]",
            "sys.exit('opentelemetry' in sys.modules)",
        ]
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_tracer__when_the_extra_is_missing__names_the_setting_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "mintline.otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    async with AsyncExitStack() as stack:
        with pytest.raises(MintlineError, match="MINTLINE_OTLP_ENDPOINT is set, but opentelemetry is not"):
            open_tracer(stack, "builder", ServiceSettings(otlp_endpoint="http://127.0.0.1:4318"))
