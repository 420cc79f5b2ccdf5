"""What the index writes on the records of transactions and mints, each as one conditional update."""

from __future__ import annotations

from collections.abc import Iterator

from mintline.aws.dynamo import Clause, Item, Update
from mintline.aws.records import IN_BLOCK, OPEN, to_item, transition
from mintline.aws.standing import moved
from mintline.resources import MINTS
from mintline.states import MintStatus, TransactionState
from mintline.transaction_records import Place
from mintline_indexer.store_port import Outcome, ReopenedMint, ReopenedTransaction, TransactionResult, Write

_OUTCOME_FIELDS = ("tx_hash", "block_number", "block_hash", "mined_at", "problem")
_HAS_OUTCOME = Clause("has_outcome", "status", "in", (MintStatus.MINED.value, MintStatus.REVERTED.value))
IS_MINED = Clause("is_mined", "state", "eq", (TransactionState.MINED.value,))


def record_changes(write: Write, at: int) -> Iterator[tuple[Place | str, Update]]:
    """Yield what a write changes of transactions and mints, each with its key."""
    for result in write.results:
        yield result.place, _result(result, at)
    for transaction in write.reopened_transactions:
        yield transaction.place, _reopened_transaction(transaction, at)
    for outcome in write.outcomes:
        yield outcome.mint_id, _outcome(outcome, at)
    for mint in write.reopened_mints:
        yield mint.mint_id, _reopened_mint(mint, at)


def _result(result: TransactionResult, at: int) -> Update:
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
    return moved(result.place, TransactionState.MINED, at=at, set=written)


def _reopened_transaction(reopened: ReopenedTransaction, at: int) -> Update:
    where = (
        IS_MINED,
        Clause("in_the_undone_block", "block_hash", "eq", (reopened.block_hash,)),
    )
    gone = ("outcome", "not_made", *_OUTCOME_FIELDS)
    return moved(reopened.place, TransactionState.SUBMITTED, at=at, remove=gone, where=where)


def _outcome(outcome: Outcome, at: int) -> Update:
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


def _reopened_mint(mint: ReopenedMint, at: int) -> Update:
    mint_id, status, block_hash = mint
    here = Clause("in_the_undone_block", "block_hash", "eq", ("0x" + block_hash.hex(),))
    if status is not MintStatus.BUILT:
        return transition(mint_id, status, at=at, remove=_OUTCOME_FIELDS, where=(here,))
    # Its transaction says how far it is, as before.
    carried: Item = {"status": status.value, "updated_at": at}
    gone = (IN_BLOCK, *_OUTCOME_FIELDS)
    return Update(MINTS, {"mint_id": mint_id}, set=carried, remove=gone, where=(_HAS_OUTCOME, here))
