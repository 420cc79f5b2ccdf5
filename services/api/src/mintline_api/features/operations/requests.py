"""Reads requests for operations of any kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel

from mintline_api.auth.callers import AUTHORIZATIONS, read_caller
from mintline_api.features.operations.entrance import ENTRANCE
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.ports import OperationT
from mintline_api.features.operations.use_cases import Accepted, Submission
from mintline_api.http.context import DEADLINE, GATE, HTTP
from mintline_api.http.models import NoQuery
from mintline_api.http.requests import read_body, read_idempotency_key, read_query
from mintline_api.http.tracing import TRACE

RequestT = TypeVar("RequestT", bound=BaseModel)


async def read_submission(request: web.Request, model: type[RequestT]) -> Submission[RequestT]:
    """Return a caller's request for an operation; raises RequestRefused for what is wrong with it."""
    return await _submission(request, lambda: read_body(request, model))


async def read_bodiless_submission(request: web.Request, requested: RequestT) -> Submission[RequestT]:
    """Return a caller's request for an operation without a body; raises RequestRefused if it is invalid."""

    async def named() -> RequestT:
        return requested

    return await _submission(request, named)


async def _submission(request: web.Request, read: Callable[[], Awaitable[RequestT]]) -> Submission[RequestT]:
    caller = await read_caller(request)
    read_query(request, NoQuery)
    key = read_idempotency_key(request)
    body = await read()
    await request.app[ENTRANCE].wait()
    return Submission(
        request=body,
        sub=caller.sub,
        client_id=caller.client_id,
        key=key,
        trace=request[TRACE].traceparent(),
        authorize=await request.app[AUTHORIZATIONS].by(caller.token),
        now=request.app[HTTP].now(),
    )


def accepted_headers(accepted: Accepted[OperationT], collection: str) -> dict[str, str]:
    """Return the headers of an accepted operation, which lies below the path `collection`."""
    headers = {"Location": f"{collection}/{accepted.operation.operation_id}"}
    if accepted.replayed:
        headers["Idempotent-Replayed"] = "true"
    return headers


def nudges_of(request: web.Request) -> Nudges:
    """Return what sends a request's messages, by its deadline."""
    return Nudges(left=request[DEADLINE].left, throttled=request.app[GATE].limit.throttled)
