"""Operations on machine clients."""

from __future__ import annotations

from aiohttp import web

from mintline.scopes import Scope
from mintline_api.auth.callers import read_caller
from mintline_api.features.clients import examples
from mintline_api.features.clients.models import (
    ClientChange,
    ClientList,
    ClientPath,
    ClientRequest,
    ClientUseView,
    ClientView,
    CreatedClientView,
    SecretView,
    client_use_view,
    client_view,
    created_client_view,
)
from mintline_api.features.clients.problems import CLIENT_NOT_FOUND, UNKNOWN_SCOPE
from mintline_api.features.clients.use_cases import (
    ClientManagement,
    add_secret,
    change_client,
    create_client,
    delete_client,
    get_client,
    retire_secrets,
)
from mintline_api.features.users.problems import NO_USER_POOL
from mintline_api.http.context import HTTP
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import BODY, INVALID_PARAMETER, RequestRefused
from mintline_api.http.requests import read_body, read_path, read_query
from mintline_api.http.responses import json_response
from mintline_api.limits.writes import count_write

CLIENTS = web.AppKey("clients", ClientManagement)
operations = Operations(
    "Machine clients",
    "Backends of companies, which mint for their users: each has an id and a secret, by which it gets access "
    "tokens at the user pool's token endpoint (client credentials, RFC 6749, 4.4), and a budget. These "
    "operations are for clients with the scope `admin`.",
    reads=Scope.ADMIN,
    changes=Scope.ADMIN,
)
own = Operations("Your client", "What a machine client may do, as it sees it.", reads=Scope.MINTS_READ)


@operations.add(
    "POST",
    "/v1/clients",
    clients=True,
    summary="Create a client",
    description="Makes an app client in the user pool. The secret is in this answer alone. To repeat the "
    "request makes another client: if an answer was lost, look for the client in the list.",
    body_model=ClientRequest,
    body_example=examples.CLIENT_REQUEST_JSON,
    answers=(Answer(201, "The new client.", CreatedClientView, examples.CREATED),),
    problems=(*BODY, UNKNOWN_SCOPE, NO_USER_POOL),
)
async def post_client(request: web.Request) -> web.Response:
    """Create a client."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    body = await read_body(request, ClientRequest)
    await count_write(request, caller.sub)
    client, secret = await create_client(body, management=request.app[CLIENTS], now=request.app[HTTP].now())
    return json_response(created_client_view(client, secret), status=201)


@operations.add(
    "GET",
    "/v1/clients",
    clients=True,
    summary="List clients",
    description="All machine clients, by name.",
    answers=(Answer(200, "The clients.", ClientList, examples.CLIENTS),),
    problems=(INVALID_PARAMETER,),
)
async def read_clients(request: web.Request) -> web.Response:
    """Return all clients."""
    await read_caller(request)
    read_query(request, NoQuery)
    listed = await request.app[CLIENTS].registry.records.every()
    return json_response(ClientList(items=[client_view(client) for client in listed]))


@operations.add(
    "GET",
    "/v1/clients/{client_id}",
    clients=True,
    summary="A client",
    description="What the client may do, how much of its budget is used, and when that resets.",
    path_model=ClientPath,
    answers=(Answer(200, "The client.", ClientUseView, examples.USED),),
    problems=(INVALID_PARAMETER, CLIENT_NOT_FOUND),
)
async def read_client(request: web.Request) -> web.Response:
    """Return a client."""
    await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, ClientPath)
    client, used = await get_client(path.client_id, management=request.app[CLIENTS])
    return json_response(client_use_view(client, used))


@operations.add(
    "PATCH",
    "/v1/clients/{client_id}",
    clients=True,
    summary="Change a client",
    description="Replaces its budget, disables or enables it. A disabled client's tokens are refused within "
    "a minute, here and in the enclave; those that it got before stay refused when it is enabled again.",
    path_model=ClientPath,
    body_model=ClientChange,
    body_example=examples.CHANGE_JSON,
    answers=(Answer(200, "The client as it is now.", ClientView, examples.CLIENT),),
    problems=(*BODY, CLIENT_NOT_FOUND),
)
async def patch_client(request: web.Request) -> web.Response:
    """Change a client."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, ClientPath)
    body = await read_body(request, ClientChange)
    await count_write(request, caller.sub)
    client = await change_client(
        path.client_id, body, management=request.app[CLIENTS], now=request.app[HTTP].now()
    )
    return json_response(client_view(client))


@operations.add(
    "DELETE",
    "/v1/clients/{client_id}",
    clients=True,
    summary="Delete a client",
    description="Its tokens are refused within a minute, and it gets no more. The mints that it asked for "
    "stay.",
    path_model=ClientPath,
    answers=(Answer(204, "The client is deleted."),),
    problems=(INVALID_PARAMETER, CLIENT_NOT_FOUND),
)
async def remove_client(request: web.Request) -> web.Response:
    """Delete a client."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, ClientPath)
    await count_write(request, caller.sub)
    await delete_client(path.client_id, management=request.app[CLIENTS])
    return web.Response(status=204)


@operations.add(
    "POST",
    "/v1/clients/{client_id}/secrets",
    clients=True,
    summary="Rotate a client's secret",
    description="Gives the client another secret. The previous one stays good until it is dropped, so that "
    "the backend can change without a gap; a client has two secrets at most, and a third drops the oldest.",
    path_model=ClientPath,
    answers=(Answer(201, "The new secret.", SecretView, examples.SECRET),),
    problems=(INVALID_PARAMETER, CLIENT_NOT_FOUND),
)
async def post_secret(request: web.Request) -> web.Response:
    """Give a client another secret."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, ClientPath)
    await count_write(request, caller.sub)
    secret = await add_secret(path.client_id, management=request.app[CLIENTS])
    return json_response(SecretView(client_id=path.client_id, client_secret=secret), status=201)


@operations.add(
    "DELETE",
    "/v1/clients/{client_id}/secrets/previous",
    clients=True,
    summary="Drop a client's previous secret",
    description="Leaves the client its newest secret alone. To repeat the request is harmless.",
    path_model=ClientPath,
    answers=(Answer(204, "The client has one secret."),),
    problems=(INVALID_PARAMETER, CLIENT_NOT_FOUND),
)
async def drop_secret(request: web.Request) -> web.Response:
    """Drop a client's previous secret."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, ClientPath)
    await count_write(request, caller.sub)
    await retire_secrets(path.client_id, management=request.app[CLIENTS])
    return web.Response(status=204)


@own.add(
    "GET",
    "/v1/client",
    clients=True,
    summary="Your client",
    description="What the machine client that asks may do, how much of its budget is used, and when that "
    "resets.",
    answers=(Answer(200, "The client.", ClientUseView, examples.USED),),
    problems=(INVALID_PARAMETER, CLIENT_NOT_FOUND),
)
async def read_own_client(request: web.Request) -> web.Response:
    """Return the client that asks."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    if caller.client_id is None:
        raise RequestRefused(CLIENT_NOT_FOUND, "A user has no client: send a machine client's access token.")
    client, used = await get_client(caller.client_id, management=request.app[CLIENTS])
    return json_response(client_use_view(client, used))
