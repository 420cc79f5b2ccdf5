"""Opens again what older records need: closed transactions, and mints whose transaction is on no record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from mintline.authorizations import KEPT
from mintline.aws.dynamo import ConditionFailed, Item, Update
from mintline.aws.operations import opening_again, unclaiming
from mintline.aws.records import from_item, operation_from
from mintline.errors import Unreadable
from mintline.records.operations import Mint, Operation
from mintline.records.reopening import is_left
from mintline.records.transactions import Transaction, TransactionKey, carried_by
from mintline.resource_types import Table
from mintline.resources import MINTS, TRANSACTIONS
from mintline.states import MintStatus, TransactionState

Every: TypeAlias = Callable[[Table], AsyncIterator[Item]]
"""Yields every item of a table."""
Write: TypeAlias = Callable[[Update], Awaitable[object]]
"""Does a conditional write; raises ConditionFailed."""
MARGIN = 24 * 3600
"""Seconds that are left for services to start, and to build a mint, before its authorization is gone."""
NAMED = 100
"""How many of the operations that are left are named: `mintline reconcile` lists them all."""


@dataclass(frozen=True, slots=True)
class Reopened:
    """How many transactions were opened again, how many mints are to be built again, and what was left.

    `left` counts the operations whose transaction is on no record and that stay as they are; `left_ids` has
    the first `NAMED` of them.
    """

    transactions: int = 0
    mints: int = 0
    left: int = 0
    left_ids: tuple[str, ...] = ()


async def reopen(every: Every, write: Write, chain_id: int, *, at: int, rebuild: bool) -> Reopened:
    """Open again what a chain's operations need, by their records; `at` is in Unix milliseconds.

    A mint whose transaction is on no record is built again only if `rebuild`, that is after `transactions`
    was restored: before that its transaction, which alone says how it ended, may still come back. Nor is it
    if its authorization may be gone: the builder would reject it, whether it has its token or not.

    Reads `transactions` and `mints` once; keeps the places of all transactions in memory, and the closed ones
    that left operations undone. Records that cannot be read are passed over: `mintline reconcile` names them.
    Safe to repeat.
    """
    places, closed = await _transactions(every)
    opened: set[TransactionKey] = set()
    mints, left, left_ids = 0, 0, list[str]()
    async for operation, place in _built(every, chain_id):
        if place not in places:
            if rebuild and isinstance(operation, Mint) and _is_authorized(operation, at=at):
                with suppress(ConditionFailed):
                    await write(unclaiming(operation, at=at))
                    mints += 1
                continue
            left += 1
            if left <= NAMED:
                left_ids.append(operation.operation_id)
            continue
        transaction = closed.get(place)
        if transaction is not None and place not in opened and is_left(operation, transaction):
            with suppress(ConditionFailed):
                await write(opening_again(transaction, at=at))
            opened.add(place)
    return Reopened(len(opened), mints, left, tuple(left_ids))


def _is_authorized(mint: Mint, *, at: int) -> bool:
    """Tell whether a mint's authorization will still be kept when the builder asks for it."""
    return at - mint.created_at < (KEPT - MARGIN) * 1000


async def _built(every: Every, chain_id: int) -> AsyncIterator[tuple[Operation, TransactionKey]]:
    """Yield the operations that stand where their transaction does, each with its place."""
    async for item in every(MINTS):
        with suppress(Unreadable):
            operation = operation_from(item)
            place = carried_by(operation)
            if operation.chain_id == chain_id and operation.status is MintStatus.BUILT and place is not None:
                yield operation, place


async def _transactions(every: Every) -> tuple[set[TransactionKey], dict[TransactionKey, Transaction]]:
    """Return where there are transactions, and those that are closed and did not do what they were for."""
    places: set[TransactionKey] = set()
    closed: dict[TransactionKey, Transaction] = {}
    async for item in every(TRANSACTIONS):
        places.add(TransactionKey(str(item["sender_id"]), int(str(item["nonce"]))))
        if item.get("state") != TransactionState.FINAL.value or item.get("outcome") == "succeeded":
            continue
        with suppress(Unreadable):
            transaction = from_item(Transaction, item)
            if transaction.operations:
                closed[transaction.key] = transaction
    return places, closed
