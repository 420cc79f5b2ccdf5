"""The conditional writes of the transaction store, as `DynamoTransactionStore` names their clauses."""

from __future__ import annotations

from mintline.aws.dynamo import Clause, Item, Update, Value
from mintline.aws.operations import attempt_item, moved, open_attributes, primary_key
from mintline.aws.records import to_item, transition
from mintline.kinds import meaning_of
from mintline.messages.intents import AnyIntent
from mintline.records.operations import Attempt, Mint, Operation
from mintline.records.problems import Problem
from mintline.records.transactions import Outcome, Transaction, carried_by, transaction_key_of
from mintline.resources import MINTS, TRANSACTIONS
from mintline.states import UNDECIDED, MintStatus, TransactionState
from mintline_broadcaster.ports import Minting, Seal
from mintline_broadcaster.sweep_schedule import next_sweep

_UNDECIDED = Clause("undecided", "state", "in", tuple(state.value for state in UNDECIDED))
_RESERVED = Clause("is_reserved", "state", "eq", (TransactionState.RESERVED.value,))
_SEALED = Clause("is_sealed", "claiming", "missing")
_NOT_FILLED = Clause("not_filled", "filling_at", "missing")


def entering(intent: AnyIntent, attempt: Attempt) -> Update:
    """Return the write that takes the intent's own transaction from reserved to submitted."""
    where = (
        _RESERVED,
        _SEALED,
        Clause("its_meaning", "meaning", "eq", (meaning_of(intent),)),
        Clause("its_gas", "gas", "eq", (intent.gas,)),
        Clause("its_signer", "signer", "eq", (to_item(intent.signer),)),
        _NOT_FILLED,
    )
    written: Item = {"attempts": [attempt_item(attempt)], "submitted_at": attempt.at}
    place = transaction_key_of(intent.signer, intent.nonce)
    return moved(place, TransactionState.SUBMITTED, at=attempt.at, set=written, where=where)


def appending(transaction: Transaction, attempt: Attempt) -> Update:
    """Return the write of one more attempt, while a transaction has those that were read."""
    written: Item = {
        "state": TransactionState.SUBMITTED.value,
        "attempts": [*_attempts(transaction), attempt_item(attempt)],
        "updated_at": attempt.at,
    }
    if transaction.submitted_at is None and not attempt.fills:
        written["submitted_at"] = attempt.at
    if attempt.fills and transaction.filling_at is None:
        written["filling_at"] = attempt.at
    sealing = ("claiming",) if attempt.fills and transaction.claiming else ()
    return Update(
        TRANSACTIONS,
        primary_key(transaction.key),
        set=written,
        remove=sealing,
        where=(
            Clause("still_there", "state", "eq", (transaction.state.value,)),
            _UNDECIDED,
            _attempts_unchanged(transaction),
            *(() if attempt.fills else (_SEALED, _NOT_FILLED)),
        ),
    )


def opening_again(gap: Transaction) -> Update:
    """Return the write that opens the record of a nonce again that was closed as filled."""
    opened = open_attributes(gap.key, gap.reserved_at)
    filling: Item = {"filling_at": gap.reserved_at, "updated_at": gap.reserved_at}
    return Update(
        TRANSACTIONS,
        primary_key(gap.key),
        set={"state": TransactionState.SUBMITTED.value, **opened, **filling},
        remove=("outcome", "finalized_at"),
        where=(
            Clause("was_closed", "state", "eq", (TransactionState.FINAL.value,)),
            Clause("was_filled", "outcome", "in", ("filled", "used")),
        ),
    )


def marking(transaction: Transaction, *, at: int) -> Update:
    """Return the write that notes that a transaction is sent on."""
    return Update(
        TRANSACTIONS,
        primary_key(transaction.key),
        set={"swept_at": at, "sweeps": next_sweep(transaction)},
        where=(
            Clause("still_there", "state", "eq", (transaction.state.value,)),
            Clause("not_moved", "updated_at", "eq", (transaction.updated_at,)),
            _not_swept(transaction),
        ),
    )


def closing(transaction: Transaction, outcome: Outcome, *, at: int) -> Update:
    """Return the write that notes that the nonce is used for good."""
    return moved(
        transaction.key,
        TransactionState.FINAL,
        at=at,
        set={"outcome": outcome, "finalized_at": at},
        where=(
            Clause("still_there", "state", "eq", (transaction.state.value,)),
            _attempts_unchanged(transaction),
        ),
    )


def rejecting(operation: Operation, problem: Problem, *, at: int) -> Update:
    """Return the write that ends an operation which is still where it was read."""
    where = (_still_there(operation), *_its_nonce(operation))
    written: Item = {"problem": to_item(problem)}
    return transition(operation.operation_id, MintStatus.REJECTED, at=at, set=written, where=where)


def marking_operation(operation: Operation, *, at: int) -> Update:
    """Return the write that notes that an operation is sent on."""
    return Update(
        MINTS,
        {"mint_id": operation.operation_id},
        set={"swept_at": at, "sweeps": next_sweep(operation)},
        where=(
            Clause("still_there", "status", "eq", (operation.status.value,)),
            Clause("not_moved", "updated_at", "eq", (operation.updated_at,)),
            _not_swept(operation),
        ),
    )


def mining(mint: Mint, minting: Minting, *, at: int) -> Update:
    """Return the write that moves a mint to mined, by the transfer that made its token."""
    where = (_still_there(mint), *_its_nonce(mint))
    written: Item = {
        "tx_hash": "0x" + minting.tx_hash.hex(),
        "block_number": minting.block_number,
        "block_hash": "0x" + minting.block_hash.hex(),
        "mined_at": at,
    }
    return transition(
        mint.mint_id, MintStatus.MINED, at=at, set=written, remove=("problem", "waiting"), where=where
    )


def finalizing(mint_id: str, minting: Minting, *, at: int) -> Update:
    """Return the write that moves a mint to finalized, while it stands by this transfer."""
    where = (Clause("by_this_transaction", "tx_hash", "eq", ("0x" + minting.tx_hash.hex(),)),)
    return transition(mint_id, MintStatus.FINALIZED, at=at, set={"finalized_at": at}, where=where)


def resealing(batch: Transaction, seal: Seal, *, at: int) -> Update:
    """Return the write that leaves operations out of a batch, while no attempt at it can be on record."""
    return Update(
        TRANSACTIONS,
        primary_key(batch.key),
        set={"operations": list(seal.operations), "meaning": seal.meaning, "updated_at": at},
        where=(
            _RESERVED,
            _SEALED,
            Clause("its_meaning", "meaning", "eq", (batch.meaning,)),
            _NOT_FILLED,
        ),
    )


def _still_there(operation: Operation) -> Clause:
    """Return that a record is as it was read: one that a transaction carries is stored as built."""
    carried = carried_by(operation) is not None and operation.status is not MintStatus.ACCEPTED
    stored = MintStatus.BUILT if carried else operation.status
    return Clause("still_there", "status", "eq", (stored.value,))


def _its_nonce(operation: Operation) -> tuple[Clause, ...]:
    place = carried_by(operation)
    return () if place is None else (Clause("its_nonce", "nonce", "eq", (place.nonce,)),)


def _not_swept(record: Operation | Transaction) -> Clause:
    if record.swept_at is None:
        return Clause("not_swept", "swept_at", "missing")
    return Clause("not_swept", "swept_at", "eq", (record.swept_at,))


def _attempts(transaction: Transaction) -> list[Value]:
    return [attempt_item(attempt) for attempt in transaction.attempts]


def _attempts_unchanged(transaction: Transaction) -> Clause:
    """Return that a transaction's attempts are those that were read; none at all may be missing as well."""
    if not transaction.attempts:
        return Clause("attempts_unchanged", "attempts", "empty")
    return Clause("attempts_unchanged", "attempts", "eq", (_attempts(transaction),))
