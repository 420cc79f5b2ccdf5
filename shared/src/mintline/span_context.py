"""The spans that running code belongs to: its own, and those that a batch is sent for, by their traceparents.

Plain context variables: their cost cannot be measured while tracing is off.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Final

CURRENT_SPAN: Final[ContextVar[str]] = ContextVar("mintline_current_span", default="")
"""The span that the running code is in; empty outside of spans."""
BATCHED_SPANS: Final[ContextVar[tuple[str, ...]]] = ContextVar("mintline_batched_spans", default=())
"""The spans whose requests are in the batch that is being sent."""

MAX_LINKS = 128
"""Spans that one batch links to: as many as OpenTelemetry keeps per span."""


def link_spans(spans: Iterable[str]) -> None:
    """Set the spans that the running task works for: each once, in the order given."""
    BATCHED_SPANS.set(tuple(dict.fromkeys(span for span in spans if span))[:MAX_LINKS])
