"""Reads what a range of final blocks is compared by, a few blocks at a time.

Only final blocks that are indexed are compared: their effects are on record, and nothing undoes them. So
mints in flight and an index that lags are no differences. The cost of a range is bounded by its blocks and
the mints in them, not by the tables: mints are found by the block that they or their transactions are
recorded in, by the transactions and tokens of the range's events, and by the indexes of what is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from mintline.aws.dynamo import Dynamo, Item, Value
from mintline.aws.operations import primary_key
from mintline.aws.records import from_item, operation_from, token_place
from mintline.clock import UnixSeconds
from mintline.errors import Misconfigured, Unavailable, Unreadable
from mintline.frozen import Frozen
from mintline.records.index import Token, Transfer
from mintline.records.keys import OPEN_SHARDS, block_shards, position, token_ref
from mintline.records.operations import Mint, Operation, TokenOperation
from mintline.records.transactions import Transaction, TransactionKey, as_far_as_any, carried_by
from mintline.resource_types import Table
from mintline.resources import MINTS, TOKENS, TRANSACTIONS, TRANSFERS
from mintline_indexer.chain_port import ChainReader, Event, ItemMintedEvent, RangeTooWide, TransferEvent
from mintline_indexer.dynamo_items import transfer_place
from mintline_indexer.dynamo_store import DynamoStore
from mintline_indexer.kinds import TokenChanges
from mintline_indexer.reading import moving
from mintline_indexer.reconciler.books import ENDED, Books
from mintline_indexer.reconciler.findings import Finding, unreadable
from mintline_indexer.reconciler.item_balances import (
    NOTHING_HELD,
    HeldItems,
    held_on_chain,
    holders_of,
)
from mintline_indexer.reconciler.operations import done_by
from mintline_indexer.store_port import Damaged, Progress, TokenKey

CHUNK = 25
"""Blocks that are compared at once."""
WIDTH = 5_000
"""Blocks whose events are asked for at once at most; halved when the node refuses."""
PAGE = 1_000
"""Keys of one block that an index is asked for at once."""
MOST_OPEN = 250
"""Open mints, and transactions, of each shard that are read, oldest first: no others have waited longer."""
QUERIES_AT_ONCE = 16

RecordT = TypeVar("RecordT", bound=Frozen)
_TRANSACTION = partial(from_item, Transaction)
_TOKEN = partial(from_item, Token)
_TRANSFER = partial(from_item, Transfer)


@dataclass(frozen=True, slots=True)
class Range:
    """Blocks to check, both ends included."""

    first: int
    last: int


class Reader:
    """Reads one deployment's records and chain. `now` is in Unix seconds, `patience` in seconds."""

    def __init__(self, *, dynamo: Dynamo, chain: ChainReader, chain_id: int, patience: float) -> None:
        self._dynamo = dynamo
        self._chain = chain
        self._chain_id = chain_id
        self._patience = patience
        self._index = DynamoStore(dynamo, chain_id=chain_id)
        self._places = asyncio.Semaphore(QUERIES_AT_ONCE)
        self._unreadable: dict[tuple[str, str], Finding] = {}

    async def progress(self) -> Progress:
        """Return where the index stands.

        Raises Unavailable without an index, with a damaged one, or when the nodes do not agree with its
        final block.
        """
        try:
            progress = await self._index.load()
        except Damaged as error:
            raise Unavailable(str(error)) from error
        if progress is None:
            raise Unavailable(f"no index of chain {self._chain_id} yet")
        if not await self._chain.confirmed(progress.finalized):
            raise Unavailable(
                f"the nodes do not confirm block {progress.finalized.number}, final in the index"
            )
        return progress

    async def books(self, progress: Progress, blocks: Range, *, now: UnixSeconds) -> AsyncIterator[Books]:
        """Yield what is compared, in pieces of `CHUNK` blocks, the open mints with the last one."""
        # A batch that failed is in its block, and its mints are open: they are reported once.
        under_way: set[str] = set()
        for first in range(blocks.first, blocks.last + 1, CHUNK):
            last = min(blocks.last, first + CHUNK - 1)
            self._unreadable.clear()
            events = await events_between(self._chain, first, last, progress.collections)
            tokens, operations = await self._records(first, last, events)
            if last == blocks.last:
                new = await self._open_ids() - operations.keys() - under_way
                operations |= await self._operations(new)
            under_way |= {
                operation.operation_id for operation in operations.values() if operation.status not in ENDED
            }
            token_operations = [
                operation for operation in operations.values() if isinstance(operation, TokenOperation)
            ]
            yield Books(
                first=first,
                last=last,
                head=blocks.last,
                mints=[operation for operation in operations.values() if isinstance(operation, Mint)],
                tokens=tokens,
                token_operations=token_operations,
                transfers=await self._transfers(transfer_keys(token_operations, events)),
                events=events,
                held=await self._held(events, blocks.last),
                now=now,
                patience=self._patience,
                unreadable=list(self._unreadable.values()),
            )

    async def _held(self, events: Sequence[Event], last: int) -> HeldItems:
        """Return the balances that events change, by the index and by the chain after block `last`."""
        keys = holders_of(events)
        if not keys:
            return NOTHING_HELD
        indexed, on_chain = await asyncio.gather(
            self._index.balances(sorted(keys, key=str), since=0),
            held_on_chain(self._chain, keys, block=last),
        )
        return HeldItems(last, indexed, on_chain)

    async def _records(
        self, first: int, last: int, events: Sequence[Event]
    ) -> tuple[list[Token], dict[str, Operation]]:
        """Return the tokens made and the operations of these blocks, by the index and by the chain."""
        recorded = await self._operations(await self._ids_of_blocks(range(first, last + 1)))
        mintings = [event for event in events if isinstance(event, TransferEvent) and event.sender is None]
        items = [event for event in events if isinstance(event, ItemMintedEvent)]
        keys = {TokenKey(event.contract, event.token_id) for event in mintings}
        keys |= {TokenKey(event.contract, event.token_id) for event in items}
        keys |= _tokens_of(recorded)
        tokens = await self._tokens(sorted(keys))
        attempts = await self._index.attempts(sorted(moving(events)))
        ids = {token.mint_id for token in tokens.values() if token.mint_id is not None}
        ids |= {attempted.mint_id for attempted in attempts.values() if attempted.mint_id is not None}
        ids |= await self._ids_of({attempt.key for attempt in attempts.values() if attempt.key is not None})
        operations = recorded | await self._operations(ids - recorded.keys())
        unknown = {TokenKey(event.contract, event.token_id) for event in mintings} - _tokens_of(operations)
        vouchers = await self._index.vouchers(sorted(unknown))
        operations |= await self._operations(set(vouchers.values()) - operations.keys())
        return list(tokens.values()), operations

    async def _ids_of_blocks(self, blocks: Iterable[int]) -> set[str]:
        """Return the operations of blocks, by their own records and by the transactions that carry them."""
        shards = [shard for number in blocks for shard in block_shards(number)]
        reads = (
            self._dynamo.query_sparse(table, index=table.index("in_block"), partitions=shards, limit=PAGE)
            for table in (MINTS, TRANSACTIONS)
        )
        return await self._ids_by(await asyncio.gather(*reads))

    async def _open_ids(self) -> set[str]:
        queries = [
            self._open_keys(table, str(shard))
            for table in (MINTS, TRANSACTIONS)
            for shard in range(OPEN_SHARDS)
        ]
        return await self._ids_by(await asyncio.gather(*queries))

    async def _ids_by(self, pages: Iterable[Iterable[Item]]) -> set[str]:
        """Return the operations that keys of them and of transactions lead to."""
        keys = [item for items in pages for item in items]
        ids = {str(item["mint_id"]) for item in keys if "mint_id" in item}
        return ids | await self._ids_of(
            {
                TransactionKey(str(item["sender_id"]), _number(item["nonce"]))
                for item in keys
                if "nonce" in item
            }
        )

    async def _ids_of(self, places: Collection[TransactionKey]) -> set[str]:
        """Return the operations that transactions carry."""
        transactions = await self._transactions(places)
        return {mint_id for transaction in transactions.values() for mint_id in transaction.operations}

    async def _open_keys(self, table: Table, shard: str) -> list[Item]:
        async with self._places:
            page = await self._dynamo.query(
                table, index=table.index("open"), partition=shard, limit=MOST_OPEN
            )
        return page.items

    async def _operations(self, operation_ids: Iterable[str]) -> dict[str, Operation]:
        """Return operations as they stand."""
        ids = sorted(operation_ids)
        items = await asyncio.gather(*(self._dynamo.get(MINTS, {"mint_id": mint_id}) for mint_id in ids))
        stored = []
        for mint_id, item in zip(ids, items, strict=True):
            operation = None if item is None else self._read(operation_from, item, MINTS.name, mint_id)
            if operation is not None and operation.chain_id == self._chain_id:
                stored.append(operation)
        places = {place for operation in stored if (place := carried_by(operation)) is not None}
        transactions = await self._transactions(places)
        return {operation.operation_id: as_far_as_any(operation, transactions) for operation in stored}

    async def _transactions(self, places: Collection[TransactionKey]) -> dict[TransactionKey, Transaction]:
        items = await asyncio.gather(
            *(self._dynamo.get(TRANSACTIONS, primary_key(place)) for place in places)
        )
        transactions = {}
        for place, item in zip(places, items, strict=True):
            name = f"{place.sender_id} {place.nonce}"
            transaction = None if item is None else self._read(_TRANSACTION, item, TRANSACTIONS.name, name)
            if transaction is not None:
                transactions[place] = transaction
        return transactions

    async def _tokens(self, keys: Sequence[TokenKey]) -> Mapping[TokenKey, Token]:
        items = await asyncio.gather(
            *(
                self._dynamo.get(TOKENS, token_place(self._chain_id, key.contract, key.token_id))
                for key in keys
            )
        )
        tokens = {}
        for key, item in zip(keys, items, strict=True):
            name = f"{key.contract} {key.token_id}"
            token = None if item is None else self._read(_TOKEN, item, TOKENS.name, name)
            if token is not None:
                tokens[key] = token
        return tokens

    async def _transfers(self, keys: Sequence[tuple[str, str]]) -> list[Transfer]:
        items = await asyncio.gather(*(self._dynamo.get(TRANSFERS, transfer_place(key)) for key in keys))
        transfers = []
        for key, item in zip(keys, items, strict=True):
            transfer = None if item is None else self._read(_TRANSFER, item, TRANSFERS.name, " ".join(key))
            if transfer is not None:
                transfers.append(transfer)
        return transfers

    def _read(self, decode: Callable[[Item], RecordT], item: Item, table: str, key: str) -> RecordT | None:
        """Return a record, or note that it cannot be read: one that is damaged does not hide the others."""
        try:
            return decode(item)
        except Unreadable as error:
            mint_id = key if table == MINTS.name else None
            self._unreadable[table, key] = unreadable(table, key, error, mint_id=mint_id)
            return None


def _tokens_of(operations: Mapping[str, Operation]) -> set[TokenKey]:
    """Return the tokens that mints are to make."""
    mints = (operation for operation in operations.values() if isinstance(operation, Mint))
    return {TokenKey(mint.contract, mint.token_id) for mint in mints if mint.token_id is not None}


def transfer_keys(operations: Iterable[TokenOperation], events: Sequence[Event]) -> list[tuple[str, str]]:
    """Return the keys in TRANSFERS of the events by which transfers and burns were done."""
    changes = TokenChanges.of(events)
    keys = set()
    for operation in operations:
        if (move := done_by(operation, changes)) is not None:
            ref = token_ref(operation.chain_id, move.contract, move.token_id)
            keys.add((ref, position(move.block_number, move.log_index)))
    return sorted(keys)


def _number(value: Value) -> int:
    assert isinstance(value, int), "a sort key of numbers"
    return value


async def events_between(chain: ChainReader, first: int, last: int, contracts: Sequence[str]) -> list[Event]:
    """Return the contracts' events of a range of blocks, in order, in as many pieces as the node wants."""
    events: list[Event] = []
    width = WIDTH
    while contracts and first <= last:
        end = min(last, first + width - 1)
        try:
            events += await chain.events_between(first, end, contracts)
        except RangeTooWide as error:
            if end == first:
                raise Misconfigured(f"no node gives the events of block {first} alone: {error}") from error
            width = max(1, (end - first + 1) // 2)
            continue
        first = end + 1
    return events
