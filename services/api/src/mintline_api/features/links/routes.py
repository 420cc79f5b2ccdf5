"""Operations on the caller's own wallets."""

from __future__ import annotations

from aiohttp import web

from mintline.scopes import Scope
from mintline_api.auth.callers import read_caller
from mintline_api.features.links import examples
from mintline_api.features.links.models import (
    ChallengeRequest,
    ChallengeView,
    LinkList,
    LinkRequest,
    LinkView,
    WalletPath,
    challenge_view,
    link_view,
)
from mintline_api.features.links.problems import (
    CHALLENGE_SPENT,
    MALFORMED_SIGN_IN,
    NOT_THE_WALLETS_SIGNATURE,
    SIGN_IN_MISMATCH,
    TOO_MANY_WALLETS,
    UNKNOWN_LINK,
    WALLET_TAKEN,
)
from mintline_api.features.links.use_cases import (
    CreateChallenge,
    Linking,
    LinkWallet,
    challenge,
    link,
    unlink,
)
from mintline_api.http.context import HTTP
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import BODY, INVALID_PARAMETER
from mintline_api.http.requests import read_body, read_path, read_query
from mintline_api.http.responses import json_response
from mintline_api.limits.writes import count_write

LINKING = web.AppKey("linking", Linking)
operations = Operations(
    "Linked wallets",
    "Wallets of the caller's own, which mint by self-custody: each proves itself once, by Sign-In with "
    "Ethereum (EIP-4361). An address is linked to one user at a time.",
    reads=Scope.WALLETS_MANAGE,
    changes=Scope.WALLETS_MANAGE,
)


@operations.add(
    "POST",
    "/v1/wallet/links/challenges",
    summary="Begin to link a wallet",
    description="Gives a message to sign. Hand `message` to the wallet as it is (`personal_sign`), or "
    "compose an EIP-4361 message of your own with the same domain, address, URI, chain and nonce. The nonce "
    "is good once, for you, for ten minutes.",
    body_model=ChallengeRequest,
    body_example=examples.CHALLENGE_REQUEST_JSON,
    answers=(Answer(201, "What the wallet has to sign.", ChallengeView, examples.CHALLENGE),),
    problems=(*BODY, SIGN_IN_MISMATCH, TOO_MANY_WALLETS),
)
async def create_challenge(request: web.Request) -> web.Response:
    """Return a message to sign."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    body = await read_body(request, ChallengeRequest)
    await count_write(request, caller.sub)
    command = CreateChallenge(
        sub=caller.sub, address=body.address, domain=body.domain, now=request.app[HTTP].now()
    )
    challenged = await challenge(command, linking=request.app[LINKING])
    return json_response(challenge_view(challenged), status=201)


@operations.add(
    "POST",
    "/v1/wallet/links",
    summary="Link a wallet",
    description="Links the wallet that signed a challenge. An account is known by its signature; a contract "
    "wallet is asked (EIP-1271), and must be deployed (no ERC-6492). To repeat the request is harmless.",
    body_model=LinkRequest,
    body_example=examples.LINK_REQUEST_JSON,
    answers=(Answer(201, "The wallet is linked.", LinkView, examples.LINK),),
    problems=(
        *BODY,
        MALFORMED_SIGN_IN,
        CHALLENGE_SPENT,
        WALLET_TAKEN,
        SIGN_IN_MISMATCH,
        NOT_THE_WALLETS_SIGNATURE,
    ),
)
async def create_link(request: web.Request) -> web.Response:
    """Link a wallet."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    body = await read_body(request, LinkRequest)
    await count_write(request, caller.sub)
    command = LinkWallet(
        sub=caller.sub, message=body.message, signature=body.signature, now=request.app[HTTP].now()
    )
    linked = await link(command, linking=request.app[LINKING])
    return json_response(link_view(linked), status=201)


@operations.add(
    "GET",
    "/v1/wallet/links",
    summary="Your linked wallets",
    description="All of them, oldest first; a new one shows up within moments.",
    answers=(Answer(200, "The linked wallets.", LinkList, examples.LINKS),),
    problems=(INVALID_PARAMETER,),
)
async def read_links(request: web.Request) -> web.Response:
    """Return the caller's links."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    links = await request.app[LINKING].links.of_user(caller.sub)
    return json_response(LinkList(items=[link_view(link) for link in links]))


@operations.add(
    "DELETE",
    "/v1/wallet/links/{address}",
    summary="Unlink a wallet",
    description="Mints on their way to the wallet go on; new ones cannot name it.",
    path_model=WalletPath,
    answers=(Answer(204, "The wallet is not linked any more."),),
    problems=(INVALID_PARAMETER, UNKNOWN_LINK),
)
async def delete_link(request: web.Request) -> web.Response:
    """Unlink a wallet."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, WalletPath)
    await count_write(request, caller.sub)
    await unlink(path.address, sub=caller.sub, links=request.app[LINKING].links)
    return web.Response(status=204)
