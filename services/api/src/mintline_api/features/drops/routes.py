"""Operations on drops and their lines."""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import web

from mintline.errors import MintlineError
from mintline.scopes import Scope
from mintline_api.features.collections.minting import CLOSED_TO_MINTS
from mintline_api.features.contracts.problems import UNKNOWN_CONTRACT
from mintline_api.features.drops import examples
from mintline_api.features.drops.context import DROPS
from mintline_api.features.drops.drop_requests import drop_response, read_client, read_drop
from mintline_api.features.drops.models import (
    DropList,
    DropPath,
    DropRequest,
    DropView,
    DryRunView,
    LinesView,
    drop_view,
    lines_view,
)
from mintline_api.features.drops.problems import (
    CSV_COLUMNS,
    DROP_BY_OLDER_RELEASE,
    LINES_CLOSED,
    LINES_MEDIA_TYPE,
    TOO_MANY_LINES,
    UNKNOWN_DROP,
    UPLOAD_OFFSET,
)
from mintline_api.features.drops.refused import refused_text
from mintline_api.features.drops.upload_requests import offset_header, take_lines
from mintline_api.features.drops.use_cases import (
    CreateDrop,
    create_drop,
    list_drops,
)
from mintline_api.features.operations.headers import IDEMPOTENCY_KEY, IDEMPOTENT_REPLAYED, location
from mintline_api.features.operations.problems import KEY_REUSED
from mintline_api.features.pages import read_page
from mintline_api.features.users.problems import CLIENTS_ONLY
from mintline_api.http.context import DEADLINE, HTTP
from mintline_api.http.models import NoQuery, PageQuery
from mintline_api.http.operations import Answer, HeaderField, Operations
from mintline_api.http.problems import (
    BODY,
    BODY_TOO_SLOW,
    INVALID_CURSOR,
    INVALID_PARAMETER,
)
from mintline_api.http.requests import read_body, read_idempotency_key, read_query
from mintline_api.http.responses import json_response
from mintline_api.http.tracing import TRACE
from mintline_api.limits.problems import COLLECTION_NOT_ALLOWED
from mintline_api.limits.writes import count_write

operations = Operations(
    "Drops",
    "Mint up to 100,000 tokens from one list.",
    reads=Scope.MINTS_READ,
    changes=Scope.MINTS_CREATE,
    users=False,
)
_BYTES = {"type": "string", "pattern": "^(0|[1-9][0-9]{0,15})$"}
UPLOAD_OFFSET_FIELD = HeaderField(
    "Upload-Offset", "Bytes that are taken: where the upload goes on.", _BYTES, "2345678"
)
_OFFSET = HeaderField(
    "Upload-Offset",
    "How many bytes of the drop's lines were taken before these; 0 if absent.",
    _BYTES,
    "0",
)
_COMPLETE = HeaderField(
    "Upload-Complete",
    "`?0`: more follows, so that what comes after the last newline is not taken for a line; `?1` if absent.",
    {"type": "string", "enum": ["?0", "?1"]},
    "?1",
)
_NDJSON = "application/x-ndjson"
_STALL_SECONDS = 30.0
"""How long a client may take no byte of the refused lines."""
log = structlog.get_logger()


@operations.add(
    "POST",
    "/v1/drops",
    summary="Make a drop",
    clients=True,
    description="Makes an empty drop, which takes lines next. For machine clients, as all operations on "
    "drops are. Takes the scope `users:write` too if its lines name e-mail addresses.",
    headers=(IDEMPOTENCY_KEY,),
    body_model=DropRequest,
    body_example=examples.DROP_REQUEST_JSON,
    answers=(
        Answer(
            201,
            "The drop, a draft.",
            DropView,
            examples.CREATED,
            headers=(location(f"/v1/drops/{examples.DROP_ID}"), IDEMPOTENT_REPLAYED),
        ),
    ),
    problems=(
        *BODY,
        CLIENTS_ONLY,
        UNKNOWN_CONTRACT,
        *CLOSED_TO_MINTS,
        COLLECTION_NOT_ALLOWED,
        KEY_REUSED,
    ),
)
async def post_drop(request: web.Request) -> web.Response:
    """Make a drop."""
    caller = await read_client(request)
    read_query(request, NoQuery)
    key = read_idempotency_key(request)
    body = await read_body(request, DropRequest)
    await count_write(request, caller.sub)
    context, now = request.app[DROPS], request.app[HTTP].now()
    command = CreateDrop(
        request=body, client_id=caller.sub, key=key, trace=request[TRACE].traceparent(), now=now
    )
    drop, replayed = await create_drop(command, intake=context.intake)
    response = drop_response(request, drop, status=201)
    response.headers["Location"] = f"/v1/drops/{drop.drop_id}"
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@operations.add(
    "GET",
    "/v1/drops",
    summary="List your drops",
    clients=True,
    description="The client's drops, newest first. Pass `next_cursor` as `cursor` to go on.",
    query_model=PageQuery,
    answers=(Answer(200, "A page of drops.", DropList, examples.DROPS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR, CLIENTS_ONLY),
)
async def read_drops(request: web.Request) -> web.Response:
    """Return a page of drops."""
    http = request.app[HTTP]
    caller = await read_client(request)
    query = read_query(request, PageQuery)
    bound = ("drops", caller.sub)
    page = await list_drops(caller.sub, read_page(request, bound, query), store=request.app[DROPS].store)
    return json_response(
        DropList(
            items=[drop_view(drop, now=http.now()) for drop in page.drops],
            next_cursor=http.cursors.issue(bound, page.after) if page.after else None,
        )
    )


@operations.add(
    "GET",
    "/v1/drops/{drop_id}",
    summary="Follow a drop",
    clients=True,
    description="How many lines were taken, prepared, handed on and minted, at which rate, and why it is "
    "paused if it is.",
    path_model=DropPath,
    answers=(Answer(200, "The drop as it is now.", DropView, examples.RUNNING),),
    problems=(INVALID_PARAMETER, CLIENTS_ONLY, UNKNOWN_DROP),
)
async def read_one_drop(request: web.Request) -> web.Response:
    """Return a drop."""
    _, drop = await read_drop(request)
    return drop_response(request, drop)


@operations.add(
    "GET",
    "/v1/drops/{drop_id}/lines",
    summary="Where the upload goes on",
    clients=True,
    description="What was taken of the drop's lines. `HEAD` gives the header alone: after an upload that "
    "broke off, go on from there.",
    path_model=DropPath,
    answers=(
        Answer(200, "What was taken so far.", LinesView, examples.TAKEN, headers=(UPLOAD_OFFSET_FIELD,)),
    ),
    problems=(INVALID_PARAMETER, CLIENTS_ONLY, UNKNOWN_DROP),
)
async def read_lines(request: web.Request) -> web.Response:
    """Return what was taken of a drop's lines."""
    _, drop = await read_drop(request)
    return json_response(lines_view(drop), headers=offset_header(drop))


@operations.add(
    "PATCH",
    "/v1/drops/{drop_id}/lines",
    summary="Upload lines",
    clients=True,
    description="Takes lines as they arrive, up to 100,000 of at most 64 KiB each: NDJSON, one object a "
    "line, or CSV, whose first row names the columns. Each line is checked; a refused one stops nothing, and "
    "`GET …/refused` hands it back with the reason. Send the body in one request or in several: "
    "`Upload-Offset` says how many bytes came before. If a request breaks off, the whole lines that came are "
    "kept, and `HEAD` says where to go on. `metadata` is as in `POST /v1/mints`.",
    path_model=DropPath,
    headers=(_OFFSET, _COMPLETE),
    body_texts={_NDJSON: examples.LINES, "text/csv": examples.CSV},
    answers=(
        Answer(200, "What was taken so far.", LinesView, examples.TAKEN, headers=(UPLOAD_OFFSET_FIELD,)),
    ),
    problems=(
        INVALID_PARAMETER,
        CLIENTS_ONLY,
        UNKNOWN_DROP,
        LINES_MEDIA_TYPE,
        UPLOAD_OFFSET,
        LINES_CLOSED,
        DROP_BY_OLDER_RELEASE,
        CSV_COLUMNS,
        TOO_MANY_LINES,
        BODY_TOO_SLOW,
    ),
)
async def patch_lines(request: web.Request) -> web.Response:
    """Take lines."""
    caller, drop = await read_drop(request)
    await count_write(request, caller.sub)
    taken = await take_lines(request, drop, caller)
    return json_response(lines_view(taken), headers=offset_header(taken))


@operations.add(
    "GET",
    "/v1/drops/{drop_id}/refused",
    summary="Get the refused lines",
    clients=True,
    description="The lines that will not be minted, in the format in which they came, each with its number, "
    "JSON pointers to what is wrong, and reasons. NDJSON lines have them in the member `refused`, CSV rows "
    "in the columns `line`, `pointer` and `reason`; both are ignored when you send a corrected line again.",
    path_model=DropPath,
    answers=(Answer(200, "The refused lines.", media_type=_NDJSON, example=examples.REFUSED),),
    problems=(INVALID_PARAMETER, CLIENTS_ONLY, UNKNOWN_DROP),
)
async def read_refused(request: web.Request) -> web.StreamResponse:
    """Stream the refused lines."""
    context = request.app[DROPS]
    _, drop = await read_drop(request)
    lines_csv = drop.upload.format == "csv"
    response = web.StreamResponse()
    response.content_type = "text/csv" if lines_csv else _NDJSON
    response.charset = "utf-8"
    # As long as the client reads: what is held in memory is one part.
    request[DEADLINE].suspend()
    texts = refused_text(drop, store=context.store, objects=context.objects)
    # Before the first byte a failure is still a problem document.
    text = await anext(texts, None)
    await response.prepare(request)
    try:
        while text is not None:
            async with asyncio.timeout(_STALL_SECONDS):
                await response.write(text)
            text = await anext(texts, None)
        await response.write_eof()
    except (TimeoutError, ConnectionError, MintlineError) as error:
        # A part of the body is out: all that is left is to close the connection.
        log.info("drop_refused_cut_off", drop_id=drop.drop_id, reason=type(error).__name__)
        if request.transport is not None:
            request.transport.abort()
    return response


@operations.add(
    "POST",
    "/v1/drops/{drop_id}/dry-run",
    summary="Try a drop out",
    clients=True,
    description="Says what the drop would do, before anything is made or spent: wallets, gas, what it costs "
    "at three prices of gas, and how long it takes at least. The number of wallets is exact if few "
    "recipients are users or e-mail addresses, and an estimate from up to 100 of them otherwise.",
    path_model=DropPath,
    answers=(Answer(200, "What it would do.", DryRunView, examples.DRY_RUN),),
    problems=(INVALID_PARAMETER, CLIENTS_ONLY, UNKNOWN_DROP, DROP_BY_OLDER_RELEASE),
)
async def try_drop(request: web.Request) -> web.Response:
    """Return what a drop would do."""
    caller, drop = await read_drop(request)
    await count_write(request, caller.sub)
    return json_response(await request.app[DROPS].dry_runs.of(drop))
