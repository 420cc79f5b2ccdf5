"""Who sent a request."""

from __future__ import annotations

from aiohttp import hdrs, web

from mintline.scopes import Scope
from mintline_api.auth.access_tokens import AccessTokens, Caller
from mintline_api.auth.authorizations import Authorizations
from mintline_api.http.context import FOR_CLIENTS, SCOPE, SUB

ACCESS_TOKENS = web.AppKey("access_tokens", AccessTokens)
AUTHORIZATIONS = web.AppKey("authorizations", Authorizations)


async def read_caller(request: web.Request) -> Caller:
    """Return who sent a request; raises RequestRefused (401, or 403 without the operation's scope).

    That is a user, or a machine client where the operation is declared for them.
    """
    return await require_scope(request, request[SCOPE])


async def require_scope(request: web.Request, scope: Scope) -> Caller:
    """Return who sent a request, as `read_caller` does, if their token was given for this scope."""
    authorization = request.headers.get(hdrs.AUTHORIZATION)
    tokens, clients = request.app[ACCESS_TOKENS], request[FOR_CLIENTS]
    caller = await tokens.caller(authorization, scope, clients=clients)
    request[SUB] = caller.sub
    return caller
