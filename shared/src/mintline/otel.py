"""The tracer over OpenTelemetry's SDK, and its export over OTLP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mintline.errors import Conflict, Deferred
from mintline.span_context import CURRENT_SPAN
from mintline.tracing import SpanKind

_HEADER = "traceparent"
_KINDS: Mapping[SpanKind, trace.SpanKind] = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "consumer": trace.SpanKind.CONSUMER,
    "client": trace.SpanKind.CLIENT,
}
_PROPAGATOR = TraceContextTextMapPropagator()
EXPORT_SECONDS = 5.0
"""How long one export may take, retries included: also what a stop can wait for a collector that is away."""


class OtelTracer:
    """A Tracer whose spans go to `provider`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("mintline")

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: str = "",
        kind: SpanKind = "internal",
        links: Sequence[str] = (),
        attributes: Mapping[str, str | int] = {},
    ) -> Iterator[str]:
        """Open a span; one that ends by an error says its type, and none of its text."""
        linked = (_span_context(link) for link in links)
        with self._tracer.start_as_current_span(
            name,
            context=_PROPAGATOR.extract({_HEADER: parent}) if parent else None,
            kind=_KINDS[kind],
            links=[trace.Link(context) for context in linked if context.is_valid],
            attributes=dict(attributes),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            traceparent = _traceparent(span)
            within = CURRENT_SPAN.set(traceparent)
            try:
                yield traceparent
            except (Conflict, Deferred) as error:
                # Neither is a failure: the one is a duplicate, the other waits for a known event.
                span.set_attribute("mintline.outcome", type(error).__name__)
                raise
            except BaseException as error:
                span.set_status(trace.StatusCode.ERROR, type(error).__name__)
                raise
            finally:
                CURRENT_SPAN.reset(within)

    def current(self) -> str:
        span = trace.get_current_span()
        return _traceparent(span) if span.get_span_context().is_valid else ""


def exporting(service: str, endpoint: str) -> TracerProvider:
    """Return a provider that sends its spans to the collector at `endpoint`, in the background.

    `endpoint` is OTLP/HTTP's base URL, such as http://localhost:4318; sampling follows the SDK's own
    `OTEL_TRACES_SAMPLER`, which samples everything by default.
    """
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: f"mintline-{service}"}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter, export_timeout_millis=EXPORT_SECONDS * 1000))
    return provider


def _traceparent(span: trace.Span) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _span_context(traceparent: str) -> trace.SpanContext:
    return trace.get_current_span(_PROPAGATOR.extract({_HEADER: traceparent})).get_span_context()
