"""Spans on their way to a collector, over a real socket."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mintline.settings import ServiceSettings
from mintline.tracer_factory import open_tracer

pytestmark = pytest.mark.integration


class Collector:
    """An OTLP/HTTP collector that keeps what it is sent."""

    def __init__(self) -> None:
        self.url = ""
        self.exports: list[ExportTraceServiceRequest] = []

    async def take(self, request: web.Request) -> web.Response:
        self.exports.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response(content_type="application/x-protobuf")


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield collector
    await runner.cleanup()


async def test_spans__when_the_service_stops__have_all_reached_the_collector(collector: Collector) -> None:
    async with AsyncExitStack() as stack:
        tracer = open_tracer(stack, "builder", ServiceSettings(otlp_endpoint=collector.url + "/"))
        for _ in range(3):
            with tracer.span("process build", kind="consumer", attributes={"mintline.mint_id": "mint_A"}):
                await asyncio.sleep(0)
    resources = [resource for export in collector.exports for resource in export.resource_spans]
    names = {
        attribute.value.string_value
        for resource in resources
        for attribute in resource.resource.attributes
        if attribute.key == "service.name"
    }
    spans = [span for resource in resources for scope in resource.scope_spans for span in scope.spans]
    assert names == {"mintline-builder"}
    assert [span.name for span in spans] == ["process build"] * 3


async def test_stop__when_the_collector_is_away__takes_no_longer_than_one_export(
    unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    with caplog.at_level(logging.CRITICAL):
        async with AsyncExitStack() as stack:
            settings = ServiceSettings(otlp_endpoint=f"http://127.0.0.1:{unused_tcp_port}")
            tracer = open_tracer(stack, "builder", settings)
            with tracer.span("process build"):
                pass
    assert time.monotonic() - started < 8
