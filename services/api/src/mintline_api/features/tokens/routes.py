"""Operations on wallets, tokens, owners and metadata."""

from __future__ import annotations

from aiohttp import web

from mintline.proofs.mint_receipt import MintReceipt
from mintline.scopes import Scope
from mintline_api.auth.callers import read_caller
from mintline_api.features.contracts.models import ContractPath, TokenPath
from mintline_api.features.contracts.problems import UNKNOWN_CONTRACT
from mintline_api.features.items.problems import WRONG_STANDARD
from mintline_api.features.metadata.problems import METADATA_ALTERED
from mintline_api.features.mints.problems import UNKNOWN_MINT
from mintline_api.features.pages import next_cursor, read_page
from mintline_api.features.tokens import examples
from mintline_api.features.tokens.models import (
    BalanceQuery,
    BalanceView,
    CollectionQuery,
    CollectionTokenList,
    HoldsQuery,
    HoldsView,
    OwnerPath,
    OwnerQuery,
    ProofQuery,
    TokenList,
    TokenView,
    TransferList,
    TransfersQuery,
    index_view,
    transfer_view,
)
from mintline_api.features.tokens.ports import EVERY_BLOCK, LAST_BLOCK, BlockRange
from mintline_api.features.tokens.problems import (
    NO_RECEIPT,
    RECEIPT_NOT_FINAL,
    RECEIPT_UNAVAILABLE,
    UNKNOWN_TOKEN,
)
from mintline_api.features.tokens.receipts import MintReceipts, get_receipt
from mintline_api.features.tokens.use_cases import (
    TokenReads,
    get_balance,
    get_collection_tokens,
    get_owned,
    get_token,
    get_transfers,
    holds,
    listed,
)
from mintline_api.features.tokens.views import token_items, token_view
from mintline_api.http.context import HTTP
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, Operations, not_modified
from mintline_api.http.problems import INVALID_CURSOR, INVALID_PARAMETER, Fault, RequestRefused
from mintline_api.http.requests import read_path, read_query
from mintline_api.http.responses import conditional_response, document_of, json_response

TOKENS = web.AppKey("tokens", TokenReads)
RECEIPTS = web.AppKey("mint-receipts", MintReceipts)
_RECEIPT_HEADERS = {
    "Content-Type": "application/json",
    # Of a final block, so it never changes.
    "Cache-Control": "private, max-age=31536000, immutable",
}
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
    description="Owner, metadata, the mint that made it, finality, and how fresh the index is. Of an "
    "ERC-1155 token also how many were minted, and may be.",
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
    return json_response(token_view(facts, sub=caller.sub, public_url=http.public_url, now=http.now()))


@operations.add(
    "GET",
    "/v1/tokens/{contract}/{token_id}/transfers",
    clients=True,
    summary="A token's transfers",
    description="Every transfer, mint and burn of a token, newest first; with `from_block` and `to_block` "
    "those of these blocks alone.",
    path_model=TokenPath,
    query_model=TransfersQuery,
    answers=(Answer(200, "A page of transfers.", TransferList, examples.TRANSFERS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR, UNKNOWN_CONTRACT, UNKNOWN_TOKEN),
)
async def read_transfers(request: web.Request) -> web.Response:
    """Return a page of transfers."""
    http = request.app[HTTP]
    await read_caller(request)
    path = read_path(request, TokenPath)
    query = read_query(request, TransfersQuery)
    first = 0 if query.from_block is None else query.from_block
    last = LAST_BLOCK if query.to_block is None else query.to_block
    if last < first:
        fault = Fault("expected the number of `from_block` or a higher one", parameter="to_block")
        raise RequestRefused(INVALID_PARAMETER, f"to_block: {fault.detail}.", faults=[fault])
    blocks = BlockRange(first, last)
    within = () if blocks == EVERY_BLOCK else (str(first), str(last))
    bound = ("transfers", path.contract, str(path.token_id), *within)
    transfers, checkpoint = await get_transfers(
        path.contract,
        path.token_id,
        blocks=blocks,
        page=read_page(request, bound, query),
        reads=request.app[TOKENS],
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
    "/v1/tokens/{contract}/{token_id}/proof",
    clients=True,
    summary="The receipt of a token's mint, or of a mint of an item",
    description="Proves the mint to anyone who has a node of the chain, without this API: the metadata, the "
    "event with its digest, the transaction and its receipt with their proofs against the block's header, "
    "and that header. Save the body as it is, and check it by `mintline verify FILE --rpc URL`. There is one "
    "once the mint is final. The metadata is what was minted, whatever version is served now. In an ERC-1155 "
    "collection `mint` names a mint of yours of the item; its receipt has `serial` and `quantity`.",
    path_model=TokenPath,
    query_model=ProofQuery,
    answers=(Answer(200, "The receipt.", MintReceipt, examples.RECEIPT), not_modified()),
    problems=(
        INVALID_PARAMETER,
        UNKNOWN_CONTRACT,
        UNKNOWN_TOKEN,
        UNKNOWN_MINT,
        NO_RECEIPT,
        RECEIPT_NOT_FINAL,
        RECEIPT_UNAVAILABLE,
        WRONG_STANDARD,
        METADATA_ALTERED,
    ),
)
async def read_proof(request: web.Request) -> web.Response:
    """Return the receipt of a token's mint."""
    caller = await read_caller(request)
    query, path = read_query(request, ProofQuery), read_path(request, TokenPath)
    body = await get_receipt(
        path.contract,
        path.token_id,
        mint_id=query.mint,
        sub=caller.sub,
        reads=request.app[TOKENS],
        receipts=request.app[RECEIPTS],
    )
    return conditional_response(request, document_of(body, _RECEIPT_HEADERS))


@operations.add(
    "GET",
    "/v1/owners/{address}/tokens",
    clients=True,
    summary="An owner's tokens",
    description="The tokens that an address owns, by contract and token id; of an ERC-1155 token how many it "
    "has (`quantity`). Metadata is at each one's `metadata_url`, and comes along with `include=metadata`.",
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
    reads = request.app[TOKENS]
    tokens, checkpoint = await get_owned(
        path.address,
        contract=query.contract,
        page=read_page(request, bound, query),
        reads=reads,
    )
    listed_tokens = await listed(
        (token for _, token in tokens.items), metadata=query.include is not None, reads=reads
    )
    return json_response(
        TokenList(
            items=token_items(listed_tokens, checkpoint, query.include, public_url=http.public_url),
            next_cursor=next_cursor(request, bound, tokens),
            index=index_view(checkpoint, now=http.now()),
        )
    )


@operations.add(
    "GET",
    "/v1/owners/{address}/balance",
    clients=True,
    summary="An owner's balance",
    description="How many tokens of a collection an address owns, counted up to 10,000; with `token_id`, how "
    "many of this one.",
    path_model=OwnerPath,
    query_model=BalanceQuery,
    answers=(Answer(200, "The balance.", BalanceView, examples.BALANCE),),
    problems=(INVALID_PARAMETER, UNKNOWN_CONTRACT),
)
async def read_balance(request: web.Request) -> web.Response:
    """Return an owner's balance."""
    await read_caller(request)
    path, query = read_path(request, OwnerPath), read_query(request, BalanceQuery)
    reads = request.app[TOKENS]
    balance, checkpoint = await get_balance(path.address, query.contract, query.token_id, reads=reads)
    return json_response(
        BalanceView(
            chain_id=reads.chain_id,
            address=path.address,
            contract=query.contract,
            token_id=query.token_id,
            balance=balance.tokens,
            more=balance.more,
            quantity=balance.quantity,
            index=index_view(checkpoint, now=request.app[HTTP].now()),
        )
    )


@operations.add(
    "GET",
    "/v1/owners/{address}/holds",
    clients=True,
    summary="Whether an owner holds a token",
    description="Whether an address owns any token of a collection, or the one that `token_id` names.",
    path_model=OwnerPath,
    query_model=HoldsQuery,
    answers=(Answer(200, "Whether it does.", HoldsView, examples.HOLDS),),
    problems=(INVALID_PARAMETER, UNKNOWN_CONTRACT),
)
async def read_holds(request: web.Request) -> web.Response:
    """Tell whether an owner holds a token."""
    await read_caller(request)
    path, query = read_path(request, OwnerPath), read_query(request, HoldsQuery)
    reads = request.app[TOKENS]
    does, checkpoint = await holds(path.address, query.contract, query.token_id, reads=reads)
    return json_response(
        HoldsView(
            chain_id=reads.chain_id,
            address=path.address,
            contract=query.contract,
            token_id=query.token_id,
            holds=does,
            index=index_view(checkpoint, now=request.app[HTTP].now()),
        )
    )


@operations.add(
    "GET",
    "/v1/collections/{contract}/tokens",
    clients=True,
    summary="A collection's tokens",
    description="A collection's tokens by token id, burned ones too (`burned`): all whose ids this API gave "
    "out, and all that were ever minted of an ERC-1155 collection. ERC-721 tokens that a foreign minter made "
    "under ids of its own choice are at `/v1/tokens/{contract}/{id}` and among their owners' alone.\n\n"
    "A bounded number of ids is read per request: a page may be short, even empty, and still have a "
    "`next_cursor`.",
    path_model=ContractPath,
    query_model=CollectionQuery,
    answers=(Answer(200, "A page of tokens.", CollectionTokenList, examples.COLLECTION_TOKENS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR, UNKNOWN_CONTRACT),
)
async def read_collection_tokens(request: web.Request) -> web.Response:
    """Return a page of a collection's tokens."""
    http, reads = request.app[HTTP], request.app[TOKENS]
    await read_caller(request)
    path, query = read_path(request, ContractPath), read_query(request, CollectionQuery)
    bound = ("collection-tokens", path.contract)
    page = read_page(request, bound, query)
    tokens, checkpoint = await get_collection_tokens(
        path.contract,
        limit=page.limit,
        after=None if page.after is None else int(page.after),
        reads=reads,
    )
    listed_tokens = await listed(tokens.tokens, metadata=query.include is not None, reads=reads)
    return json_response(
        CollectionTokenList(
            items=token_items(listed_tokens, checkpoint, query.include, public_url=http.public_url),
            next_cursor=None if tokens.after is None else http.cursors.issue(bound, str(tokens.after)),
            index=index_view(checkpoint, now=http.now()),
        )
    )
