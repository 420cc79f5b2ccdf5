"""What the index writes on the records of transactions and mints, each as one conditional update."""

from __future__ import annotations

from mintline.aws.dynamo import Clause, Item, Put, Update
from mintline.aws.operations import moved
from mintline.aws.records import IN_BLOCK, OPEN, to_item, transition
from mintline.resource_types import Table
from mintline.resources import MINTS, TRANSACTIONS
from mintline.states import MintStatus, TransactionState
from mintline_indexer.store_port import Outcome, ReopenedMint, ReopenedTransaction, TransactionResult

_OUTCOME_FIELDS = ("tx_hash", "block_number", "block_hash", "mined_at", "problem")
_HAS_OUTCOME = Clause("has_outcome", "status", "in", (MintStatus.MINED.value, MintStatus.REVERTED.value))
IS_MINED = Clause("is_mined", "state", "eq", (TransactionState.MINED.value,))


FENCE = "fence"
"""The attribute that says under which fencing token an item was written last, or a record taken back last."""


def older_than(fence: int) -> Clause:
    """Return the condition that an item is not there, or was written under an older fencing token."""
    return Clause("older_fence", FENCE, "older", (fence,))


def is_written(change: Put | Update, item: Item) -> bool:
    """Tell whether a transaction's or an operation's record says already what a change would write."""
    if change.table not in (MINTS, TRANSACTIONS) or not isinstance(change, Update):
        return False
    names = ("status", "state", "tx_hash", "block_hash")
    written = {name: change.set[name] for name in names if name in change.set}
    return "block_hash" in written and all(item.get(name) == value for name, value in written.items())


def marked(table: Table, key: Item, item: Item, fence: int) -> Update:
    """Return the write that gives a record the fencing token and nothing else, if it is as it was read."""
    names = ("status", "state", "block_hash")
    same = [Clause(f"same_{name}", name, "eq", (item[name],)) for name in names if name in item]
    same += [Clause(f"no_{name}", name, "missing") for name in names if name not in item]
    return Update(table, key, set={FENCE: fence}, where=(*same, older_than(fence)))


def result_change(result: TransactionResult, at: int) -> Update:
    """Return what a block writes on a transaction's record; `at` is in Unix milliseconds, as below."""
    written: Item = {
        "outcome": result.outcome,
        "tx_hash": result.tx_hash,
        "block_number": result.block_number,
        "block_hash": result.block_hash,
        "mined_at": at,
    }
    if result.problem is not None:
        written["problem"] = to_item(result.problem)
    if result.not_made:
        written["not_made"] = list(result.not_made)
    return moved(result.key, TransactionState.MINED, at=at, set=written)


def reopened_transaction_change(reopened: ReopenedTransaction, at: int) -> Update:
    """Return what takes a block off a transaction's record again."""
    where = (
        IS_MINED,
        Clause("in_the_undone_block", "block_hash", "eq", (reopened.block_hash,)),
    )
    gone = ("outcome", "not_made", *_OUTCOME_FIELDS)
    return moved(reopened.key, TransactionState.SUBMITTED, at=at, remove=gone, where=where)


def outcome_change(outcome: Outcome, at: int) -> Update:
    """Return what a block writes on an operation's own record."""
    stored = Clause("stored_source", "status", "in", tuple(status.value for status in outcome.sources))
    if outcome.status is MintStatus.ISSUED:
        assert outcome.problem is not None
        noted: Item = {
            "status": outcome.status.value,
            "problem": to_item(outcome.problem),
            "updated_at": at,
        }
        return Update(MINTS, {"mint_id": outcome.mint_id}, set=noted, where=(stored,))
    written: Item = {
        "tx_hash": "0x" + outcome.tx_hash.hex(),
        "block_number": outcome.block_number,
        "block_hash": "0x" + outcome.block_hash.hex(),
        "mined_at": at,
    }
    if outcome.problem is not None:
        written["problem"] = to_item(outcome.problem)
    # What a node said to an earlier transaction of the user's is of no interest any more.
    remove = () if outcome.problem is not None else ("problem",)
    return transition(outcome.mint_id, outcome.status, at=at, set=written, remove=remove, where=(stored,))


def closed(mint_id: str) -> Update:
    """Take a mint that is reverted for good out of the index of open ones; its status stays."""
    where = (Clause("still_reverted", "status", "eq", (MintStatus.REVERTED.value,)),)
    return Update(MINTS, {"mint_id": mint_id}, remove=(OPEN,), where=where)


def reopened_mint_change(mint: ReopenedMint, at: int) -> Update:
    """Return what takes a block off an operation's own record again."""
    mint_id, status, block_hash = mint
    here = Clause("in_the_undone_block", "block_hash", "eq", ("0x" + block_hash.hex(),))
    if status is not MintStatus.BUILT:
        return transition(mint_id, status, at=at, remove=_OUTCOME_FIELDS, where=(here,))
    # Its transaction says how far it is, as before.
    carried: Item = {"status": status.value, "updated_at": at}
    gone = (IN_BLOCK, *_OUTCOME_FIELDS)
    return Update(MINTS, {"mint_id": mint_id}, set=carried, remove=gone, where=(_HAS_OUTCOME, here))
