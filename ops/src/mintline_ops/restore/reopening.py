"""Opens again what older records need: closed transactions, and mints whose transaction is on no record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from mintline.aws.dynamo import ConditionFailed
from mintline.aws.records import from_item, operation_from
from mintline.aws.standing import opening_again, unclaiming
from mintline.errors import Unreadable
from mintline.records.operations import Mint, Operation
from mintline.records.reopening import is_left
from mintline.records.transactions import Place, Transaction, carried_by
from mintline.resources import MINTS, TRANSACTIONS
from mintline.states import MintStatus, TransactionState
from mintline_ops.deployments import Records


@dataclass(frozen=True, slots=True)
class Reopened:
    """How many transactions were opened again, and how many mints are to be built again."""

    transactions: int
    mints: int


async def reopen(records: Records, chain_id: int, *, at: int) -> Reopened:
    """Open again what a chain's operations need, by their records; `at` is in Unix milliseconds.

    Reads `transactions` and `mints` once; keeps the places of all transactions in memory, and the closed ones
    that left operations undone. Records that cannot be read are passed over: `mintline reconcile` names them.
    Safe to repeat.
    """
    places, closed = await _transactions(records)
    opened: set[Place] = set()
    mints = 0
    async for operation, place in _built(records, chain_id):
        if place not in places and isinstance(operation, Mint):
            with suppress(ConditionFailed):
                await records.dynamo.write(unclaiming(operation, at=at))
                mints += 1
            continue
        transaction = closed.get(place)
        if transaction is not None and place not in opened and is_left(operation, transaction):
            with suppress(ConditionFailed):
                await records.dynamo.write(opening_again(transaction, at=at))
            opened.add(place)
    return Reopened(len(opened), mints)


async def _built(records: Records, chain_id: int) -> AsyncIterator[tuple[Operation, Place]]:
    """Yield the operations that stand where their transaction does, each with its place."""
    async for item in records.every(MINTS):
        with suppress(Unreadable):
            operation = operation_from(item)
            place = carried_by(operation)
            if operation.chain_id == chain_id and operation.status is MintStatus.BUILT and place is not None:
                yield operation, place


async def _transactions(records: Records) -> tuple[set[Place], dict[Place, Transaction]]:
    """Return where there are transactions, and those that are closed and did not do what they were for."""
    places: set[Place] = set()
    closed: dict[Place, Transaction] = {}
    async for item in records.every(TRANSACTIONS):
        places.add(Place(str(item["sender_id"]), int(str(item["nonce"]))))
        if item.get("state") != TransactionState.FINAL.value or item.get("outcome") == "succeeded":
            continue
        with suppress(Unreadable):
            transaction = from_item(Transaction, item)
            if transaction.operations:
                closed[transaction.place] = transaction
    return places, closed
