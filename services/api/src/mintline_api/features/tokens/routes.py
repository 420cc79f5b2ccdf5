"""Operations on wallets, tokens, owners and metadata."""

from __future__ import annotations

from aiohttp import web

from mintline.scopes import Scope
from mintline_api.auth.callers import read_caller
from mintline_api.features.collections.models import TokenPath
from mintline_api.features.collections.problems import UNKNOWN_CONTRACT
from mintline_api.features.pages import next_cursor, read_page
from mintline_api.features.tokens import examples
from mintline_api.features.tokens.models import (
    OwnerPath,
    OwnerQuery,
    TokenList,
    TokenMint,
    TokenSummary,
    TokenView,
    TransferList,
    index_view,
    token_summary,
    transfer_view,
)
from mintline_api.features.tokens.problems import UNKNOWN_TOKEN
from mintline_api.features.tokens.use_cases import TokenFacts, TokenReads, get_owned, get_token, get_transfers
from mintline_api.http.context import HTTP
from mintline_api.http.models import NoQuery, PageQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import INVALID_CURSOR, INVALID_PARAMETER
from mintline_api.http.requests import read_path, read_query
from mintline_api.http.responses import json_response

TOKENS = web.AppKey("tokens", TokenReads)
operations = Operations(
    "Tokens",
    "Who owns what, as the index knows it; `index` says how fresh that is, `finality` how certain.",
    reads=Scope.TOKENS_READ,
)


@operations.add(
    "GET",
    "/v1/tokens/{contract}/{token_id}",
    clients=True,
    summary="A token",
    description="Owner, metadata, the mint that made it, finality, and how fresh the index is.",
    path_model=TokenPath,
    answers=(Answer(200, "The token.", TokenView, examples.TOKEN),),
    problems=(INVALID_PARAMETER, UNKNOWN_CONTRACT, UNKNOWN_TOKEN),
)
async def read_token(request: web.Request) -> web.Response:
    """Return one token."""
    http = request.app[HTTP]
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, TokenPath)
    facts = await get_token(path.contract, path.token_id, reads=request.app[TOKENS])
    return json_response(_token_view(facts, sub=caller.sub, public_url=http.public_url, now=http.now()))


@operations.add(
    "GET",
    "/v1/tokens/{contract}/{token_id}/transfers",
    clients=True,
    summary="A token's transfers",
    description="Every transfer, mint and burn of a token, newest first.",
    path_model=TokenPath,
    query_model=PageQuery,
    answers=(Answer(200, "A page of transfers.", TransferList, examples.TRANSFERS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR, UNKNOWN_CONTRACT, UNKNOWN_TOKEN),
)
async def read_transfers(request: web.Request) -> web.Response:
    """Return a page of transfers."""
    http = request.app[HTTP]
    await read_caller(request)
    path = read_path(request, TokenPath)
    query = read_query(request, PageQuery)
    bound = ("transfers", path.contract, str(path.token_id))
    transfers, checkpoint = await get_transfers(
        path.contract, path.token_id, page=read_page(request, bound, query), reads=request.app[TOKENS]
    )
    return json_response(
        TransferList(
            items=[transfer_view(transfer, checkpoint) for _, transfer in transfers.items],
            next_cursor=next_cursor(request, bound, transfers),
            index=index_view(checkpoint, now=http.now()),
        )
    )


@operations.add(
    "GET",
    "/v1/owners/{address}/tokens",
    clients=True,
    summary="An owner's tokens",
    description="The tokens that an address owns, by contract and token id. Metadata is at each one's "
    "`metadata_url`.",
    path_model=OwnerPath,
    query_model=OwnerQuery,
    answers=(Answer(200, "A page of tokens.", TokenList, examples.TOKENS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR, UNKNOWN_CONTRACT),
)
async def read_owned(request: web.Request) -> web.Response:
    """Return a page of an owner's tokens."""
    http = request.app[HTTP]
    await read_caller(request)
    path = read_path(request, OwnerPath)
    query = read_query(request, OwnerQuery)
    bound = ("owner", path.address, query.contract or "")
    tokens, checkpoint = await get_owned(
        path.address,
        contract=query.contract,
        page=read_page(request, bound, query),
        reads=request.app[TOKENS],
    )
    public_url = http.public_url
    return json_response(
        TokenList(
            items=[
                TokenSummary(**token_summary(token, checkpoint, public_url=public_url))
                for _, token in tokens.items
            ],
            next_cursor=next_cursor(request, bound, tokens),
            index=index_view(checkpoint, now=http.now()),
        )
    )


def _token_view(facts: TokenFacts, *, sub: str, public_url: str, now: int) -> TokenView:
    mint = facts.mint
    return TokenView(
        **token_summary(facts.token, facts.checkpoint, public_url=public_url),
        metadata=facts.metadata,
        metadata_verified=facts.verified,
        mint=None
        if mint is None
        else TokenMint(mint_id=mint.mint_id if mint.sub == sub else None, status=mint.status),
        index=index_view(facts.checkpoint, now=now),
    )
