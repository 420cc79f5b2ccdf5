"""Under which conditions an operation gets a nonce on DynamoDB, and how it leaves a spent one."""

from __future__ import annotations

from collections.abc import Sequence

from mintline.aws.dynamo import Clause, Update
from mintline.aws.operations import primary_key
from mintline.aws.records import to_item
from mintline.messages.parts import KeyRef
from mintline.records.transactions import TransactionKey
from mintline.resources import TRANSACTIONS
from mintline.states import MintStatus

DID_NOT_SUCCEED = (
    Clause("on_record", "nonce", "exists"),
    Clause("did_not_succeed", "outcome", "ne", ("succeeded",)),
)
"""`may_be_renewed` of a batch, as a condition."""
UNMINED = (*DID_NOT_SUCCEED, Clause("did_not_fail", "outcome", "ne", ("failed",)))
"""`may_be_renewed` of any other transaction, as a condition."""


def leaving(spent: TransactionKey, operations: Sequence[str], *, where: tuple[Clause, ...]) -> Update:
    """Return the write that has operations leave the transaction that carried them."""
    return Update(TRANSACTIONS, primary_key(spent), append={"left": list(operations)}, where=where)


def source_clauses(spent: TransactionKey | None, relayer: KeyRef | None = None) -> tuple[Clause, ...]:
    """Return where an operation must be that the builder moves: not under a nonce that still counts.

    `relayer` is the one that sent what it was in, and is not its sender for good.
    """
    if spent is None:
        return (Clause("still_accepted", "status", "eq", (MintStatus.ACCEPTED.value,)),)
    return (
        Clause("still_built", "status", "eq", (MintStatus.BUILT.value,)),
        Clause("nonce_spent", "nonce", "eq", (spent.nonce,)),
        *((Clause("by_the_relayer", "sender", "eq", (to_item(relayer),)),) if relayer else ()),
        # One that is to be stopped ends with the nonce that it has.
        Clause("not_stopped", "cancel_requested_at", "missing"),
    )
