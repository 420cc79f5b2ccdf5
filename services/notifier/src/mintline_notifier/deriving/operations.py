"""What happened to an operation between two states of it.

::

    accepted ─▶ … ─▶ submitted ─▶ mined ─▶ finalized
        │               │  ▲        │         each arrow that is taken is an event;
        ▼               ▼  └────────┘         the one back is `reorged`
     rejected · cancelled   reverted

A record may be seen after several steps: each of them becomes an event then, in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mintline.aws.items import Item
from mintline.messages.parts import CollectionChange
from mintline.records.operations import Mint, Operation
from mintline.records.problems import CANCELLED
from mintline.records.transactions import Transaction, carried_by, decided_by, status_by
from mintline.states import MintStatus
from mintline_notifier.deriving.base import Fact

IN_BLOCK = (MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REVERTED)
REVEALED = "collection.revealed"
ENDED = frozenset({"mined", "reverted", "rejected", "cancelled"})
_CARRIED: Mapping[str, object] = {
    "status": MintStatus.BUILT,
    "tx_hash": None,
    "block_number": None,
    "block_hash": None,
    "mined_at": None,
    "finalized_at": None,
    "problem": None,
    "waiting": None,
}
"""What an operation's own record says while its transaction says the rest."""
UNSENT = (None, MintStatus.ACCEPTED, MintStatus.BUILT, MintStatus.ISSUED)
STEPPING = ("kind", "status", "block_hash", "mined_at")
"""The attributes of an operation's item of which one at least changes with each step."""
_UNTOLD = frozenset({MintStatus.ACCEPTED.value, MintStatus.BUILT.value, MintStatus.ISSUED.value})


class Progress(NamedTuple):
    """How far an operation is; a block counts only while it is in one."""

    status: MintStatus
    block_hash: bytes | None = None
    mined_at: int | None = None


def is_silent(old: Item, new: Item) -> bool:
    """Tell by two items of an operation that no step is between them, which spares their records."""
    before, after = old.get("status"), new.get("status")
    if not isinstance(before, str) or not isinstance(after, str):
        return False
    if before in _UNTOLD and after in _UNTOLD:
        return True
    return all(old.get(name) == new.get(name) for name in STEPPING)


def steps(old: Operation | Progress | None, new: Operation, *, prefix: str) -> list[Fact]:
    """Return what happened to an operation; None: it was not there before."""
    before, after, name = old.status if old else None, new.status, new.operation_id
    derived: list[Fact] = []

    def step(kind: str, at: int | None, *facts: object) -> None:
        derived.append(Fact(f"{prefix}.{kind}", at or new.updated_at, (name, *facts)))

    if old is None:
        step("accepted", new.created_at)
    left = old is not None and before in IN_BLOCK and _block(old) != _block(new)
    if left:
        assert old is not None
        step("reorged", new.updated_at, *_block(old))
        before = MintStatus.SUBMITTED
    if after is MintStatus.SUBMITTED and before in UNSENT:
        step("submitted", new.submitted_at, _sent_by(new))
    if after in (MintStatus.MINED, MintStatus.FINALIZED) and before not in IN_BLOCK:
        step("mined", new.mined_at, *_block(new))
    if after is MintStatus.FINALIZED and before is not MintStatus.FINALIZED:
        step("finalized", new.finalized_at, *_block(new))
    if after is MintStatus.REVERTED and before is not MintStatus.REVERTED:
        step("reverted", new.mined_at, *_block(new))
    if after is MintStatus.REJECTED and before is not MintStatus.REJECTED:
        cancelled = new.problem is not None and new.problem.code == CANCELLED.code
        step("cancelled" if cancelled else "rejected", new.updated_at)
    return derived


def history(operation: Operation, *, prefix: str) -> list[Fact]:
    """Return what happened to an operation as far as it says so itself: what reorgs undid is not there."""
    derived = steps(None, operation, prefix=prefix)
    sent = operation.submitted_at is not None and operation.status is not MintStatus.SUBMITTED
    if sent and (operation.attempts or carried_by(operation) is not None):
        fact = Fact(
            f"{prefix}.submitted", operation.submitted_at or 0, (operation.operation_id, _sent_by(operation))
        )
        derived.insert(1, fact)
    return derived


def carried(operation: Operation, transaction: Transaction) -> Operation:
    """Return an operation as it was while a transaction carried it, and stood as that has it.

    What happened to the operation afterwards, on its own record, is left out.
    """
    decided = decided_by(operation, transaction, since=transaction.reserved_at)
    alone = {"sender": transaction.signer, "nonce": transaction.nonce}
    return operation.evolve(**{**_CARRIED, **alone, **decided})


def standing(operation: Operation, transaction: Transaction | None) -> Progress:
    """Return how far an operation is by the transaction that carries it."""
    if transaction is None:
        return Progress(MintStatus.BUILT)
    status = status_by(operation, transaction)
    mined = status in IN_BLOCK
    return Progress(
        status, transaction.block_hash if mined else None, transaction.mined_at if mined else None
    )


class CollectionStep(NamedTuple):
    """The event of a collection that an operation on it means."""

    type: str
    moments: frozenset[str] = frozenset({"mined"})
    """The operation's steps at which it has happened."""


def collection_step(change: CollectionChange | None) -> CollectionStep | None:
    """Return the event that a change of a collection means, or its deployment (None); None: it has none.

    New metadata is served before its announcement, and though that fails. A reveal is told once that is
    mined, which is after the deployment, or has failed. Whether it is a reveal, the collection says.

    That it was rejected or cancelled is in another stream than the deployment's transaction: it may be told
    before that.
    """
    if change is None:
        return CollectionStep("collection.deployed")
    return {
        "pause": CollectionStep("collection.paused"),
        "freeze": CollectionStep("collection.frozen"),
        "refresh_metadata": CollectionStep(REVEALED, ENDED),
    }.get(change.action)


def readers(mint: Mint, kind: str) -> Sequence[str]:
    """Return who gets a mint's event: who requested it, and once it is on chain, the token's user."""
    if mint.sub != mint.asked_by and kind in ("mint.mined", "mint.finalized", "mint.reorged"):
        return (mint.asked_by, mint.sub)
    return (mint.asked_by,)


def _block(operation: Operation | Progress) -> tuple[object, ...]:
    if operation.status not in IN_BLOCK:
        return ()
    block_hash = operation.block_hash.hex() if operation.block_hash else ""
    return (block_hash, operation.mined_at)


def _sent_by(operation: Operation) -> str:
    place = carried_by(operation)
    if place is not None:
        return place.name
    return operation.attempts[-1].tx_hash.hex() if operation.attempts else ""
