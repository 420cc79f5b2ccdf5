"""Traces of mints across the services: a port that does nothing unless a collector is set.

Spans are named for what a service does; a message's `trace` carries the W3C `traceparent` of the span that
sent it, so that the next one is its child. Work done for many mints at once links to each of them.
`mintline.otel` has the OpenTelemetry implementation, which needs the `otel` extra.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from typing import Final, Literal, Protocol, TypeAlias

from mintline.callers import IN_SPAN, SERVED
from mintline.errors import Misconfigured
from mintline.messages import Message
from mintline.queueing import SendingPort
from mintline.resources import Queue
from mintline.settings import ServiceSettings

SpanKind: TypeAlias = Literal["internal", "server", "consumer", "client"]
_NO_ATTRIBUTES: Final[Mapping[str, str | int]] = {}


class Tracer(Protocol):
    """Opens spans. Traces are named by `traceparent`s (https://www.w3.org/TR/trace-context/)."""

    def span(
        self,
        name: str,
        *,
        parent: str = "",
        kind: SpanKind = "internal",
        links: Sequence[str] = (),
        attributes: Mapping[str, str | int] = _NO_ATTRIBUTES,
    ) -> AbstractContextManager[str]:
        """Open a span for as long as the context lasts; it gives the span's own traceparent.

        Without a parent it is the child of the span that it is opened in, if there is one. What is no
        traceparent is as good as none. An empty string is given when nothing is traced.
        """

    def current(self) -> str:
        """Return the traceparent of the span that this is called in, or an empty string."""


class Untraced:
    """A Tracer that traces nothing."""

    _nothing: AbstractContextManager[str] = nullcontext("")

    def span(
        self,
        name: str,  # noqa: ARG002 - the port's
        *,
        parent: str = "",  # noqa: ARG002
        kind: SpanKind = "internal",  # noqa: ARG002
        links: Sequence[str] = (),  # noqa: ARG002
        attributes: Mapping[str, str | int] = _NO_ATTRIBUTES,  # noqa: ARG002
    ) -> AbstractContextManager[str]:
        """Open nothing."""
        return self._nothing

    def current(self) -> str:
        """Return an empty string."""
        return ""


OFF: Final = Untraced()


def calling(
    tracer: Tracer, name: str, attributes: Mapping[str, str | int] = _NO_ATTRIBUTES
) -> AbstractContextManager[object]:
    """Open a span around a call to another system, below the span whose code makes it.

    A batch's call is below its one caller's span, or linked to those of all its callers. What nobody asked
    for, such as polling a queue, is no span.
    """
    served = SERVED.get()
    if len(served) > 1:
        return tracer.span(name, kind="client", links=served, attributes=attributes)
    if served or IN_SPAN.get():
        return tracer.span(name, kind="client", parent=served[0] if served else "", attributes=attributes)
    return nullcontext()


class TracedSending:
    """A SendingPort whose messages carry the span that they were sent in."""

    def __init__(self, queues: SendingPort, tracer: Tracer) -> None:
        self._queues = queues
        self._tracer = tracer

    async def send(self, queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        """Enqueue a message under the current span, or under the trace that it has where there is none."""
        if current := self._tracer.current():
            message = message.evolve(trace=current)
        await self._queues.send(queue, message, group=group, dedup=dedup)


def carrying(queues: SendingPort, tracer: Tracer) -> SendingPort:
    """Return `queues`, with traces on their messages unless tracing is off."""
    return queues if tracer is OFF else TracedSending(queues, tracer)


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
