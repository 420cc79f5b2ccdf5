"""Opens the tracer that a service's settings ask for."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from mintline.errors import Misconfigured
from mintline.settings import ServiceSettings
from mintline.tracing import OFF, Tracer


def open_tracer(stack: AsyncExitStack, service: str, settings: ServiceSettings) -> Tracer:
    """Return the tracer that the settings ask for; `stack` sends what is left when it closes.

    Nothing of OpenTelemetry is even imported while `otlp_endpoint` is not set. Raises Misconfigured when it
    is set and the `otel` extra is not installed.
    """
    if settings.otlp_endpoint is None:
        return OFF
    try:
        from mintline.otel import OtelTracer, exporting  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise Misconfigured(
            f"settings: MINTLINE_OTLP_ENDPOINT is set, but {error.name} is not installed (extra `otel`)"
        ) from None
    provider = exporting(service, settings.otlp_endpoint)

    async def finish() -> None:
        await asyncio.to_thread(provider.shutdown)

    stack.push_async_callback(finish)
    return OtelTracer(provider)
