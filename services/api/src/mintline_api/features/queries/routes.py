"""Operations on collections' holders, and on the transfers of collections and wallets."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aiohttp import web

from mintline.query_keys import transfer_shards
from mintline.records.keys import scoped
from mintline.scopes import Scope
from mintline_api.auth.callers import read_caller
from mintline_api.chain import ChainReader
from mintline_api.features.contracts.models import ContractPath, TokenPath
from mintline_api.features.contracts.problems import UNKNOWN_CONTRACT
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.features.pages import read_page
from mintline_api.features.queries import examples
from mintline_api.features.queries.holders import (
    ItemHolder,
    ItemHolderPage,
    read_holders,
    read_item_holders,
)
from mintline_api.features.queries.models import (
    HolderList,
    HolderView,
    ItemHolderList,
    ItemHolderView,
    ListedTransfer,
    ListedTransferList,
    RangeQuery,
    WalletTransfersQuery,
)
from mintline_api.features.queries.ports import LAST_TIME, Partition, QueryIndex, Within
from mintline_api.features.queries.problems import QUERY_NOT_KEPT
from mintline_api.features.queries.transfers import block_range, read_transfers, upper_moment
from mintline_api.features.tokens.models import OwnerPath, index_view, transfer_view
from mintline_api.features.tokens.problems import UNKNOWN_TOKEN
from mintline_api.features.tokens.use_cases import unknown_token
from mintline_api.http.context import HTTP
from mintline_api.http.models import PageQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import INVALID_CURSOR, INVALID_PARAMETER, Fault, RequestRefused
from mintline_api.http.requests import read_path, read_query
from mintline_api.http.responses import json_response


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryReads:
    """What it takes to list holders and transfers; `kept` names the indexes that the deployment has."""

    chain_id: int
    collections: CollectionRegistry
    index: QueryIndex
    chain: ChainReader | None
    kept: Collection[str]

    def require(self, *indexes: str) -> None:
        """Raise RequestRefused unless the deployment has these indexes."""
        if missing := [name for name in indexes if name not in self.kept]:
            raise RequestRefused(
                QUERY_NOT_KEPT, f"This deployment does without the index `{'`, `'.join(missing)}`."
            )


QUERIES = web.AppKey("queries", QueryReads)
operations = Operations(
    "Holders and transfers",
    "Who holds a collection, and what was transferred, as the index knows it.",
    reads=Scope.TOKENS_READ,
)


@operations.add(
    "GET",
    "/v1/collections/{contract}/holders",
    clients=True,
    summary="A collection's holders",
    description="Every address that owns tokens of the collection, with their number. It is counted while "
    "the list is read, so a page has fewer holders than `limit` where some have very many tokens. A token "
    "that changes its owner while the list is walked may be counted twice, or not at all.",
    path_model=ContractPath,
    query_model=PageQuery,
    answers=(Answer(200, "A page of holders.", HolderList, examples.HOLDERS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR, UNKNOWN_CONTRACT, QUERY_NOT_KEPT),
)
async def read_collection_holders(request: web.Request) -> web.Response:
    """Return a page of a collection's holders."""
    http, reads = request.app[HTTP], request.app[QUERIES]
    await read_caller(request)
    path, query = read_path(request, ContractPath), read_query(request, PageQuery)
    bound = ("holders", path.contract)
    page = read_page(request, bound, query)
    items = (await reads.collections.known(path.contract)).standard == "erc1155"
    reads.require("by_holder")
    checkpoint = await reads.index.checkpoint()
    holder_page = await read_holders(
        reads.index, path.contract, items=items, limit=page.limit, after=page.after
    )
    return json_response(
        HolderList(
            chain_id=reads.chain_id,
            contract=path.contract,
            items=[
                HolderView(owner=holder.owner, balance=holder.balance, more=holder.more)
                for holder in holder_page.holders
            ],
            next_cursor=None if holder_page.after is None else http.cursors.issue(bound, holder_page.after),
            index=index_view(checkpoint, now=http.now()),
        )
    )


@operations.add(
    "GET",
    "/v1/tokens/{contract}/{token_id}/holders",
    clients=True,
    summary="A token's holders",
    description="Every address that has some of an ERC-1155 token, and how many, by address; the owner of an "
    "ERC-721 token. A holder that gets or gives some while the list is walked may be missing.",
    path_model=TokenPath,
    query_model=PageQuery,
    answers=(Answer(200, "A page of holders.", ItemHolderList, examples.ITEM_HOLDERS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR, UNKNOWN_CONTRACT, UNKNOWN_TOKEN, QUERY_NOT_KEPT),
)
async def read_token_holders(request: web.Request) -> web.Response:
    """Return a page of a token's holders."""
    http, reads = request.app[HTTP], request.app[QUERIES]
    await read_caller(request)
    path, query = read_path(request, TokenPath), read_query(request, PageQuery)
    bound = ("token-holders", path.contract, str(path.token_id))
    page = read_page(request, bound, query)
    await reads.collections.known(path.contract)
    checkpoint = await reads.index.checkpoint()
    token = await reads.index.token(path.contract, path.token_id)
    if token is None:
        raise unknown_token(path.contract, path.token_id)
    if token.standard is None:
        owner = () if token.owner is None else (ItemHolder(token.owner, 1),)
        holder_page = ItemHolderPage(owner if page.after is None else (), None)
    else:
        reads.require("by_item")
        holder_page = await read_item_holders(
            reads.index, path.contract, path.token_id, limit=page.limit, after=page.after
        )
    return json_response(
        ItemHolderList(
            chain_id=reads.chain_id,
            contract=path.contract,
            token_id=path.token_id,
            items=[
                ItemHolderView(owner=holder.owner, quantity=holder.quantity) for holder in holder_page.holders
            ],
            next_cursor=None if holder_page.after is None else http.cursors.issue(bound, holder_page.after),
            index=index_view(checkpoint, now=http.now()),
        )
    )


@operations.add(
    "GET",
    "/v1/collections/{contract}/transfers",
    clients=True,
    summary="A collection's transfers",
    description="Every transfer, mint and burn of a collection's tokens, newest first, within a range of "
    "blocks or of time.",
    path_model=ContractPath,
    query_model=RangeQuery,
    answers=(Answer(200, "A page of transfers.", ListedTransferList, examples.TRANSFERS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR, UNKNOWN_CONTRACT, QUERY_NOT_KEPT),
)
async def read_collection_transfers(request: web.Request) -> web.Response:
    """Return a page of a collection's transfers."""
    reads = request.app[QUERIES]
    await read_caller(request)
    path, query = read_path(request, ContractPath), read_query(request, RangeQuery)
    await reads.collections.known(path.contract)
    reads.require("by_contract")
    shards = transfer_shards(reads.chain_id, path.contract)
    partitions = [Partition("by_contract", shard) for shard in shards]
    return await _list(request, ("collection-transfers", path.contract), query, partitions, contract=None)


@operations.add(
    "GET",
    "/v1/owners/{address}/transfers",
    clients=True,
    summary="A wallet's transfers",
    description="Every transfer, mint and burn by which an address got or gave a token, newest first, within "
    "a range of blocks or of time. With `contract`, the other collections' are read over: a page may be "
    "short, even empty, and still have a `next_cursor`.",
    path_model=OwnerPath,
    query_model=WalletTransfersQuery,
    answers=(Answer(200, "A page of transfers.", ListedTransferList, examples.TRANSFERS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR, UNKNOWN_CONTRACT, QUERY_NOT_KEPT),
)
async def read_wallet_transfers(request: web.Request) -> web.Response:
    """Return a page of a wallet's transfers."""
    reads = request.app[QUERIES]
    await read_caller(request)
    path, query = read_path(request, OwnerPath), read_query(request, WalletTransfersQuery)
    if query.contract is not None:
        await reads.collections.known(query.contract)
    wallet = scoped(reads.chain_id, path.address)
    partitions = []
    if query.direction != "in":
        partitions.append(Partition("by_sender", wallet))
    if query.direction != "out":
        partitions.append(Partition("by_recipient", wallet))
    reads.require(*(partition.index for partition in partitions))
    bound = ("wallet-transfers", path.address, query.direction or "", query.contract or "")
    return await _list(request, bound, query, partitions, contract=query.contract)


async def _list(
    request: web.Request,
    bound: Sequence[str],
    query: RangeQuery,
    partitions: Sequence[Partition],
    *,
    contract: str | None,
) -> web.Response:
    """Return a page of the partitions' transfers; `bound` names the list without its range."""
    http, reads = request.app[HTTP], request.app[QUERIES]
    within = _within(query)
    limits = (within.blocks.first, within.blocks.last, within.first_time, within.last_time)
    bound = (*bound, *map(str, limits))
    page = read_page(request, bound, query)
    checkpoint = await reads.index.checkpoint()
    head = 0 if checkpoint is None else checkpoint.head_number
    chain = reads.chain if page.after is None else None
    transfer_page = await read_transfers(
        reads.index,
        partitions,
        within=within,
        contract=contract,
        upper=await upper_moment(within, head=head, chain=chain),
        after=page.after,
        limit=page.limit,
    )
    return json_response(
        ListedTransferList(
            items=[
                ListedTransfer(
                    **dict(transfer_view(transfer, checkpoint)),
                    chain_id=reads.chain_id,
                    contract=transfer.contract,
                    token_id=transfer.token_id,
                )
                for transfer in transfer_page.transfers
            ],
            next_cursor=None
            if transfer_page.after is None
            else http.cursors.issue(bound, transfer_page.after),
            index=index_view(checkpoint, now=http.now()),
        )
    )


def _within(query: RangeQuery) -> Within:
    """Return the range that a request asks for; raises RequestRefused if it ends before it begins."""
    blocks = block_range(query.from_block, query.to_block)
    first = 0 if query.from_time is None else max(0, math.ceil(query.from_time.timestamp()))
    last = LAST_TIME if query.to_time is None else min(LAST_TIME, math.floor(query.to_time.timestamp()))
    for name, reversed_ in (("block", blocks.last < blocks.first), ("time", last < first)):
        if reversed_:
            fault = Fault(f"expected the value of `from_{name}` or a later one", parameter=f"to_{name}")
            raise RequestRefused(INVALID_PARAMETER, f"to_{name}: {fault.detail}.", faults=[fault])
    return Within(blocks, first, last)
