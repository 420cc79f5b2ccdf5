"""Traces of mints across the services: a port that does nothing unless a collector is set.

Spans are named for what a service does; a message's `trace` carries the W3C `traceparent` of the span that
sent it, so that the next one is its child. Work done for many mints at once links to each of them.
`mintline.otel` implements it by OpenTelemetry, which needs the `otel` extra; `mintline.tracer_factory`
chooses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Literal, Protocol, TypeAlias

from mintline.messages.parts import Message
from mintline.queue_port import SendingPort
from mintline.resource_types import Queue
from mintline.span_context import BATCHED_SPANS, CURRENT_SPAN

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
        """Open a span for as long as the context lasts; the result is its own traceparent.

        Without a parent it is the child of the span that it is opened in, if there is one. An invalid
        traceparent is ignored. The result is an empty string while nothing is traced.
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


def client_span(
    tracer: Tracer, name: str, attributes: Mapping[str, str | int] = _NO_ATTRIBUTES
) -> AbstractContextManager[object]:
    """Open a span around a call to another system, below the span whose code makes it.

    The call of a batch is below the span of its one caller, or linked to the spans of several. Calls made
    for no request, such as polling a queue, get no span.
    """
    batched = BATCHED_SPANS.get()
    if len(batched) > 1:
        return tracer.span(name, kind="client", links=batched, attributes=attributes)
    if batched or CURRENT_SPAN.get():
        return tracer.span(name, kind="client", parent=batched[0] if batched else "", attributes=attributes)
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


def with_tracing(queues: SendingPort, tracer: Tracer) -> SendingPort:
    """Return `queues`, with traces on their messages unless tracing is off."""
    return queues if tracer is OFF else TracedSending(queues, tracer)
