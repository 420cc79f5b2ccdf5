"""Reads operations as they stand: the record, and the transaction that carries it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from mintline.aws.dynamo import Check, Clause, Dynamo, Item, Put, Update, Value
from mintline.aws.records import IN_BLOCK, OPEN, indexed, read, read_operation_item, to_item
from mintline.errors import Unreadable
from mintline.records.keys import open_shard
from mintline.records.operations import Attempt, Mint, Operation
from mintline.records.reopening import reopened, unclaimed
from mintline.records.transactions import (
    Transaction,
    TransactionKey,
    as_far_as,
    carried_by,
    open_key,
    sender_shard,
)
from mintline.resources import MINTS, TRANSACTIONS
from mintline.set_aside import SetAside
from mintline.states import MintStatus, TransactionState, transaction_sources

_COUNTERS = frozenset({"first_attempt", "sweeps"})
TRANSACTION_OPEN = ("open_shard", "open_key")
"""The attributes that keep a transaction in the index of open ones."""


async def read_operation(dynamo: Dynamo, operation_id: str, aside: SetAside) -> Operation | None:
    """Return an operation as it stands, read consistently; raises Unreadable, noted as set aside."""
    item = await dynamo.get(MINTS, {"mint_id": operation_id})
    return None if item is None else await with_transaction(dynamo, item, aside)


async def read_mint(dynamo: Dynamo, mint_id: str, aside: SetAside) -> Mint | None:
    """Return a mint as `read_operation` does; None if the id is of another kind of operation."""
    operation = await read_operation(dynamo, mint_id, aside)
    return operation if isinstance(operation, Mint) else None


async def with_transaction(dynamo: Dynamo, item: Item, aside: SetAside) -> Operation:
    """Return the operation of an item of `mints` as it stands; raises Unreadable, noted as set aside."""
    operation = read_operation_item(item, aside)
    place = carried_by(operation)
    if place is None:
        return operation
    return await _carried(dynamo, operation, await read_transaction(dynamo, place, aside), aside)


async def _carried(
    dynamo: Dynamo, operation: Operation, transaction: Transaction | None, aside: SetAside
) -> Operation:
    """Return an operation as it stands by the transaction that carries it, which was read after it."""
    advanced = as_far_as(operation, transaction)
    if operation.status is not MintStatus.BUILT or advanced.status is not MintStatus.REVERTED:
        return advanced
    # The write that made its transaction fail may have put another's success on the mint, after it was read.
    now = await dynamo.get(MINTS, {"mint_id": operation.operation_id})
    return advanced if now is None else as_far_as(read_operation_item(now, aside), transaction)


async def read_operations(dynamo: Dynamo, ids: Iterable[str], aside: SetAside) -> dict[str, Operation]:
    """Return the operations that exist and are readable, as they stand, by id.

    A transaction that carries hundreds of them is read once.
    """
    wanted = list(dict.fromkeys(ids))
    items = await dynamo.get_each(MINTS, [{"mint_id": operation_id} for operation_id in wanted])
    operations: list[Operation] = []
    for item in items:
        with suppress(Unreadable):
            operations += [] if item is None else [read_operation_item(item, aside)]
    places = list(
        dict.fromkeys(place for operation in operations if (place := carried_by(operation)) is not None)
    )
    carriers = await dynamo.get_each(TRANSACTIONS, [primary_key(place) for place in places])
    transactions: dict[TransactionKey | None, Transaction | None] = {None: None}
    for place, item in zip(places, carriers, strict=True):
        with suppress(Unreadable):
            transactions[place] = None if item is None else read(Transaction, TRANSACTIONS, item, aside)

    async def join_transaction(operation: Operation) -> Operation | None:
        with suppress(Unreadable):
            return await _carried(dynamo, operation, transactions[carried_by(operation)], aside)
        return None

    legible = [operation for operation in operations if carried_by(operation) in transactions]
    standing_operations = await asyncio.gather(*map(join_transaction, legible))
    return {operation.operation_id: operation for operation in standing_operations if operation is not None}


async def read_transaction(dynamo: Dynamo, place: TransactionKey, aside: SetAside) -> Transaction | None:
    """Return a transaction as it is now; raises Unreadable, noted as set aside."""
    item = await dynamo.get(TRANSACTIONS, primary_key(place))
    return None if item is None else read(Transaction, TRANSACTIONS, item, aside)


def primary_key(place: TransactionKey) -> Item:
    """Return a transaction's primary key."""
    return {"sender_id": place.sender_id, "nonce": place.nonce}


def created(transaction: Transaction) -> Put:
    """Return the write that creates a transaction, once: open, whatever it is for."""
    item = transaction_item(transaction) | open_attributes(transaction.key, transaction.reserved_at)
    return Put(TRANSACTIONS, item, where=(Clause("first_of_its_nonce", "nonce", "missing"),))


def transaction_item(transaction: Transaction) -> Item:
    """Return a transaction's attributes: hashes in binary, and no counter that stands at its start.

    By that it stays below a kilobyte, which is what one write unit pays for, through its usual life.
    """
    item = to_item(transaction) | {"attempts": [attempt_item(attempt) for attempt in transaction.attempts]}
    hashes = {name: getattr(transaction, name) for name in ("meaning", "tx_hash", "block_hash")}
    item |= {name: value for name, value in hashes.items() if value is not None}
    return {name: value for name, value in item.items() if value != 0 or name not in _COUNTERS}


def attempt_item(attempt: Attempt) -> Value:
    """Return an attempt as it is within a transaction's item."""
    stored: Value = {**to_item(attempt), "tx_hash": attempt.tx_hash}
    return stored


def open_attributes(place: TransactionKey, reserved_at: int) -> Item:
    """Return what keeps a transaction in the index of open ones."""
    return {"open_shard": sender_shard(place.sender_id), "open_key": open_key(place, reserved_at)}


def moved(
    place: TransactionKey,
    target: TransactionState,
    *,
    at: int,
    set: Item | None = None,  # noqa: A002 - DynamoDB's own word
    remove: tuple[str, ...] = (),
    where: tuple[Clause, ...] = (),
) -> Update:
    """Return the conditional write that moves a transaction to `target` from any state that may.

    `at` is in Unix milliseconds. One that is final leaves the index of open ones by the same write.
    """
    legal = Clause(
        "legal_source", "state", "in", tuple(source.value for source in transaction_sources(target))
    )
    closing = TRANSACTION_OPEN if target is TransactionState.FINAL else ()
    written = {**indexed(place.name, set or {}), **(set or {})}
    gone = (IN_BLOCK, *remove) if "block_number" in remove else remove
    return Update(
        table=TRANSACTIONS,
        key=primary_key(place),
        set={"state": target.value, "updated_at": at, **written},
        remove=(*gone, *closing),
        where=(legal, *where),
    )


def opening_again(transaction: Transaction, *, at: int) -> Update:
    """Return the write that opens a transaction again, as `mintline.records.reopening` has it."""
    opened = reopened(transaction, at=at)
    gone = ("finalized_at",) if opened.outcome is not None else ("finalized_at", "outcome")
    return Update(
        TRANSACTIONS,
        primary_key(transaction.key),
        set={
            "state": opened.state.value,
            "updated_at": at,
            **open_attributes(transaction.key, transaction.reserved_at),
        },
        remove=gone,
        where=(
            Clause("still_closed", "state", "eq", (TransactionState.FINAL.value,)),
            Clause("its_outcome", "outcome", "eq", (transaction.outcome,)),
        ),
    )


def unclaiming(mint: Mint, *, at: int) -> Update:
    """Return the write that takes from a mint the transaction that is on no record."""
    changed = unclaimed(mint, at=at)
    return Update(
        MINTS,
        {"mint_id": mint.mint_id},
        set={"status": changed.status.value, "updated_at": at, OPEN: open_shard(mint.mint_id)},
        remove=("nonce",) if changed.sender is not None else ("nonce", "sender"),
        where=(
            Clause("still_built", "status", "eq", (MintStatus.BUILT.value,)),
            Clause("its_nonce", "nonce", "eq", (mint.nonce,)),
        ),
    )


def filling(transaction: Transaction, *, at: int) -> Update:
    """Return the write that keeps a transaction's nonce for a no-op, if the transaction was not moved on."""
    return Update(
        TRANSACTIONS,
        primary_key(transaction.key),
        set={"filling_at": transaction.filling_at or at, "updated_at": at},
        where=(Clause("still_there", "state", "eq", (transaction.state.value,)),),
    )


_CLAIMING = (
    Clause("still_claiming", "claiming", "exists"),
    Clause("still_reserved", "state", "eq", (TransactionState.RESERVED.value,)),
)


def claiming(batch: Transaction) -> Check:
    """Return the condition that a batch is still to be claimed for: what is sealed gets nothing more."""
    return Check(TRANSACTIONS, primary_key(batch.key), where=_CLAIMING)


def sealing(batch: Transaction) -> Update:
    """Return the write that makes final what a batch carries, once: it may be signed from then on."""
    names = ("operations", "meaning", "updated_at", "filling_at")
    written: Item = {name: value for name, value in transaction_item(batch).items() if name in names}
    return Update(TRANSACTIONS, primary_key(batch.key), set=written, remove=("claiming",), where=_CLAIMING)
