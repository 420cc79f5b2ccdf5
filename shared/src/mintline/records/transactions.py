"""Transactions as records: one nonce of one sender, what it carries, and how far that has come.

A transaction's record is the lock of its nonce, so no nonce is reserved without a record. It carries
operations (a mint, say), by their ids, or a payload of its own (a top-up's). The public status of an
operation is read off its transaction: nothing is written on the operation when the transaction is sent, mined
or final.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from mintline.fields import Address, BoundedText, Bytes32, Wei
from mintline.frozen import Frozen
from mintline.messages.intents import TransactionKind
from mintline.messages.parts import Clone, Fees, KeyRef
from mintline.records.keys import OPEN_SHARDS, scoped
from mintline.records.operations import Attempt, Operation
from mintline.records.problems import NOT_DONE, Problem
from mintline.states import UNDECIDED, MintStatus, TransactionState

Outcome: TypeAlias = Literal["succeeded", "failed", "filled", "used"]
"""What has the nonce: the transaction itself, which did what it was for or reverted, or anything else.

`used` says no more than that, of one that carries no operation: nobody depends on what it was."""


class TransactionKey(NamedTuple):
    """Names a transaction: the chain takes one for each."""

    sender_id: str
    """`{chain_id}#{address}`."""
    nonce: int

    @property
    def name(self) -> str:
        """What it is called in logs and alarms, and in its block's index."""
        return f"{self.sender_id}/{self.nonce}"


class TopUpPayload(Frozen):
    """Gas money for a wallet."""

    recipient: Address
    value: Wei
    recipient_count: int = 0
    """How many of the recipient's own transactions were mined by then."""


class Transaction(Frozen):
    """One nonce of one sender. Times are Unix milliseconds; fields are None until their stage."""

    sender_id: str
    nonce: int
    signer: KeyRef
    kind: TransactionKind
    operations: tuple[str, ...] = ()
    """The ids of the operations that it carries: one, or a batch's many."""
    claiming: Literal[True] | None = None
    """Set on a batch whose operations are not all claimed yet: it may lose some, and is not to be signed."""
    top_up: TopUpPayload | None = None
    clone: Clone | None = None
    """What the contract that it calls was made of, if a factory made it."""
    gas: int
    fees: Fees
    """Of the first attempt; each attempt has its own."""
    meaning: Bytes32
    """By `mintline.kinds`, of what it was reserved for: what means something else is not its own."""
    first_attempt: int = 0
    """The number of its first attempt: a mint that gets another nonce counts through."""
    deadline: int | None = None
    """Unix seconds after which the chain refuses what it is for, if there is such a moment."""
    trace: BoundedText = ""
    state: TransactionState = TransactionState.RESERVED
    attempts: tuple[Attempt, ...] = ()
    filling_at: int | None = None
    """Since when its nonce is for a no-op, and for nothing that it carries."""
    reserved_at: int
    updated_at: int
    submitted_at: int | None = None
    outcome: Outcome | None = None
    tx_hash: Bytes32 | None = None
    """The mined attempt's."""
    block_number: int | None = None
    block_hash: Bytes32 | None = None
    mined_at: int | None = None
    """When the indexer saw it, not the block's timestamp."""
    finalized_at: int | None = None
    problem: Problem | None = None
    """Why it failed on chain."""
    not_made: tuple[str, ...] | None = None
    """Operations that it names, succeeded without, and ends: they read as reverted, by `NOT_DONE`."""
    left: tuple[str, ...] | None = None
    """Operations that it names and carries no more, since its nonce is spent: they went to another one,
    or ended. What is sent of it afterwards is not theirs."""
    swept_at: int | None = None
    """When it was last sent on."""
    sweeps: int = 0
    """How often that was in vain; each time doubles the patience until the next."""

    @property
    def key(self) -> TransactionKey:
        """Its key."""
        return TransactionKey(self.sender_id, self.nonce)

    @property
    def own_attempts(self) -> tuple[Attempt, ...]:
        """The attempts at what it was reserved for, no-ops apart."""
        return tuple(attempt for attempt in self.attempts if not attempt.fills)

    @property
    def to_be_split(self) -> bool:
        """Whether it is a batch that failed: one line is enough for that, so each goes again without it."""
        return self.kind == "batch" and self.outcome == "failed"

    @property
    def next_attempt(self) -> int:
        """The number of the attempt that comes next."""
        return self.first_attempt + len(self.attempts)


def transaction_key_of(signer: KeyRef, nonce: int) -> TransactionKey:
    """Return the key of a transaction."""
    return TransactionKey(scoped(signer.chain_id, signer.address), nonce)


def address_of(sender_id: str) -> str:
    """Return the address in a sender's id."""
    return sender_id.partition("#")[2]


def sender_shard(sender_id: str) -> str:
    """Return the partition of a sender's transactions within the index of open ones."""
    return str(zlib.crc32(sender_id.encode()) % OPEN_SHARDS)


def open_key(place: TransactionKey, reserved_at: int) -> str:
    """Return the sort key of an open transaction: the oldest come first."""
    return f"{reserved_at:015d}#{place.sender_id}#{place.nonce}"


def open_transaction(key: str) -> tuple[TransactionKey, int]:
    """Return what a sort key of the index of open transactions stands for."""
    reserved_at, _, rest = key.partition("#")
    sender_id, _, nonce = rest.rpartition("#")
    return TransactionKey(sender_id, int(nonce)), int(reserved_at)


def carried_by(operation: Operation) -> TransactionKey | None:
    """Return the transaction that carries an operation, or did.

    None before there is one, and with self-custody.
    """
    if operation.sender is None or operation.nonce is None:
        return None
    return transaction_key_of(operation.sender, operation.nonce)


OperationT = TypeVar("OperationT", bound=Operation)


def as_far_as(mint: OperationT, transaction: Transaction | None) -> OperationT:
    """Return an operation as it stands, which its record alone does not say once a transaction carries it.

    A record that is past `built` has its outcome on itself: it was rejected, or its token was made by another
    transaction than ours.
    """
    if transaction is None:
        return mint
    if mint.status is not MintStatus.BUILT:
        return mint.evolve(**_sent(mint, transaction))
    return mint.evolve(**decided_by(mint, transaction, since=mint.updated_at))


def as_far_as_any(mint: OperationT, transactions: Mapping[TransactionKey, Transaction]) -> OperationT:
    """Return an operation as it stands, by the one of these transactions that carries it."""
    place = carried_by(mint)
    return mint if place is None else as_far_as(mint, transactions.get(place))


def decided_by(operation: Operation, transaction: Transaction, *, since: int) -> dict[str, object]:
    """Return the fields of a built operation that the transaction which carries it decides.

    `since` is when the operation was changed last, apart from that, in Unix milliseconds.
    """
    return {
        **_sent(operation, transaction),
        "updated_at": max(since, transaction.updated_at),
        **_outcome(operation, transaction),
    }


def status_by(operation: Operation, transaction: Transaction) -> MintStatus:
    """Return the status of a built operation that a transaction carries."""
    if transaction.outcome not in ("succeeded", "failed") or transaction.to_be_split:
        return MintStatus.SUBMITTED if transaction.own_attempts else MintStatus.BUILT
    if transaction.outcome == "failed" or operation.operation_id in (transaction.not_made or ()):
        return MintStatus.REVERTED
    final = transaction.state is TransactionState.FINAL
    return MintStatus.FINALIZED if final else MintStatus.MINED


def _sent(operation: Operation, transaction: Transaction) -> dict[str, object]:
    sent = transaction.own_attempts
    return {
        "gas": transaction.gas,
        "fees": transaction.fees,
        "attempts": (*operation.attempts, *sent),
        "submitted_at": transaction.submitted_at if sent else None,
    }


def _outcome(operation: Operation, transaction: Transaction) -> dict[str, object]:
    status = status_by(operation, transaction)
    if status in (MintStatus.BUILT, MintStatus.SUBMITTED):
        return {"status": status}
    mined: dict[str, object] = {
        "status": status,
        "tx_hash": transaction.tx_hash,
        "block_number": transaction.block_number,
        "block_hash": transaction.block_hash,
        "mined_at": transaction.mined_at,
    }
    if status is MintStatus.REVERTED:
        failed = transaction.outcome == "failed"
        return {**mined, "problem": transaction.problem if failed else NOT_DONE}
    if status is MintStatus.FINALIZED:
        return {**mined, "finalized_at": transaction.finalized_at}
    return mined


def may_still_be_stopped(operation: Operation, transaction: Transaction) -> bool:
    """Tell whether a built or submitted operation is as it was read, by the transaction that carries it."""
    sent = MintStatus.SUBMITTED if transaction.own_attempts else MintStatus.BUILT
    waits = transaction.state in UNDECIDED
    return waits and sent is operation.status
