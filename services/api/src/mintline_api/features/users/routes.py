"""Operations of machine clients on users of the pool."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from mintline.scopes import Scope
from mintline_api.auth.access_tokens import Caller
from mintline_api.auth.callers import read_caller
from mintline_api.features.users import examples
from mintline_api.features.users.models import UserRequest, UsersQuery, UserView, user_view
from mintline_api.features.users.problems import CLIENTS_ONLY, INVALID_EMAIL, NO_USER_POOL, UNKNOWN_USER
from mintline_api.features.users.use_cases import UserDirectory, create_user, find_user
from mintline_api.features.wallets.problems import WALLET_REASSIGNED
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import BODY, INVALID_PARAMETER, RequestRefused
from mintline_api.http.requests import read_body, read_query
from mintline_api.http.responses import json_response
from mintline_api.limits.writes import count_write


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersContext:
    """What the operations on users reach."""

    users: UserDirectory
    wallets: WalletDirectory


USERS = web.AppKey("users", UsersContext)
operations = Operations(
    "Users",
    "Users of the pool, as a company's backend names them.",
    reads=Scope.USERS_READ,
    changes=Scope.USERS_WRITE,
)


@operations.add(
    "GET",
    "/v1/users",
    summary="Find a user by e-mail address",
    clients=True,
    description="Shows the user of an address, and makes neither user nor wallet. For machine clients. The "
    "address is part of the request's URL, which proxies log: where that must not be, use `POST /v1/users`.",
    query_model=UsersQuery,
    answers=(Answer(200, "The user.", UserView, examples.USER),),
    problems=(INVALID_PARAMETER, INVALID_EMAIL, CLIENTS_ONLY, UNKNOWN_USER, NO_USER_POOL),
)
async def read_user(request: web.Request) -> web.Response:
    """Return the user of an address."""
    context = request.app[USERS]
    _client(await read_caller(request))
    email = context.users.email(read_query(request, UsersQuery).email, parameter="email")
    account = await find_user(email, users=context.users, wallets=context.wallets)
    if account is None:
        raise RequestRefused(UNKNOWN_USER, "User not found: nobody in the pool has this address.")
    return json_response(user_view(account))


@operations.add(
    "POST",
    "/v1/users",
    summary="Make a user",
    clients=True,
    description="Makes the user of an e-mail address, and their wallet, or finds them: the same address is "
    "always the same user. No message is sent to it. For machine clients. A mint to `recipient.email` does "
    "the same.",
    body_model=UserRequest,
    body_example=examples.USER_REQUEST_JSON,
    answers=(
        Answer(201, "The user was made.", UserView, examples.USER),
        Answer(200, "There was a user with this address.", UserView, examples.USER),
    ),
    problems=(*BODY, INVALID_EMAIL, CLIENTS_ONLY, WALLET_REASSIGNED, NO_USER_POOL),
)
async def make_user(request: web.Request) -> web.Response:
    """Make a user and their wallet."""
    context = request.app[USERS]
    caller = _client(await read_caller(request))
    read_query(request, NoQuery)
    body = await read_body(request, UserRequest)
    email = context.users.email(body.email, pointer="#/email")
    await count_write(request, caller.sub)
    account = await create_user(email, users=context.users, wallets=context.wallets)
    return json_response(user_view(account), status=201 if account.created else 200)


def _client(caller: Caller) -> Caller:
    """Return the caller if it is a machine client; raises RequestRefused for a user."""
    if caller.client_id is None:
        raise RequestRefused(CLIENTS_ONLY, "This is for machine clients: send a client's access token.")
    return caller
