"""Reads mints as they stand: the record, and the transaction that carries it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

from mintline.aws.dynamo import Clause, Dynamo, Item, Put, Update, Value
from mintline.aws.records import IN_BLOCK, indexed, read, to_item
from mintline.errors import Unreadable
from mintline.records import Attempt, Mint
from mintline.resources import MINTS, TRANSACTIONS
from mintline.set_aside import SetAside
from mintline.states import MintStatus, TransactionState, transaction_sources
from mintline.transaction_records import (
    Place,
    Transaction,
    as_far_as,
    carried_by,
    open_key,
    sender_shard,
)

_COUNTERS = frozenset({"first_attempt", "sweeps"})
TRANSACTION_OPEN = ("open_shard", "open_key")
"""The attributes that keep a transaction in the index of open ones."""


async def read_mint(dynamo: Dynamo, mint_id: str, aside: SetAside) -> Mint | None:
    """Return a mint as it stands, read consistently; raises Unreadable, having noted it as set aside."""
    item = await dynamo.get(MINTS, {"mint_id": mint_id})
    return None if item is None else await standing(dynamo, item, aside)


async def standing(dynamo: Dynamo, item: Item, aside: SetAside) -> Mint:
    """Return the mint of an item of `mints` as it stands; raises Unreadable likewise."""
    mint = read(Mint, MINTS, item, aside)
    place = carried_by(mint)
    if place is None:
        return mint
    transaction = await read_transaction(dynamo, place, aside)
    found = as_far_as(mint, transaction)
    if mint.status is not MintStatus.BUILT or found.status is not MintStatus.REVERTED:
        return found
    # The write that made its transaction fail may have put another's success on the mint, after it was read.
    now = await dynamo.get(MINTS, {"mint_id": mint.mint_id})
    return found if now is None else as_far_as(read(Mint, MINTS, now, aside), transaction)


async def read_mints(dynamo: Dynamo, mint_ids: Iterable[str], aside: SetAside) -> dict[str, Mint]:
    """Return the mints that exist and are readable, as they stand, by id."""
    wanted: Sequence[str] = list(mint_ids)

    async def one(mint_id: str) -> Mint | None:
        with suppress(Unreadable):
            return await read_mint(dynamo, mint_id, aside)
        return None

    found = await asyncio.gather(*map(one, wanted))
    return {mint_id: mint for mint_id, mint in zip(wanted, found, strict=True) if mint is not None}


async def read_transaction(dynamo: Dynamo, place: Place, aside: SetAside) -> Transaction | None:
    """Return a transaction as it is now; raises Unreadable likewise."""
    item = await dynamo.get(TRANSACTIONS, transaction_key(place))
    return None if item is None else read(Transaction, TRANSACTIONS, item, aside)


def transaction_key(place: Place) -> Item:
    """Return a transaction's primary key."""
    return {"sender_id": place.sender_id, "nonce": place.nonce}


def created(transaction: Transaction) -> Put:
    """Return the write that creates a transaction, once: open, whatever it is for."""
    item = transaction_item(transaction) | open_attributes(transaction.place, transaction.reserved_at)
    return Put(TRANSACTIONS, item, where=(Clause("first_of_its_nonce", "nonce", "missing"),))


def transaction_item(transaction: Transaction) -> Item:
    """Return a transaction's attributes: hashes in binary, and no counter that stands at its start.

    By that it stays below a kilobyte, which is what one write unit pays for, through its usual life.
    """
    item = to_item(transaction) | {"attempts": [attempt_item(one) for one in transaction.attempts]}
    hashes = {name: getattr(transaction, name) for name in ("meaning", "tx_hash", "block_hash")}
    item |= {name: value for name, value in hashes.items() if value is not None}
    return {name: value for name, value in item.items() if value != 0 or name not in _COUNTERS}


def attempt_item(attempt: Attempt) -> Value:
    """Return an attempt as it is within a transaction's item."""
    stored: Value = {**to_item(attempt), "tx_hash": attempt.tx_hash}
    return stored


def open_attributes(place: Place, reserved_at: int) -> Item:
    """Return what keeps a transaction in the index of open ones."""
    return {"open_shard": sender_shard(place.sender_id), "open_key": open_key(place, reserved_at)}


def moved(
    place: Place,
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
    legal = Clause("legal_source", "state", "in", tuple(one.value for one in transaction_sources(target)))
    closing = TRANSACTION_OPEN if target is TransactionState.FINAL else ()
    written = {**indexed(place.name, set or {}), **(set or {})}
    gone = (IN_BLOCK, *remove) if "block_number" in remove else remove
    return Update(
        table=TRANSACTIONS,
        key=transaction_key(place),
        set={"state": target.value, "updated_at": at, **written},
        remove=(*gone, *closing),
        where=(legal, *where),
    )


def filling(transaction: Transaction, *, at: int) -> Update:
    """Return the write that keeps a transaction's nonce for a no-op, if the transaction was not moved on."""
    return Update(
        TRANSACTIONS,
        transaction_key(transaction.place),
        set={"filling_at": transaction.filling_at or at, "updated_at": at},
        where=(Clause("still_there", "state", "eq", (transaction.state.value,)),),
    )
