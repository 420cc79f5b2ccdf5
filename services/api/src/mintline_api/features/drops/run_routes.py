"""Operations that have a drop prepared, started, paused, resumed and cancelled."""

from __future__ import annotations

from aiohttp import web

from mintline.authorizations import KEPT
from mintline.drop_records import Drop
from mintline.scopes import Scope
from mintline_api.auth.access_tokens import Caller
from mintline_api.auth.callers import AUTHORIZATIONS, require_scope
from mintline_api.auth.problems import TOKEN_TOO_LONG
from mintline_api.features.collections.minting import CLOSED_TO_MINTS
from mintline_api.features.drops import examples
from mintline_api.features.drops.context import DROPS
from mintline_api.features.drops.drop_requests import drop_response, read_client, read_drop
from mintline_api.features.drops.line_requests import request_of
from mintline_api.features.drops.mints import list_drop_mints
from mintline_api.features.drops.models import DropMintList, DropMintsQuery, DropPath, DropView
from mintline_api.features.drops.problems import (
    DROP_BY_OLDER_RELEASE,
    DROP_EMPTY,
    DROP_ENDED,
    DROP_NOT_PAUSED,
    DROP_NOT_PREPARED,
    DROP_NOT_RUNNING,
    DROP_STARTED,
    TOO_MANY_DROPS,
    UNKNOWN_DROP,
)
from mintline_api.features.drops.standards import check_standard
from mintline_api.features.drops.use_cases import (
    Authorized,
    Change,
    cancel,
    change_drop,
    check_resumable,
    check_startable,
    get_drop,
    pause,
    prepare,
    resume,
    start,
)
from mintline_api.features.mints.models import mint_view
from mintline_api.features.pages import read_page
from mintline_api.features.users.problems import CLIENTS_ONLY
from mintline_api.http.context import HTTP
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import INVALID_CURSOR, INVALID_PARAMETER
from mintline_api.http.requests import read_path, read_query
from mintline_api.http.responses import json_response
from mintline_api.limits.writes import count_write

operations = Operations(
    "Running drops",
    "Prepare a drop, start it, pause, resume or cancel it, and list its mints.",
    reads=Scope.MINTS_READ,
    changes=Scope.MINTS_CREATE,
    users=False,
)


async def _changed(request: web.Request, change: Change, *, status: int = 200) -> web.Response:
    caller, drop = await read_drop(request)
    await count_write(request, caller.sub)
    context = request.app[DROPS]
    changed = await change_drop(drop.drop_id, change, store=context.store, client_id=caller.sub)
    context.woken.set()
    return drop_response(request, changed, status=status)


@operations.add(
    "POST",
    "/v1/drops/{drop_id}/prepare",
    summary="Prepare a drop",
    clients=True,
    description="Makes the users and wallets that the lines name, gives each line its token id, and computes "
    "the root that `start` authorizes. The drop takes no more lines. Follow it until it is `prepared`. Safe "
    "to repeat.",
    path_model=DropPath,
    answers=(Answer(202, "It is being prepared.", DropView, examples.PREPARING),),
    problems=(
        INVALID_PARAMETER,
        CLIENTS_ONLY,
        UNKNOWN_DROP,
        DROP_BY_OLDER_RELEASE,
        DROP_EMPTY,
        DROP_STARTED,
        DROP_ENDED,
    ),
)
async def prepare_drop(request: web.Request) -> web.Response:
    """Have a drop prepared."""
    _, drop = await read_drop(request)
    check_standard(drop, await request.app[DROPS].intake.gate.registry.known(drop.contract))
    if drop.upload.emails:
        await require_scope(request, Scope.USERS_WRITE)
    return await _changed(request, prepare(request.app[HTTP].now()), status=202)


@operations.add(
    "POST",
    "/v1/drops/{drop_id}/start",
    summary="Start a drop",
    clients=True,
    description="Authorizes the drop's root by your token, once, and hands its lines to the pipeline. When "
    "the token has expired, the drop pauses: resume it with a fresh one.",
    path_model=DropPath,
    answers=(Answer(202, "It is running.", DropView, examples.RUNNING),),
    problems=(
        INVALID_PARAMETER,
        CLIENTS_ONLY,
        UNKNOWN_DROP,
        TOKEN_TOO_LONG,
        DROP_NOT_PREPARED,
        DROP_STARTED,
        DROP_ENDED,
        TOO_MANY_DROPS,
        DROP_BY_OLDER_RELEASE,
        *CLOSED_TO_MINTS,
    ),
)
async def start_drop(request: web.Request) -> web.Response:
    """Start a drop."""
    caller, drop = await read_drop(request)
    check_startable(drop)
    await _check_open(request, drop)
    authorized = await _authorized(request, caller, drop)
    return await _changed(request, start(authorized, now=request.app[HTTP].now()), status=202)


@operations.add(
    "POST",
    "/v1/drops/{drop_id}/resume",
    summary="Resume a drop",
    clients=True,
    description="Goes on with a paused drop, under the same root, authorized by the token of this request.",
    path_model=DropPath,
    answers=(Answer(202, "It is running.", DropView, examples.RUNNING),),
    problems=(
        INVALID_PARAMETER,
        CLIENTS_ONLY,
        UNKNOWN_DROP,
        TOKEN_TOO_LONG,
        DROP_NOT_PAUSED,
        DROP_ENDED,
        TOO_MANY_DROPS,
        DROP_BY_OLDER_RELEASE,
        *CLOSED_TO_MINTS,
    ),
)
async def resume_drop(request: web.Request) -> web.Response:
    """Resume a drop."""
    caller, drop = await read_drop(request)
    check_resumable(drop)
    await _check_open(request, drop)
    authorized = await _authorized(request, caller, drop)
    return await _changed(request, resume(authorized, now=request.app[HTTP].now()), status=202)


async def _check_open(request: web.Request, drop: Drop) -> None:
    """Raise RequestRefused if the drop has lines to hand on, and its collection takes no mint of it now."""
    if drop.fed_chunks < drop.chunks:
        gate, now = request.app[DROPS].intake.gate, request.app[HTTP].now()
        collection = await gate.pass_(drop.contract, client_id=drop.client_id, now=now, drop_id=drop.drop_id)
        check_standard(drop, collection)
        await request.app[DROPS].reservations.check_room(drop, gate)


async def _authorized(request: web.Request, caller: Caller, drop: Drop) -> Authorized:
    """Seal the caller's token under a drop's root."""
    assert drop.root is not None
    seal = await request.app[AUTHORIZATIONS].envelopes_for(caller.token)
    digest = request_of(drop).digest(drop.root, drop.lines)
    now = request.app[HTTP].now()
    # Authorizations are not kept for longer, however long a token of another issuer lasts.
    until = min(int(caller.expires_at * 1000), now + KEPT * 1000)
    return Authorized(root=drop.root, envelope=seal(digest, caller.sub, now), until=until)


@operations.add(
    "POST",
    "/v1/drops/{drop_id}/pause",
    summary="Pause a drop",
    clients=True,
    description="Hands on no more lines; those that were handed on are minted. Safe to repeat.",
    path_model=DropPath,
    answers=(Answer(200, "The drop, paused.", DropView, examples.PAUSED),),
    problems=(INVALID_PARAMETER, CLIENTS_ONLY, UNKNOWN_DROP, DROP_NOT_RUNNING, DROP_ENDED),
)
async def pause_drop(request: web.Request) -> web.Response:
    """Pause a drop."""
    return await _changed(request, pause(request.app[HTTP].now()))


@operations.add(
    "POST",
    "/v1/drops/{drop_id}/cancel",
    summary="Cancel a drop",
    clients=True,
    description="Hands on no more lines, ever; those that were handed on are minted. Safe to repeat.",
    path_model=DropPath,
    answers=(Answer(200, "The drop, cancelled.", DropView, examples.CANCELLED),),
    problems=(INVALID_PARAMETER, CLIENTS_ONLY, UNKNOWN_DROP, DROP_ENDED),
)
async def cancel_drop(request: web.Request) -> web.Response:
    """Cancel a drop."""
    return await _changed(request, cancel(request.app[HTTP].now()))


@operations.add(
    "GET",
    "/v1/drops/{drop_id}/mints",
    summary="List a drop's mints",
    clients=True,
    description="The mints of the lines that were handed on so far, in the order of the lines. Pass "
    "`next_cursor` as `cursor` to go on, with the same `status`, until it is null. `status` filters what is "
    "read, a bounded number of mints per request: a page may be short, even empty, and still have a "
    "`next_cursor`.",
    path_model=DropPath,
    query_model=DropMintsQuery,
    answers=(Answer(200, "A page of the drop's mints.", DropMintList, examples.MINTS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR, CLIENTS_ONLY, UNKNOWN_DROP),
)
async def read_drop_mints(request: web.Request) -> web.Response:
    """Return a page of a drop's mints."""
    http, context = request.app[HTTP], request.app[DROPS]
    caller = await read_client(request)
    query = read_query(request, DropMintsQuery)
    path = read_path(request, DropPath)
    drop = await get_drop(path.drop_id, client_id=caller.sub, store=context.store)
    bound = ("drop-mints", drop.drop_id, query.status or "")
    page = await list_drop_mints(
        drop, query.status, read_page(request, bound, query), store=context.store, lines=context.lines
    )
    return json_response(
        DropMintList(
            items=[mint_view(mint, reader=caller.sub, public_url=http.public_url) for mint in page.mints],
            next_cursor=http.cursors.issue(bound, page.after) if page.after else None,
        )
    )
