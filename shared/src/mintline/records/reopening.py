"""Transactions that were closed too early for an operation whose record is older: one restored from a backup.

A transaction is closed once each of its operations ended, or went on with another one. A record from before
that says again that the closed one carries it, and nothing moves it. Opened again, the broadcaster lets go of
the operation as it did before: by its token, by another transaction, or by its end.
"""

from __future__ import annotations

from mintline.records.operations import Mint, Operation
from mintline.records.transactions import Transaction, as_far_as, carried_by
from mintline.states import MintStatus, TransactionState

_WAITING = (MintStatus.BUILT, MintStatus.SUBMITTED)


def is_left(operation: Operation, transaction: Transaction) -> bool:
    """Tell whether an operation depends on a transaction that is closed, and did nothing for it."""
    return (
        carried_by(operation) == transaction.key
        and transaction.state is TransactionState.FINAL
        and operation.operation_id in transaction.operations
        and as_far_as(operation, transaction).status in _WAITING
    )


def reopened(transaction: Transaction, *, at: int) -> Transaction:
    """Return a transaction as it was before it was closed; `at` is in Unix milliseconds."""
    opened = transaction.evolve(finalized_at=None, updated_at=at)
    if transaction.to_be_split:
        return opened.evolve(state=TransactionState.MINED)
    return opened.evolve(state=TransactionState.SUBMITTED, outcome=None)


def unclaimed(mint: Mint, *, at: int) -> Mint:
    """Return a mint without the transaction that it names and that is not on record.

    It is built again, unless its token is on chain, which the builder then finds. `at` is in Unix
    milliseconds.
    """
    sender = None if mint.custody == "sponsored" else mint.sender
    return mint.evolve(status=MintStatus.ACCEPTED, sender=sender, nonce=None, updated_at=at)
