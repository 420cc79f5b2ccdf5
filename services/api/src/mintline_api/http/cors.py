"""Lets pages of the deployment's other origins call the API from a browser.

Only access tokens authenticate, never cookies, so a response to another origin needs no credentials mode.
Source: the Fetch standard, section 3.3 (CORS protocol); RFC 6454 (origins).
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from mintline_api.settings import ANY_ORIGIN

ALLOWED_HEADERS = (
    "Accept, Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, "
    "Prefer, Range, Traceparent, Tracestate, Upload-Complete, Upload-Offset"
)
"""What a page may send; a test holds it to the headers that operations declare."""
EXPOSED_HEADERS = (
    "Allow, Content-Disposition, Content-Range, ETag, Idempotent-Replayed, Location, Preference-Applied, "
    "RateLimit, RateLimit-Policy, Retry-After, Traceresponse, Upload-Offset, WWW-Authenticate"
)
"""Response headers that a page may read, apart from those that CORS always exposes; held by the same test."""
_PREFLIGHT_SECONDS = 7200
"""For how long a browser may keep the response to a preflight; Chromium keeps none for longer."""


class Cors:
    """Which origins' pages may call the API."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._any = ANY_ORIGIN in origins
        self._exact = frozenset(origins)
        # An origin names no default port, which `:*` includes.
        self._any_port = frozenset(each.removesuffix(":*") for each in origins if each.endswith(":*"))

    def __bool__(self) -> bool:
        """Return whether there is any, so that responses depend on the origin."""
        return bool(self._exact)

    def allowed(self, origin: str) -> bool:
        """Return whether pages of an origin may call the API."""
        if self._any or origin in self._exact or origin in self._any_port:
            return True
        host, _, port = origin.rpartition(":")
        return port.isascii() and port.isdigit() and host in self._any_port


CORS = web.AppKey("cors", Cors)


@web.middleware
async def cors_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a preflight from an allowed origin; it carries no token (Fetch standard, 3.3.3)."""
    wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
    origin = request.headers.get(hdrs.ORIGIN)
    refused = request.match_info.http_exception
    if (
        request.method != hdrs.METH_OPTIONS
        or wanted is None
        or origin is None
        or not isinstance(refused, web.HTTPMethodNotAllowed)
        or not request.app[CORS].allowed(origin)
    ):
        return await handler(request)
    return web.Response(
        status=204,
        headers={
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: ", ".join(sorted(refused.allowed_methods)),
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: ALLOWED_HEADERS,
            hdrs.ACCESS_CONTROL_MAX_AGE: str(_PREFLIGHT_SECONDS),
        },
    )


def allow_origin(request: web.BaseRequest, cors: Cors, response: web.StreamResponse) -> None:
    """Let the page that sent a request read the response, if its origin is allowed."""
    if not cors or response.headers.get(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN) == ANY_ORIGIN:
        # Public documents: every page may read them.
        return
    _vary_by_origin(response)
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None or not cors.allowed(origin):
        return
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
    response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSED_HEADERS


def _vary_by_origin(response: web.StreamResponse) -> None:
    names = [name.strip() for name in response.headers.get(hdrs.VARY, "").split(",") if name.strip()]
    if hdrs.ORIGIN not in names:
        response.headers[hdrs.VARY] = ", ".join([*names, hdrs.ORIGIN])
