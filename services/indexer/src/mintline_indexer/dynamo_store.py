"""The index in DynamoDB.

The condition of every transaction, in the order that its clauses are looked at:

::

    checkpoints  no_checkpoint_yet | last_revision ─▶ CheckpointConflict
    tokens       not_minted_before                 ─▶ RecordConflict
    transactions legal_source, in_the_undone_block ─▶ RecordConflict
    mints        legal_source, stored_source, in_the_undone_block ─▶ RecordConflict

An item that DynamoDB refuses for what it holds is Poisoned. What is set aside for it lies in BLOCKS too, in a
partition of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Collection as AbstractCollection
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
    Update,
)
from mintline.aws.records import (
    from_item,
    read,
    read_operation_item,
    readable,
    row_place,
    to_item,
    token_place,
    transition,
)
from mintline.aws.standing import moved, transaction_key
from mintline.errors import Unreadable, Unwritable
from mintline.messages import Frozen
from mintline.records import LAYOUT, Operation, Token, Transfer, row_shards, token_ref
from mintline.resources import (
    ATTEMPTS,
    BLOCKS,
    CHECKPOINTS,
    FOLLOWED,
    MINTS,
    TOKENS,
    TRANSACTIONS,
    TRANSFERS,
    Table,
)
from mintline.set_aside import SetAside
from mintline.states import MintStatus, TransactionState
from mintline.transaction_records import Place, Transaction, as_far_as_any, carried_by
from mintline_indexer.dynamo_changes import IS_MINED, closed, record_changes
from mintline_indexer.dynamo_items import (
    CheckpointItem,
    FollowedItem,
    aside_partition,
    attempt_of,
    checkpoint_item,
    place_item,
    progress_of,
    token_item,
    transfer_item,
    transfer_place,
)
from mintline_indexer.effects import transfer_key
from mintline_indexer.store_port import (
    NONE_KNOWN,
    Attempted,
    CheckpointConflict,
    Damaged,
    Poisoned,
    Progress,
    RecordConflict,
    TokenKey,
    TokenWrite,
    UndoRecord,
    Write,
)

RecordT = TypeVar("RecordT", bound=Frozen)

ROWS_PAGE = 50
CONTRACTS_PAGE = 2_000
QUERIES_AT_ONCE = 32
_BY_TOKEN = MINTS.index("by_token")
_Guarded = dict[int, "TokenKey | str | Place"]
"""What the conditions of a write's changes guard, by their place among these."""


KeyT = TypeVar("KeyT")
StageT = TypeVar("StageT", MintStatus, TransactionState)


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
        """Return the checkpoint without its contracts."""
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

    async def commit(self, progress: Progress, write: Write) -> None:
        """Write both in one transaction, or raise CheckpointConflict or RecordConflict."""
        changes: list[Change] = [self._checkpoint(progress), *self._places_of(progress, write)]
        changes += self._rows_of(write)
        guarded: _Guarded = {}
        made: dict[int, tuple[str, str]] = {}
        for token in write.tokens:
            guarded[len(changes)] = token.key
            changes.append(self._token(token))
        for transfer in write.transfers:
            made[len(changes)] = transfer_key(transfer)
            changes.append(Put(TRANSFERS, transfer_item(transfer)))
        changes += [Delete(TRANSFERS, transfer_place(key)) for key in write.erased_transfers]
        for key, change in record_changes(write, progress.at):
            guarded[len(changes)] = key
            changes.append(change)
        try:
            await self._dynamo.transact(changes)
        except TransactionCancelled as cancelled:
            failed = [i for i, why in enumerate(cancelled.reasons) if why.code == "ConditionalCheckFailed"]
            if 0 in failed:
                raise CheckpointConflict("another writer moved the checkpoint") from None
            named = _Named(guarded[i] for i in failed if i in guarded)
            raise RecordConflict(
                tokens=named.tokens, mints=named.mints, transactions=named.transactions
            ) from None
        except Unwritable as error:
            named = _Named(guarded[i] for i in error.places if i in guarded)
            raise Poisoned(
                str(error),
                tokens=named.tokens,
                transfers=[made[i] for i in error.places if i in made],
                mints=named.mints,
                transactions=named.transactions,
            ) from None

    async def undo_records(self) -> list[UndoRecord]:
        """Return every undo record, oldest first."""
        shards = await asyncio.gather(
            *(self._partition(BLOCKS, shard, page=ROWS_PAGE) for shard in row_shards(self._chain_id))
        )
        undo_records = [_needed(UndoRecord, BLOCKS, item) for items in shards for item in items]
        return sorted(undo_records, key=lambda undo_record: undo_record.position)

    async def undo_record(self, position: str) -> UndoRecord | None:
        """Return one undo record, whole."""
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
        found: dict[TokenKey, Token | None] = {}
        for key, item in zip(keys, items, strict=True):
            with suppress(Unreadable):
                found[key] = None if item is None else read(Token, TOKENS, item, self._set_aside)
        return found

    async def attempts(self, tx_hashes: Sequence[bytes]) -> dict[bytes, Attempted]:
        """Return those of the transactions that were signed for us."""
        keys: list[Item] = [{"tx_hash": "0x" + tx_hash.hex()} for tx_hash in tx_hashes]
        items = await asyncio.gather(*(self._dynamo.get(ATTEMPTS, key) for key in keys))
        return {
            tx_hash: attempt_of(item)
            for tx_hash, item in zip(tx_hashes, items, strict=True)
            if item is not None
        }

    async def transactions(self, places: AbstractCollection[Place]) -> dict[Place, Transaction]:
        """Return the transactions that are on record and readable; the others are noted as set aside."""
        items = await asyncio.gather(
            *(self._dynamo.get(TRANSACTIONS, transaction_key(place)) for place in places)
        )
        there = (item for item in items if item is not None)
        found = readable(Transaction, TRANSACTIONS, there, self._set_aside)
        return {transaction.place: transaction for _, transaction in found}

    async def operations(
        self, operation_ids: Sequence[str], known: Mapping[Place, Transaction] = NONE_KNOWN
    ) -> dict[str, Operation]:
        """Return the operations that exist and are readable; the others are noted as set aside."""
        items = await asyncio.gather(*(self._dynamo.get(MINTS, {"mint_id": each}) for each in operation_ids))
        found: list[Operation] = []
        for item in items:
            with suppress(Unreadable):
                found += [] if item is None else [read_operation_item(item, self._set_aside)]
        carrying = {place for one in found if (place := carried_by(one)) is not None}
        transactions = {**known, **await self.transactions(carrying - known.keys())}
        return {one.operation_id: as_far_as_any(one, transactions) for one in found}

    async def vouchers(self, keys: Sequence[TokenKey]) -> dict[TokenKey, str]:
        """Return the self-custody mints of tokens: a query each, for an index has no batch reads."""
        places = asyncio.Semaphore(QUERIES_AT_ONCE)

        async def find(key: TokenKey) -> str | None:
            ref = token_ref(self._chain_id, key.contract, key.token_id)
            async with places:
                page = await self._dynamo.query(MINTS, index=_BY_TOKEN, partition=ref, limit=1)
            return str(page.items[0]["mint_id"]) if page.items else None

        found = zip(keys, await asyncio.gather(*map(find, keys)), strict=True)
        return {key: mint_id for key, mint_id in found if mint_id is not None}

    async def minting(self, key: TokenKey) -> Transfer | None:
        """Return the transfer that made a token, its oldest; None if that is unreadable."""
        ref = token_ref(self._chain_id, key.contract, key.token_id)
        page = await self._dynamo.query(TRANSFERS, partition=ref, limit=1)
        found = readable(Transfer, TRANSFERS, page.items, self._set_aside)
        return next((transfer for _, transfer in found), None)

    async def finalize(self, mint_ids: Sequence[str], *, at: int) -> dict[str, MintStatus | None]:
        """Move mined mints to finalized and close reverted ones, 25 a request."""
        finalized: Item = {"finalized_at": at}
        updates = [transition(mint_id, MintStatus.FINALIZED, at=at, set=finalized) for mint_id in mint_ids]
        refused = await self._refused(mint_ids, updates, _status)
        reverted = [mint_id for mint_id, status in refused.items() if status is MintStatus.REVERTED]
        await self._refused(reverted, [closed(mint_id) for mint_id in reverted], _status)
        return refused

    async def finalize_transactions(
        self, places: Sequence[Place], *, at: int
    ) -> dict[Place, TransactionState | None]:
        """Move mined transactions to final, 25 a request."""
        finalized: Item = {"finalized_at": at}
        updates = [
            moved(place, TransactionState.FINAL, at=at, set=finalized, where=(IS_MINED,)) for place in places
        ]
        return await self._refused(places, updates, _state)

    async def _refused(
        self,
        keys: Sequence[KeyT],
        updates: Sequence[Update],
        stage_of: Callable[[Item], StageT],
    ) -> dict[KeyT, StageT | None]:
        """Carry out updates of records; return those refused, each with the stage that its record is in."""

        async def write(update: Update) -> tuple[bool, StageT | None]:
            try:
                await self._dynamo.write(update)
            except ConditionFailed as failed:
                item = failed.item or await self._dynamo.get(update.table, update.key)
                return False, self._stage(update, item, stage_of)
            except Unwritable as error:
                self._note(update, error)
                return False, None
            return True, None

        outcomes = await asyncio.gather(*map(write, updates))
        return {key: stage for key, (written, stage) in zip(keys, outcomes, strict=True) if not written}

    def _stage(self, update: Update, item: Item | None, stage_of: Callable[[Item], StageT]) -> StageT | None:
        """Return a record's stage; None if it is missing or no stage, which is noted as set aside."""
        if item is None:
            return None
        try:
            return stage_of(item)
        except ValueError as error:
            self._note(update, error)
            return None

    def _note(self, update: Update, reason: object) -> None:
        key = "/".join(str(part) for part in update.key.values())
        self._set_aside.note(update.table.name, key, reason)

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

    def _rows_of(self, write: Write) -> Iterator[Change]:
        """Yield what a write changes in BLOCKS."""
        if write.undo_record is not None:
            yield Put(BLOCKS, self._row_item(write.undo_record))
        if write.erased_record is not None:
            yield Delete(BLOCKS, self._row_key(write.erased_record.position))
            yield from (Delete(BLOCKS, self._aside_key(one)) for one in write.erased_record.aside)
        yield from (Put(BLOCKS, to_item(one) | self._aside_key(one.position)) for one in write.aside)

    def _places_of(self, progress: Progress, write: Write) -> Iterator[Change]:
        """Yield what a write changes in FOLLOWED."""
        for name, following in write.contracts.items():
            yield Put(FOLLOWED, place_item(self._chain, name, following, index=progress.index))

    async def _partition(self, table: Table, partition: str, *, page: int) -> list[Item]:
        items: list[Item] = []
        start: Item | None = None
        while True:
            found = await self._dynamo.query(table, partition=partition, limit=page, start=start)
            items += found.items
            if found.next is None:
                return items
            start = found.next

    def _token(self, write: TokenWrite) -> Put | Delete:
        if write.after is None:
            return Delete(TOKENS, self._token_key(write.key))
        where = (Clause("not_minted_before", "token_ref", "missing"),) if write.assumed_new else ()
        return Put(TOKENS, token_item(write.after), where=where)

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


class _Named:
    """What some of a write's changes are about, by its kind."""

    def __init__(self, guarded: Iterable[TokenKey | str | Place]) -> None:
        found = list(guarded)
        self.tokens = [key for key in found if isinstance(key, TokenKey)]
        self.mints = [key for key in found if isinstance(key, str)]
        self.transactions = [key for key in found if isinstance(key, Place)]


def _status(item: Item) -> MintStatus:
    try:
        return MintStatus(str(item.get("status")))
    except ValueError:
        raise ValueError("Mint: status: enum") from None


def _state(item: Item) -> TransactionState:
    try:
        return TransactionState(str(item.get("state")))
    except ValueError:
        raise ValueError("Transaction: state: enum") from None
