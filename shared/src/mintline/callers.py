"""On whose behalf work is done: the spans whose callers a batch serves, named by their traceparents.

Plain context variables, which cost nothing that could be measured while nothing is traced.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Final

IN_SPAN: Final[ContextVar[str]] = ContextVar("mintline_in_span", default="")
"""The span that the running code is in; empty outside of any."""
SERVED: Final[ContextVar[tuple[str, ...]]] = ContextVar("mintline_served", default=())
"""The spans that a batch is flushed for."""

MOST = 128
"""Callers that one batch names: as many links as OpenTelemetry keeps of a span."""


def serve(callers: Iterable[str]) -> None:
    """Say for whom the running task works: for each caller once, in the order of their coming."""
    SERVED.set(tuple(dict.fromkeys(caller for caller in callers if caller))[:MOST])
