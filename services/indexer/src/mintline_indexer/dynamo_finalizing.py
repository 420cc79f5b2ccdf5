"""Moves the records of mints and transactions to their ends in DynamoDB, once their blocks are final."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from mintline.aws.dynamo import ConditionFailed, Dynamo, Item, Update
from mintline.aws.operations import moved
from mintline.aws.records import transition
from mintline.errors import Unwritable
from mintline.records.transactions import TransactionKey
from mintline.set_aside import SetAside
from mintline.states import MintStatus, TransactionState
from mintline_indexer.dynamo_changes import IS_MINED, closed

KeyT = TypeVar("KeyT")
StageT = TypeVar("StageT", MintStatus, TransactionState)


async def finalize_mints(
    dynamo: Dynamo, set_aside: SetAside, mint_ids: Sequence[str], *, at: int
) -> dict[str, MintStatus | None]:
    """Move mined mints to finalized and close reverted ones, 25 a request."""
    finalized: Item = {"finalized_at": at}
    updates = [transition(mint_id, MintStatus.FINALIZED, at=at, set=finalized) for mint_id in mint_ids]
    refused = await _refused(dynamo, set_aside, mint_ids, updates, _status)
    reverted = [mint_id for mint_id, status in refused.items() if status is MintStatus.REVERTED]
    await _refused(dynamo, set_aside, reverted, [closed(mint_id) for mint_id in reverted], _status)
    return refused


async def finalize_transactions(
    dynamo: Dynamo, set_aside: SetAside, places: Sequence[TransactionKey], *, at: int
) -> dict[TransactionKey, TransactionState | None]:
    """Move mined transactions to final, 25 a request."""
    finalized: Item = {"finalized_at": at}
    updates = [
        moved(place, TransactionState.FINAL, at=at, set=finalized, where=(IS_MINED,)) for place in places
    ]
    return await _refused(dynamo, set_aside, places, updates, _state)


async def _refused(
    dynamo: Dynamo,
    set_aside: SetAside,
    keys: Sequence[KeyT],
    updates: Sequence[Update],
    stage_of: Callable[[Item], StageT],
) -> dict[KeyT, StageT | None]:
    """Carry out updates of records; return those refused, each with the stage that its record is in."""

    async def write(update: Update) -> tuple[bool, StageT | None]:
        try:
            await dynamo.write(update)
        except ConditionFailed as failed:
            item = failed.item or await dynamo.get(update.table, update.key)
            return False, _stage(set_aside, update, item, stage_of)
        except Unwritable as error:
            _note(set_aside, update, error)
            return False, None
        return True, None

    outcomes = await asyncio.gather(*map(write, updates))
    return {key: stage for key, (written, stage) in zip(keys, outcomes, strict=True) if not written}


def _stage(
    set_aside: SetAside, update: Update, item: Item | None, stage_of: Callable[[Item], StageT]
) -> StageT | None:
    """Return a record's stage; None if it is missing or no stage, which is noted as set aside."""
    if item is None:
        return None
    try:
        return stage_of(item)
    except ValueError as error:
        _note(set_aside, update, error)
        return None


def _note(set_aside: SetAside, update: Update, reason: object) -> None:
    key = "/".join(str(part) for part in update.key.values())
    set_aside.note(update.table.name, key, reason)


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
