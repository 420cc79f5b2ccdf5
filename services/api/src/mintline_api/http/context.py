"""What every request handler reaches, whatever the feature: keys of the application and of a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from mintline.scopes import Scope
from mintline.tracing import Tracer
from mintline_api.http.cursors import Cursors
from mintline_api.http.deadlines import Deadline
from mintline_api.http.gate import Gate
from mintline_api.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpContext:
    """What HTTP itself needs; `now` returns Unix milliseconds, `entropy` random bytes."""

    public_url: str
    request_seconds: float
    cursors: Cursors
    now: Callable[[], int]
    entropy: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is made once, at start."""

    body: bytes
    etag: str
    headers: Mapping[str, str]


HTTP = web.AppKey("http", HttpContext)
TRACER: web.AppKey[Tracer] = web.AppKey("tracer")
METRICS = web.AppKey("metrics", Metrics)
GATE = web.AppKey("gate", Gate)
OPENAPI = web.AppKey("openapi", Document)
SCOPE = web.RequestKey("scope", Scope)
"""The scope that a request's operation takes."""
FOR_CLIENTS = web.RequestKey("for_clients", bool)
"""Whether machine clients may call it too."""
SUB = web.RequestKey("sub", str)
"""Who sent a request, once their token was verified: at most 128 characters."""
PROBLEM = web.RequestKey("problem", str)
"""The slug of the problem that a request was refused with."""
DEADLINE: web.RequestKey[Deadline] = web.RequestKey("deadline", Deadline)
HEADERS: web.RequestKey[dict[str, str]] = web.RequestKey("headers", dict)
"""More headers of the response, even if it is a problem document."""
