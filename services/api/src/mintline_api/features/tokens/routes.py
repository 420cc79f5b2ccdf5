"""Operations on wallets, tokens, owners and metadata."""

from __future__ import annotations

from typing import TypeVar

from aiohttp import web

from mintline.scopes import Scope
from mintline_api.features import examples
from mintline_api.features.collections.problems import UNKNOWN_CONTRACT
from mintline_api.features.metadata.problems import METADATA_ALTERED, UNKNOWN_METADATA
from mintline_api.features.tokens.problems import UNKNOWN_TOKEN
from mintline_api.features.tokens.use_cases import (
    TokenFacts,
    get_collection_metadata,
    get_metadata,
    get_owned,
    get_token,
    get_transfers,
)
from mintline_api.features.wallets.problems import WALLET_REASSIGNED
from mintline_api.http.context import API
from mintline_api.http.operations import Answer, HeaderField, Operations
from mintline_api.http.problems import INVALID_CURSOR, INVALID_PARAMETER
from mintline_api.http.requests import read_caller, read_path, read_query
from mintline_api.http.responses import answer, conditional, document
from mintline_api.inputs import ContractPath, NoQuery, OwnerPath, OwnerQuery, PageQuery, TokenPath
from mintline_api.ports import Page
from mintline_api.views import (
    TokenList,
    TokenMint,
    TokenSummary,
    TokenView,
    TransferList,
    WalletView,
    index_view,
    token_summary,
    transfer_view,
    wallet_view,
)

T = TypeVar("T")

wallet_operations = Operations("Wallet", "The caller's wallet in custody.", reads=Scope.WALLETS_MANAGE)
operations = Operations(
    "Tokens",
    "Who owns what, as the index knows it; `index` says how fresh that is, `finality` how certain.",
    reads=Scope.TOKENS_READ,
)
metadata_operations = Operations("Metadata", "What `tokenURI` and `contractURI` point to: for everyone.")

METADATA_HEADERS = {
    "Content-Type": "application/json",
    # A token's metadata does not change; an hour bounds how long a correction (ERC-4906) takes.
    "Cache-Control": "public, max-age=3600, stale-while-revalidate=86400",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag",
}
_CACHING = (
    HeaderField("ETag", "The SHA-256 of the body.", {"type": "string"}, '"9f86d081884c7d65…"'),
    HeaderField("Cache-Control", "For everyone, for an hour.", {"type": "string"}, "public, max-age=3600"),
)


@wallet_operations.add(
    "GET",
    "/v1/wallet",
    summary="Your wallet",
    description="The caller's address, made on first use: KMS makes the key pair, and only the attested "
    "enclave can use its private half.",
    answers=(Answer(200, "The wallet.", WalletView, examples.USER_WALLET),),
    problems=(INVALID_PARAMETER, WALLET_REASSIGNED),
)
async def read_wallet(request: web.Request) -> web.Response:
    """Return the caller's wallet."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    return answer(wallet_view(await request.app[API].wallets.of(caller.sub)))


@operations.add(
    "GET",
    "/v1/tokens/{contract}/{token_id}",
    summary="A token",
    description="Owner, metadata, the mint that made it, finality, and how fresh the index is.",
    path_model=TokenPath,
    answers=(Answer(200, "The token.", TokenView, examples.TOKEN),),
    problems=(INVALID_PARAMETER, UNKNOWN_CONTRACT, UNKNOWN_TOKEN),
)
async def read_token(request: web.Request) -> web.Response:
    """Return one token."""
    api = request.app[API]
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, TokenPath)
    facts = await get_token(
        path.contract,
        path.token_id,
        chain_id=api.settings.chain_id,
        collections=api.collections,
        index=api.index,
        metadata=api.metadata,
        mints=api.mints,
    )
    return answer(_token_view(facts, sub=caller.sub, public_url=api.settings.public_url, now=api.now()))


@operations.add(
    "GET",
    "/v1/tokens/{contract}/{token_id}/transfers",
    summary="A token's transfers",
    description="Every transfer, mint and burn of a token, newest first.",
    path_model=TokenPath,
    query_model=PageQuery,
    answers=(Answer(200, "A page of transfers.", TransferList, examples.TRANSFERS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR, UNKNOWN_CONTRACT, UNKNOWN_TOKEN),
)
async def read_transfers(request: web.Request) -> web.Response:
    """Return a page of transfers."""
    api = request.app[API]
    await read_caller(request)
    path = read_path(request, TokenPath)
    query = read_query(request, PageQuery)
    bound = ("transfers", path.contract, str(path.token_id))
    page, checkpoint = await get_transfers(
        path.contract,
        path.token_id,
        limit=query.limit,
        after=api.cursors.read(bound, query.cursor) if query.cursor else None,
        collections=api.collections,
        index=api.index,
    )
    return answer(
        TransferList(
            items=[transfer_view(transfer, checkpoint) for _, transfer in page.items],
            next_cursor=_next(request, bound, page),
            index=index_view(checkpoint, now=api.now()),
        )
    )


@operations.add(
    "GET",
    "/v1/owners/{address}/tokens",
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
    api = request.app[API]
    await read_caller(request)
    path = read_path(request, OwnerPath)
    query = read_query(request, OwnerQuery)
    bound = ("owner", path.address, query.contract or "")
    page, checkpoint = await get_owned(
        path.address,
        contract=query.contract,
        limit=query.limit,
        after=api.cursors.read(bound, query.cursor) if query.cursor else None,
        collections=api.collections,
        index=api.index,
    )
    public_url = api.settings.public_url
    return answer(
        TokenList(
            items=[
                TokenSummary(**token_summary(token, checkpoint, public_url=public_url))
                for _, token in page.items
            ],
            next_cursor=_next(request, bound, page),
            index=index_view(checkpoint, now=api.now()),
        )
    )


@metadata_operations.add(
    "GET",
    "/v1/metadata/{contract}/{token_id}",
    summary="A token's metadata",
    description="The JSON that `tokenURI` points to (ERC-721), byte for byte what was minted: its SHA-256 is "
    "the `metadataDigest` of the mint's event, and is compared with it before it is served, which is as soon "
    "as the token is on chain. Needs no access token; any origin may read it.",
    secured=False,
    path_model=TokenPath,
    answers=(
        Answer(200, "The metadata.", example=examples.MINT_REQUEST_JSON["metadata"], headers=_CACHING),
        Answer(304, "You have it already (`If-None-Match`)."),
    ),
    problems=(INVALID_PARAMETER, UNKNOWN_CONTRACT, UNKNOWN_METADATA, METADATA_ALTERED),
)
async def read_metadata(request: web.Request) -> web.Response:
    """Return a token's metadata."""
    api = request.app[API]
    path = read_path(request, TokenPath)
    body = await get_metadata(
        path.contract,
        path.token_id,
        chain_id=api.settings.chain_id,
        collections=api.collections,
        index=api.index,
        metadata=api.metadata,
    )
    return conditional(request, document(body, METADATA_HEADERS))


@metadata_operations.add(
    "GET",
    "/v1/metadata/{contract}",
    summary="A collection's metadata",
    description="The JSON that `contractURI` points to (ERC-7572). Needs no token; any origin may read it.",
    secured=False,
    path_model=ContractPath,
    answers=(
        Answer(200, "The metadata.", example=examples.COLLECTION_METADATA, headers=_CACHING),
        Answer(304, "You have it already (`If-None-Match`)."),
    ),
    problems=(INVALID_PARAMETER, UNKNOWN_CONTRACT),
)
async def read_collection_metadata(request: web.Request) -> web.Response:
    """Return a collection's metadata."""
    api = request.app[API]
    path = read_path(request, ContractPath)
    body = await get_collection_metadata(
        path.contract,
        chain_id=api.settings.chain_id,
        collections=api.collections,
        metadata=api.metadata,
    )
    return conditional(request, document(body, METADATA_HEADERS))


def _next(request: web.Request, bound: tuple[str, ...], page: Page[T]) -> str | None:
    return request.app[API].cursors.issue(bound, page.items[-1][0]) if page.more and page.items else None


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
