"""The index in DynamoDB.

The checkpoint's condition is `no_checkpoint_yet` or `last_revision`; those of a block's items are in
`dynamo_writes`. What is set aside for an item lies in BLOCKS too, in a partition of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection as AbstractCollection
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from mintline.aws.changes import key_of
from mintline.aws.dynamo import (
    Change,
    Clause,
    ConditionFailed,
    Delete,
    Dynamo,
    Item,
    Put,
    TransactionCancelled,
)
from mintline.aws.operations import primary_key
from mintline.aws.records import (
    balance_place,
    from_item,
    read,
    read_operation_item,
    readable,
    row_place,
    to_item,
    token_place,
)
from mintline.errors import Unreadable
from mintline.frozen import Frozen
from mintline.records.index import LAYOUT, Balance, Token, Transfer
from mintline.records.keys import row_shards, token_ref
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction, TransactionKey, as_far_as_any, carried_by
from mintline.resource_types import Table
from mintline.resources import (
    ATTEMPTS,
    BALANCES,
    BLOCKS,
    CHECKPOINTS,
    FOLLOWED,
    MINTS,
    TOKENS,
    TRANSACTIONS,
    TRANSFERS,
)
from mintline.set_aside import SetAside
from mintline.states import MintStatus, TransactionState
from mintline.tasks import results_of
from mintline_indexer.dynamo_changes import FENCE
from mintline_indexer.dynamo_finalizing import finalize_mints, finalize_transactions
from mintline_indexer.dynamo_items import (
    CheckpointItem,
    FollowedItem,
    aside_partition,
    attempt_of,
    checkpoint_item,
    place_item,
    progress_of,
)
from mintline_indexer.dynamo_writes import take_back_rows, write_rows
from mintline_indexer.store_port import (
    NO_CONTRACTS,
    NONE_KNOWN,
    Aside,
    Attempted,
    BalanceKey,
    CheckpointConflict,
    Damaged,
    Progress,
    Refused,
    TakeBack,
    TokenKey,
    UndoRecord,
    Write,
)

RecordT = TypeVar("RecordT", bound=Frozen)

ROWS_PAGE = 50
CONTRACTS_PAGE = 2_000
QUERIES_AT_ONCE = 32
_BY_TOKEN = MINTS.index("by_token")


class DynamoStore:
    """The tables of one chain."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._chain = str(chain_id)
        self._set_aside = set_aside or SetAside()

    async def load(self) -> Progress | None:
        """Return the checkpoint, then read its contracts."""
        progress = await self.peek()
        if progress is None:
            return None
        places = await self._places(progress.index)
        return replace(
            progress,
            collections=tuple(name for name, following in places.items() if following is None),
            backfills={name: following for name, following in places.items() if following is not None},
        )

    async def peek(self) -> Progress | None:
        item = await self._dynamo.get(CHECKPOINTS, {"chain": self._chain})
        if item is None:
            return None
        checkpoint = _needed(CheckpointItem, CHECKPOINTS, item)
        if checkpoint.layout != LAYOUT:
            raise Damaged(
                f"checkpoints {self._chain} has layout {checkpoint.layout}, not {LAYOUT}: "
                "run `mintline operator migrate`, or the version that wrote it"
            )
        return progress_of(checkpoint)

    async def commit(self, progress: Progress, contracts: Mapping[str, int | None] = NO_CONTRACTS) -> None:
        """Write the checkpoint: alone, or in one transaction with contracts."""
        checkpoint = self._checkpoint(progress)
        try:
            if contracts:
                await self._dynamo.transact([checkpoint, *self._places_of(progress, contracts)])
            else:
                await self._dynamo.write(checkpoint)
        except (ConditionFailed, TransactionCancelled):
            raise CheckpointConflict("another writer moved the checkpoint") from None

    async def keep_undo(self, undo_records: Sequence[UndoRecord], aside: Sequence[Aside] = ()) -> None:
        """Store undo records, and what is set aside, 25 a request."""
        items = [self._row_item(record) for record in undo_records]
        items += [to_item(record) | self._aside_key(record.position) for record in aside]
        for error in await self._dynamo.write_each([Put(BLOCKS, item) for item in items]):
            if error is not None:
                raise error

    async def write(self, write: Write, *, fence: int, at: int) -> Refused:
        """Carry out changes, each by itself, 25 a request."""
        return await write_rows(self._dynamo, write, fence=fence, at=at)

    async def take_back(self, undo: TakeBack, *, fence: int, at: int) -> Refused:
        """Restore what items were, 100 a request."""
        refused = await take_back_rows(self._dynamo, self._chain_id, undo, fence=fence, at=at)
        for position in undo.aside:
            await self._dynamo.write(Delete(BLOCKS, self._aside_key(position)))
        return refused

    async def undo_records(self) -> list[UndoRecord]:
        shards = await asyncio.gather(
            *(self._partition(BLOCKS, shard, page=ROWS_PAGE) for shard in row_shards(self._chain_id))
        )
        undo_records = [_needed(UndoRecord, BLOCKS, item) for items in shards for item in items]
        return sorted(undo_records, key=lambda undo_record: undo_record.position)

    async def undo_record(self, position: str) -> UndoRecord | None:
        item = await self._dynamo.get(BLOCKS, self._row_key(position))
        return None if item is None else _needed(UndoRecord, BLOCKS, item)

    async def prune(self, positions: Sequence[str]) -> None:
        """Delete undo records, 25 a request."""
        await asyncio.gather(
            *(self._dynamo.write(Delete(BLOCKS, self._row_key(position))) for position in positions)
        )

    async def tokens(self, keys: Sequence[TokenKey]) -> dict[TokenKey, Token | None]:
        """Return tokens as they are stored; one that is unreadable is missing, and noted as set aside."""
        items = await asyncio.gather(*(self._dynamo.get(TOKENS, self._token_key(key)) for key in keys))
        tokens: dict[TokenKey, Token | None] = {}
        for key, item in zip(keys, items, strict=True):
            with suppress(Unreadable):
                tokens[key] = None if item is None else read(Token, TOKENS, item, self._set_aside)
        return tokens

    async def balances(self, keys: Sequence[BalanceKey], *, since: int) -> dict[BalanceKey, Balance | None]:
        """Return balances as they are stored, None for those of an earlier index."""
        places = [balance_place(self._chain_id, *key) for key in keys]
        items = await self._dynamo.get_each(BALANCES, places)
        balances: dict[BalanceKey, Balance | None] = {}
        for key, item in zip(keys, items, strict=True):
            if item is None or _fence_of(item) < since:
                balances[key] = None
                continue
            with suppress(Unreadable):
                balances[key] = read(Balance, BALANCES, item, self._set_aside)
        return balances

    async def attempts(self, tx_hashes: Sequence[bytes]) -> dict[bytes, Attempted]:
        keys: list[Item] = [{"tx_hash": "0x" + tx_hash.hex()} for tx_hash in tx_hashes]
        items = await asyncio.gather(*(self._dynamo.get(ATTEMPTS, key) for key in keys))
        return {
            tx_hash: attempt_of(item)
            for tx_hash, item in zip(tx_hashes, items, strict=True)
            if item is not None
        }

    async def transactions(
        self, places: AbstractCollection[TransactionKey]
    ) -> dict[TransactionKey, Transaction]:
        """Return the transactions that are on record and readable; the others are noted as set aside."""
        items = await asyncio.gather(
            *(self._dynamo.get(TRANSACTIONS, primary_key(place)) for place in places)
        )
        there = (item for item in items if item is not None)
        records = readable(Transaction, TRANSACTIONS, there, self._set_aside)
        return {transaction.key: transaction for _, transaction in records}

    async def operations(
        self, operation_ids: Sequence[str], known: Mapping[TransactionKey, Transaction] = NONE_KNOWN
    ) -> dict[str, Operation]:
        """Return the operations that exist and are readable; the others are noted as set aside."""
        items = await self._dynamo.get_each(MINTS, [{"mint_id": each} for each in operation_ids])
        operations: list[Operation] = []
        for item in items:
            with suppress(Unreadable):
                operations += [] if item is None else [read_operation_item(item, self._set_aside)]
        carrying = {place for operation in operations if (place := carried_by(operation)) is not None}
        transactions = {**known, **await self.transactions(carrying - known.keys())}
        return {operation.operation_id: as_far_as_any(operation, transactions) for operation in operations}

    async def vouchers(self, keys: Sequence[TokenKey]) -> dict[TokenKey, str]:
        """Return the self-custody mints of tokens: a query each, for an index has no batch reads."""

        async def find(key: TokenKey) -> str | None:
            ref = token_ref(self._chain_id, key.contract, key.token_id)
            page = await self._dynamo.query(MINTS, index=_BY_TOKEN, partition=ref, limit=1)
            return str(page.items[0]["mint_id"]) if page.items else None

        pairs = zip(keys, await results_of(keys, find, at_once=QUERIES_AT_ONCE), strict=True)
        return {key: mint_id for key, mint_id in pairs if mint_id is not None}

    async def minting(self, key: TokenKey) -> Transfer | None:
        """Return the transfer that made a token, its oldest; None if that is unreadable."""
        ref = token_ref(self._chain_id, key.contract, key.token_id)
        page = await self._dynamo.query(TRANSFERS, partition=ref, limit=1)
        transfers = readable(Transfer, TRANSFERS, page.items, self._set_aside)
        return next((transfer for _, transfer in transfers), None)

    async def finalize(self, mint_ids: Sequence[str], *, at: int) -> dict[str, MintStatus | None]:
        """Move mined mints to finalized and close reverted ones, 25 a request."""
        return await finalize_mints(self._dynamo, self._set_aside, mint_ids, at=at)

    async def finalize_transactions(
        self, places: Sequence[TransactionKey], *, at: int
    ) -> dict[TransactionKey, TransactionState | None]:
        """Move mined transactions to final, 25 a request."""
        return await finalize_transactions(self._dynamo, self._set_aside, places, at=at)

    def _checkpoint(self, progress: Progress) -> Put:
        if progress.revision == 1:
            last = Clause("no_checkpoint_yet", "chain", "missing")
        else:
            last = Clause("last_revision", "revision", "eq", (progress.revision - 1,))
        return Put(CHECKPOINTS, to_item(checkpoint_item(self._chain, progress)), where=(last,))

    async def _places(self, index: str) -> dict[str, int | None]:
        """Return the contracts by their addresses: each with its next block, None once it is at the head."""
        places: dict[str, int | None] = {}
        for item in await self._partition(FOLLOWED, self._chain, page=CONTRACTS_PAGE):
            place = _needed(FollowedItem, FOLLOWED, item)
            if place.index == index:
                places[place.contract] = place.next_block
        return places

    def _places_of(self, progress: Progress, contracts: Mapping[str, int | None]) -> Iterator[Change]:
        """Yield what is written in FOLLOWED."""
        for name, following in contracts.items():
            yield Put(FOLLOWED, place_item(self._chain, name, following, index=progress.index))

    async def _partition(self, table: Table, partition: str, *, page: int) -> list[Item]:
        items: list[Item] = []
        start: Item | None = None
        while True:
            result = await self._dynamo.query(table, partition=partition, limit=page, start=start)
            items += result.items
            if result.next is None:
                return items
            start = result.next

    def _token_key(self, key: TokenKey) -> Item:
        return token_place(self._chain_id, *key)

    def _row_key(self, position: str) -> Item:
        return row_place(self._chain_id, position)

    def _aside_key(self, position: str) -> Item:
        return {"chain": aside_partition(self._chain_id), "position": position}

    def _row_item(self, undo_record: UndoRecord) -> Item:
        # With its nulls: a token's absent owner is part of what an undo restores.
        item: Item = undo_record.model_dump(mode="json")
        return item | self._row_key(undo_record.position)


def _needed(model: type[RecordT], table: Table, item: Item) -> RecordT:
    """Return a record that the index cannot do without; raises Damaged, which names it."""
    try:
        return from_item(model, item)
    except Unreadable as error:
        key = "/".join(str(value) for value in key_of(table, item).values())
        raise Damaged(f"{table.name} {key} is not valid: {error}") from None


def _fence_of(item: Item) -> int:
    fence = item.get(FENCE)
    return fence if isinstance(fence, int) else 0
