"""The HTTP server under the application, whose own refusals are problem documents too.

Invariant: neither the response to a malformed request nor the log quotes any of it; it may hold a token.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestHandler

from mintline_api.http.context import HTTP
from mintline_api.http.problems import (
    BAD_HTTP,
    EXPECTATION_FAILED,
    INTERNAL,
    MEDIA_TYPE,
    ProblemType,
    body_of,
)
from mintline_api.http.responses import SAFE_HEADERS
from mintline_api.http.tracing import trace_of
from mintline_api.settings import HEADER_BYTES

log = structlog.get_logger()

_DETAILS = {
    BAD_HTTP: "The request breaks HTTP's syntax (RFC 9112), or its head is larger than this server takes.",
    EXPECTATION_FAILED: "`Expect` may be `100-continue` only.",
    INTERNAL: "An unexpected error occurred.",
}


def runner_of(app: web.Application, *, shutdown_timeout: float) -> web.AppRunner:
    """Return what serves an application; `shutdown_timeout` (seconds) is for requests under way.

    Bodies come as they were sent: `read_body` undoes the content codings that it knows.
    """
    return web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=shutdown_timeout,
        max_field_size=HEADER_BYTES,
        keepalive_timeout=75,
        auto_decompress=False,
    )


def protocols(app: web.Application, server: web.Server) -> Callable[[], RequestHandler]:
    """Return what makes the protocol of a new connection."""
    return lambda: _Protocol(app, server)


class _Protocol(RequestHandler):
    """aiohttp's protocol with error pages of ours."""

    def __init__(self, app: web.Application, server: web.Server) -> None:
        super().__init__(server, loop=server._loop, **server._kwargs)  # noqa: SLF001 - as the server does itself
        self._app = app

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the request
    ) -> web.StreamResponse:
        """Return the problem of a request that could not be read, or whose handling broke."""
        kind = BAD_HTTP if status == HTTPStatus.BAD_REQUEST else INTERNAL
        log.warning("http_refused", status=kind.status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the response is under way, and no other can be sent")
        response = web.Response(
            status=kind.status, body=_body(self._app, kind), content_type=MEDIA_TYPE, headers=SAFE_HEADERS
        )
        response.force_close()
        return response


def explain_refusal(app: web.Application, response: web.StreamResponse) -> None:
    """Turn aiohttp's answer to a bogus `Expect`, which no middleware sees, into a problem document."""
    if isinstance(response, web.HTTPExpectationFailed):
        body = response.body = _body(app, EXPECTATION_FAILED)
        response.headers[hdrs.CONTENT_LENGTH] = str(len(body))
        response.content_type = MEDIA_TYPE
        response.charset = None


def _body(app: web.Application, kind: ProblemType) -> bytes:
    http = app[HTTP]
    trace = trace_of(None, entropy=http.entropy).trace_id
    return body_of(kind, _DETAILS[kind], public_url=http.public_url, instance="", trace=trace)
