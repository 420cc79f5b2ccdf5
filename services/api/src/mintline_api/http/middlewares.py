"""What happens around every handler: its trace, its line in the log, its problems."""

from __future__ import annotations

import math
import re
import time

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from structlog.contextvars import bound_contextvars

from mintline.aws.errors import AwsRefused
from mintline.errors import Misconfigured, Retryable, Throttled, Unusable
from mintline.gateway import REQUEST_HEADER
from mintline.tracebacks import digest_of_traceback, frames
from mintline_api.http.context import DEADLINE, GATE, HEADERS, HTTP, METRICS, PROBLEM, SUB, TRACER
from mintline_api.http.cors import CORS, allow_origin
from mintline_api.http.deadlines import Deadline
from mintline_api.http.problems import (
    BAD_HTTP,
    BODY_TOO_LARGE,
    DEADLINE_PASSED,
    INTERNAL,
    METHOD_NOT_ALLOWED,
    RECORD_UNUSABLE,
    UNAVAILABLE,
    UNKNOWN_ROUTE,
    RequestRefused,
)
from mintline_api.http.protocol import explain_refusal
from mintline_api.http.responses import SAFE_HEADERS, problem_response
from mintline_api.http.tracing import TRACE, Trace, trace_in, trace_of
from mintline_api.settings import LARGEST_BODY

log = structlog.get_logger()

_GATEWAY_ID = re.compile(r"[A-Za-z0-9+/=_-]{1,64}")
_LATE_SECONDS = 5
"""When to come again after a request that took too long."""
_REPAIR_SECONDS = 30
"""When to come again after a refusal that takes an operator to repair."""


@web.middleware
async def logging_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its trace, and write one line about it that holds no token, query or body."""
    route = _route(request)
    header = request.headers.get("traceparent")
    with request.app[TRACER].span(
        f"{request.method} {route}",
        parent=header or "",
        kind="server",
        attributes={"http.request.method": request.method, "http.route": route},
    ) as own:
        # With tracing off there are ids all the same: the logs and the messages carry them.
        trace = trace_in(own) if own else trace_of(header, entropy=request.app[HTTP].entropy)
        request[TRACE] = trace
        response = await _measured(request, handler, route, trace)
    response.headers["Traceresponse"] = trace.traceparent()
    return response


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


async def _measured(request: web.Request, handler: Handler, route: str, trace: Trace) -> web.StreamResponse:
    started = time.perf_counter()
    status = 499
    with bound_contextvars(trace=trace.trace_id):
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            seconds = time.perf_counter() - started
            request.app[METRICS].requests.labels(request.method, route, status).observe(seconds)
            log.info(
                "http_request",
                method=request.method,
                route=route,
                status=status,
                ms=round(seconds * 1000, 2),
                **_known(request),
            )


def _known(request: web.Request) -> dict[str, str]:
    """Return what is known of who asked, why it was refused, and the id in API Gateway's access log."""
    fields = {"sub": request.get(SUB), "problem": request.get(PROBLEM)}
    given = request.headers.get(REQUEST_HEADER, "")
    fields["gateway"] = given if _GATEWAY_ID.fullmatch(given) else None
    return {name: value for name, value in fields.items() if value is not None}


@web.middleware
async def error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into a problem document; an unforeseen one says nothing of its cause."""
    try:
        return await handler(request)
    except RequestRefused as refused:
        return problem_response(
            request, refused.kind, refused.detail, faults=refused.faults, headers=refused.headers
        )
    except (AwsRefused, Misconfigured) as error:
        # Neither heals without an operator.
        log.error("dependency_refused", reason=f"{type(error).__name__}: {error}")  # noqa: TRY400
        return _unavailable(request, _REPAIR_SECONDS)
    except (Retryable, Unusable) as error:
        return _later(request, error)
    except web.HTTPException as error:
        return _http_problem(request, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
        # No text of the error: it may quote the request, or a record.
        kind, digest = type(error).__name__, digest_of_traceback(error)
        log.error("request_failed", error=kind, digest=digest, frames=frames(error))  # noqa: TRY400 - as above
        return problem_response(request, INTERNAL, "An unexpected error occurred.")


@web.middleware
async def deadline_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every request by its deadline, whatever hangs."""
    deadline = request[DEADLINE] = Deadline(request.app[HTTP].request_seconds)
    try:
        async with deadline.limit:
            return await handler(request)
    except TimeoutError:
        if not deadline.limit.expired():
            raise
        log.error("request_timed_out", route=_route(request))  # noqa: TRY400 - its traceback tells nothing
        detail = "The request took too long and was stopped. It may have taken effect."
        headers = {"Retry-After": str(_LATE_SECONDS)}
        raise RequestRefused(DEADLINE_PASSED, detail, headers=headers) from None


@web.middleware
async def admission_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a bounded number of requests in, fewer while AWS asks for fewer of ours."""
    if not request.path.startswith("/v1/"):
        return await handler(request)
    gate = request.app[GATE]
    async with gate.entered():
        try:
            response = await handler(request)
        except Throttled:
            gate.limit.throttled()
            raise
        gate.limit.done()
        return response


def _later(request: web.Request, error: Retryable | Unusable) -> web.StreamResponse:
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, Retryable):
        log.warning("dependency_unavailable", reason=reason)
        return _unavailable(request, max(1, math.ceil(error.retry_after or 1)))
    log.error("record_unusable", reason=reason)
    detail = "A stored record that the request needs cannot be used until an operator repairs it."
    return problem_response(request, RECORD_UNUSABLE, detail, headers={"Retry-After": str(_REPAIR_SECONDS)})


def _unavailable(request: web.Request, seconds: int) -> web.StreamResponse:
    detail = "A service that the request needs does not respond."
    return problem_response(request, UNAVAILABLE, detail, headers={"Retry-After": str(seconds)})


def _http_problem(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return problem_response(
            request, METHOD_NOT_ALLOWED, f"This path allows only {allowed}.", headers={"Allow": allowed}
        )
    if error.status == web.HTTPNotFound.status_code:
        return problem_response(request, UNKNOWN_ROUTE, "Path not found: /docs lists the operations.")
    if error.status == web.HTTPRequestEntityTooLarge.status_code:
        return problem_response(request, BODY_TOO_LARGE, f"The body has more than {LARGEST_BODY} bytes.")
    return problem_response(request, BAD_HTTP, error.reason)


async def set_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that every answer carries, and say nothing of what serves it."""
    explain_refusal(request.app, response)
    allow_origin(request, request.app[CORS], response)
    if HEADERS in request:
        response.headers.update(request[HEADERS])
    for name, value in SAFE_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.popall("Server", None)
