"""A block's changes over DynamoDB: each a conditional write of its own, 25 to a request.

What an item may be at the moment of its write, and what then happens:

::

    token        not there | gone | of an older fencing token                ─▶ written
                 there, though assumed new                                   ─▶ refused
    balance      not there | gone | of an older fencing token                ─▶ written
    transfer     not there | gone | of an older fencing token                ─▶ written
    transaction  in a legal state, taken back by an older token, or never    ─▶ written
    operation    in a legal state, taken back by an older token, or never    ─▶ written
    any          written under this fencing token already                    ─▶ as if written
    any          of a later fencing token                                    ─▶ CheckpointConflict

The usual case is written in PartiQL, 25 statements to a request: an item that is not there, or that has a
fencing token. A write that fails by that is read, and written again by condition expressions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from mintline.aws.dynamo import (
    GONE,
    Clause,
    ConditionFailed,
    Dynamo,
    Item,
    Put,
    TransactionCancelled,
    Update,
)
from mintline.aws.records import balance_place
from mintline.errors import Unwritable
from mintline.query_keys import BALANCE_QUERY_KEYS, TOKEN_QUERY_KEYS
from mintline.records.keys import token_ref
from mintline.resource_types import Table
from mintline.resources import BALANCES, MINTS, TOKENS, TRANSACTIONS, TRANSFERS
from mintline_indexer.dynamo_changes import (
    FENCE,
    is_written,
    marked,
    older_than,
    outcome_change,
    reopened_mint_change,
    reopened_transaction_change,
    result_change,
)
from mintline_indexer.dynamo_items import balance_item, token_item, transfer_item, transfer_place
from mintline_indexer.store_port import (
    BalanceWrite,
    CheckpointConflict,
    PriorBalance,
    PriorToken,
    Refused,
    TakeBack,
    TokenKey,
    TokenWrite,
    Write,
)
from mintline_indexer.writes import Name, transfer_key

AT_ONCE = 100
"""Changes of one transaction at most."""
LOOKS = 5
"""How often a record may change between two looks at it."""

Written: TypeAlias = Put | Update


@dataclass(frozen=True, slots=True)
class _Row:
    """One change: as it is usually said, and as it is said of an item of any older fencing token."""

    name: Name
    usual: Written
    older: Written
    assumed_new: bool = False


async def write_rows(dynamo: Dynamo, write: Write, *, fence: int, at: int) -> Refused:
    """Carry out changes, as `Store.write` says."""
    rows = list(_rows(write, fence, at))
    refused = Refused()
    again: list[_Row] = []
    for row, error in zip(rows, await dynamo.write_each([row.usual for row in rows]), strict=True):
        if isinstance(error, ConditionFailed):
            _judge(row, error.item, fence, refused, again)
        elif isinstance(error, Unwritable):
            refused.unusable[row.name] = str(error)
        elif error is not None:
            raise error
    for _ in range(LOOKS):
        if not again:
            break
        failed, again = await _transact(dynamo, again, refused), []
        for row, item in failed:
            _judge(row, item, fence, refused, again)
    refused.assumed |= {row.name for row in again}
    return refused


def _judge(row: _Row, item: Item | None, fence: int, refused: Refused, again: list[_Row]) -> None:
    """Decide about a row whose condition failed, by the item as it was."""
    if _is_beyond(item, fence) or (item is not None and is_written(row.usual, item)):
        return
    if row.usual.table in (TOKENS, BALANCES, TRANSFERS):
        there = item is not None and GONE not in item
        if there and row.assumed_new:
            refused.assumed.add(row.name)
        else:
            again.append(row)
    elif item is not None and FENCE in item and _is_legal(row.usual, item):
        again.append(row)
    else:
        refused.assumed.add(row.name)


def _is_beyond(item: Item | None, fence: int) -> bool:
    """Tell whether an item has this fencing token; raises CheckpointConflict if it has a later one."""
    last = None if item is None else item.get(FENCE)
    if not isinstance(last, int):
        return False
    if last > fence:
        raise CheckpointConflict("another writer has written what was to be written")
    return last == fence


def _is_legal(change: Written, item: Item) -> bool:
    """Tell whether a record is in one of the states that a change takes."""
    listed = [clause for clause in change.where if clause.op == "in"]
    return all(item.get(clause.attribute) in clause.values for clause in listed)


def _rows(write: Write, fence: int, at: int) -> Iterator[_Row]:
    for change in write.tokens:
        yield _token_row(change, fence)
    for balance in write.balances:
        yield _balance_row(balance, fence)
    for transfer in write.transfers:
        item: Item = transfer_item(transfer) | {FENCE: fence}
        absent = Clause("not_written_before", "token_ref", "missing")
        older = Put(TRANSFERS, item, where=(older_than(fence),))
        yield _Row(transfer_key(transfer), Put(TRANSFERS, item, where=(absent,)), older)
    for outcome in write.outcomes:
        yield _record_row(outcome.mint_id, outcome_change(outcome, at), fence)
    for result in write.results:
        yield _record_row(result.key, result_change(result, at), fence)


def _token_row(change: TokenWrite, fence: int) -> _Row:
    item: Item = token_item(change.after) | {FENCE: fence}
    older = Put(TOKENS, item, where=(older_than(fence),))
    if change.assumed_new:
        absent = Clause("not_minted_before", "token_ref", "missing")
        return _Row(change.key, Put(TOKENS, item, where=(absent,)), older, assumed_new=True)
    return _Row(change.key, _replacement(TOKENS, item, OPTIONAL, fence), older)


def _balance_row(change: BalanceWrite, fence: int) -> _Row:
    item: Item = balance_item(change.after) | {FENCE: fence}
    older = Put(BALANCES, item, where=(older_than(fence),))
    if change.is_new:
        absent = Clause("not_held_before", "balance_ref", "missing")
        return _Row(change.key, Put(BALANCES, item, where=(absent,)), older)
    return _Row(change.key, _replacement(BALANCES, item, ("holder", *BALANCE_QUERY_KEYS), fence), older)


def _replacement(table: Table, item: Item, optional: Sequence[str], fence: int) -> Update:
    """Return the update that makes an item that is there another; `optional` are what may be missing."""
    key: Item = {table.partition.name: item[table.partition.name]}
    written = {name: value for name, value in item.items() if name != table.partition.name}
    gone = tuple(name for name in optional if name not in item)
    before = Clause("older_fence", FENCE, "lt", (fence,))
    present = Clause("not_gone", GONE, "missing")
    return Update(table, key, set=written, remove=gone, where=(before, present))


OPTIONAL = ("owner", "owner_id", "owned_key", *TOKEN_QUERY_KEYS, "metadata_digest", "mint_id", "standard")
"""The attributes of a token's item that may be missing."""


def _record_row(name: Name, update: Update, fence: int) -> _Row:
    """Return a record's row: it has no fencing token unless a block was taken back that had ended it."""
    never = Clause("never_taken_back", FENCE, "missing")
    usual, older = (replace(update, where=(*update.where, clause)) for clause in (never, older_than(fence)))
    return _Row(name, usual, older)


async def _transact(dynamo: Dynamo, rows: Sequence[_Row], refused: Refused) -> list[tuple[_Row, Item | None]]:
    """Write rows of any older fencing token; return those whose condition failed, each with its item."""
    failed: list[tuple[_Row, Item | None]] = []
    for start in range(0, len(rows), AT_ONCE):
        left = list(rows[start : start + AT_ONCE])
        while left:
            out: set[int] = set()
            try:
                await dynamo.transact([row.older for row in left])
            except TransactionCancelled as cancelled:
                for i, why in enumerate(cancelled.reasons):
                    if why.code == "ConditionalCheckFailed":
                        failed.append((left[i], why.item))
                        out.add(i)
            except Unwritable as error:
                if not error.places:
                    raise
                refused.unusable |= {left[i].name: str(error) for i in error.places}
                out = set(error.places)
            else:
                break
            left = [row for i, row in enumerate(left) if i not in out]
    return failed


async def take_back_rows(dynamo: Dynamo, chain_id: int, undo: TakeBack, *, fence: int, at: int) -> Refused:
    """Restore what items were, as `Store.take_back` says, but for what was set aside."""
    refused = Refused()
    rows = list(_restoring(chain_id, undo, fence, at))
    for _ in range(LOOKS):
        if not rows:
            break
        failed, rows = await _transact(dynamo, rows, refused), []
        for row, item in failed:
            # Else it is done; or there is no record; or the token is of an earlier block, and stays.
            if not _is_beyond(item, fence) and item is not None and row.usual.table in (MINTS, TRANSACTIONS):
                refused.assumed.add(row.name)
                marking = marked(row.usual.table, row.usual.key, item, fence)
                rows.append(_Row(row.name, marking, marking))
    return refused


def _restoring(chain_id: int, undo: TakeBack, fence: int, at: int) -> Iterator[_Row]:
    older = older_than(fence)
    for prior in undo.tokens:
        yield _restored(chain_id, prior, undo.number, fence)
    for balance in undo.balances:
        yield _restored_balance(chain_id, balance, fence)
    for key in undo.transfers:
        marker: Item = transfer_place(key) | {GONE: True, FENCE: fence}
        change = Put(TRANSFERS, marker, where=(older,))
        yield _Row(key, change, change)
    records: list[tuple[Name, Update]] = [
        (transaction.key, reopened_transaction_change(transaction, at)) for transaction in undo.transactions
    ]
    records += [(mint.mint_id, reopened_mint_change(mint, at)) for mint in undo.mints]
    for name, update in records:
        written: Item = {**update.set, FENCE: fence}
        reopening = replace(update, set=written, where=(*update.where, older))
        yield _Row(name, reopening, reopening)


def _restored(chain_id: int, prior: PriorToken, number: int, fence: int) -> _Row:
    key = TokenKey(prior.contract, prior.token_id)
    older = older_than(fence)
    if prior.token is not None:
        change = Put(TOKENS, token_item(prior.token) | {FENCE: fence}, where=(older,))
        return _Row(key, change, change)
    marker: Item = {"token_ref": token_ref(chain_id, *key), GONE: True, FENCE: fence}
    made_here = Clause("made_by_the_block", "minted_block", "not_before", (number,))
    change = Put(TOKENS, marker, where=(older, made_here))
    return _Row(key, change, change)


def _restored_balance(chain_id: int, prior: PriorBalance, fence: int) -> _Row:
    item: Item
    if prior.balance is not None:
        item = balance_item(prior.balance)
    else:
        item = {**balance_place(chain_id, *prior.key), GONE: True}
    change = Put(BALANCES, {**item, FENCE: fence}, where=(older_than(fence),))
    return _Row(prior.key, change, change)
