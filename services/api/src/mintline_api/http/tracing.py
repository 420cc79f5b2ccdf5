"""W3C Trace Context: one id from the client's request to the chain."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace that a request belongs to, and our own span in it."""

    trace_id: str
    span_id: str
    flags: str

    def traceparent(self) -> str:
        """Return the header by which our span is the parent of what follows."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def trace_in(own: str) -> Trace:
    """Return the trace of a span that has begun, given its traceparent."""
    _, trace_id, span_id, flags = own.split("-")
    return Trace(trace_id, span_id, flags)


TRACE = web.RequestKey("trace", Trace)


def trace_of(traceparent: str | None, *, entropy: Callable[[int], bytes]) -> Trace:
    """Return a new span in the client's trace; in a trace of its own if the header is absent or malformed."""
    random = entropy(24).hex()
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match is None or set(match[1]) == {"0"} or set(match[2]) == {"0"}:
        return Trace(trace_id=random[:32], span_id=random[32:], flags="01")
    return Trace(trace_id=match[1], span_id=random[32:], flags=match[3])
