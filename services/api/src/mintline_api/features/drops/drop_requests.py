"""Reads who asks for which drop, and shows drops."""

from __future__ import annotations

from aiohttp import web

from mintline.drop_records import Drop
from mintline_api.auth.access_tokens import Caller
from mintline_api.auth.callers import read_caller
from mintline_api.features.drops.context import DROPS
from mintline_api.features.drops.models import (
    DropPath,
    drop_view,
)
from mintline_api.features.drops.use_cases import (
    get_drop,
)
from mintline_api.features.users.problems import CLIENTS_ONLY
from mintline_api.http.context import HTTP
from mintline_api.http.models import NoQuery
from mintline_api.http.problems import (
    RequestRefused,
)
from mintline_api.http.requests import read_path, read_query
from mintline_api.http.responses import json_response


async def read_client(request: web.Request) -> Caller:
    """Return the machine client that asks; raises RequestRefused for a user."""
    caller = await read_caller(request)
    if caller.client_id is None:
        raise RequestRefused(CLIENTS_ONLY, "Drops are for machine clients: send a client's access token.")
    return caller


async def read_drop(request: web.Request) -> tuple[Caller, Drop]:
    """Return the client that asks, and its drop that the path names."""
    caller = await read_client(request)
    read_query(request, NoQuery)
    path = read_path(request, DropPath)
    return caller, await get_drop(path.drop_id, client_id=caller.sub, store=request.app[DROPS].store)


def drop_response(request: web.Request, drop: Drop, *, status: int = 200) -> web.Response:
    """Return a drop as JSON."""
    return json_response(drop_view(drop, now=request.app[HTTP].now()), status=status)
