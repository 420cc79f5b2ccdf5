"""Operations on event logs."""

from __future__ import annotations

from aiohttp import hdrs, web

from mintline.events import EVENT_TYPES
from mintline.scopes import Scope
from mintline_api.auth.callers import read_caller, require_scope
from mintline_api.features.events import examples
from mintline_api.features.events.models import EventList, EventsQuery, event_list
from mintline_api.features.events.positions import BEYOND, check_within
from mintline_api.features.events.problems import TOO_MANY_STREAMS
from mintline_api.features.events.streams import EventStreams
from mintline_api.http.context import DEADLINE, GATE
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import INVALID_PARAMETER, Fault, RequestRefused
from mintline_api.http.requests import read_query
from mintline_api.http.responses import json_response

STREAMS = web.AppKey("event_streams", EventStreams)
EVENT_STREAM = "text/event-stream"
LAST_EVENT_ID = "Last-Event-ID"
operations = Operations("Events", "What happened to what is yours, in order.", reads=Scope.MINTS_READ)


@operations.add(
    "GET",
    "/v1/events",
    summary="Events",
    description="The caller's log, oldest event first. With `Accept: text/event-stream` the answer goes on: "
    "each event comes as it happens, after `Last-Event-ID` or `after`, or from now on.",
    clients=True,
    query_model=EventsQuery,
    answers=(Answer(200, "Part of the log.", EventList, examples.EVENTS),),
    problems=(INVALID_PARAMETER, TOO_MANY_STREAMS),
)
async def list_events(request: web.Request) -> web.StreamResponse:
    """Return part of a log, or its events as they come."""
    caller = await read_caller(request)
    query = read_query(request, EventsQuery)
    if query.principal is not None:
        await require_scope(request, Scope.ADMIN)
    principal, types = query.principal or caller.sub, _types(query.type)
    if EVENT_STREAM in request.headers.get(hdrs.ACCEPT, ""):
        return await _stream(request, caller.sub, principal, after=query.after, types=types)
    events = request.app[STREAMS].log
    page = await events.read(principal, after=query.after, types=types, limit=query.limit)
    if query.after is not None and page.next == query.after:
        await check_within(events, principal, query.after, Fault(BEYOND, parameter="after"))
    response = json_response(event_list(page))
    response.enable_compression()  # a hundred events take more than 150 kB, and a tenth of that compressed
    return response


async def close_streams(app: web.Application) -> None:
    """End the streams that are open, as the server stops."""
    app[STREAMS].close()


async def _stream(
    request: web.Request, reader: str, principal: str, *, after: str | None, types: frozenset[str] | None
) -> web.StreamResponse:
    streams = request.app[STREAMS]
    last = request.headers.get(LAST_EVENT_ID)
    if last is not None and not (len(last) == len("0000000000000") and last.isdecimal() and last.isascii()):
        fault = Fault("expected the id of an event of this stream", header=LAST_EVENT_ID)
        raise RequestRefused(INVALID_PARAMETER, "Invalid Last-Event-ID.", faults=[fault])
    start = last or after or await streams.log.tail(principal)
    if last or after:
        place = Fault(BEYOND, header=LAST_EVENT_ID) if last else Fault(BEYOND, parameter="after")
        await check_within(streams.log, principal, start, place)
    with request.app[GATE].lingering() as may_stay, streams.opened(reader) as may_open:
        if not (may_stay and may_open):
            raise RequestRefused(
                TOO_MANY_STREAMS,
                "Too many event streams are open: close one, or read the log by pages.",
                headers={"Retry-After": "10"},
            )
        request[DEADLINE].suspend()
        headers = {hdrs.CONTENT_TYPE: EVENT_STREAM, "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        if request.method != hdrs.METH_HEAD:
            await streams.send(response, principal, after=start, types=types)
    return response


def _types(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    types = frozenset(text.split(","))
    if unknown := sorted(types - EVENT_TYPES):
        fault = Fault(f"no such type of events: {unknown[0][:64]}", parameter="type")
        raise RequestRefused(INVALID_PARAMETER, "Unknown type of events.", faults=[fault])
    return types
