"""Operations on collections that a factory makes: the deployment of one, and a call that changes one.

Both are sent by a relayer, which becomes their `sender` with the nonce. What they did to the collection's own
record (`mintline.records.RegisteredContract`) follows from them: `settled` says what it is then.
"""

from __future__ import annotations

from typing import Literal

from mintline.messages import Clone, CollectionChange
from mintline.records import (
    Mint,
    Operation,
    PendingChange,
    Problem,
    RegisteredContract,
    TokenBurn,
    TokenTransfer,
)
from mintline.relayed_records import RelayedBurn, RelayedTransfer
from mintline.states import MintStatus

ALREADY_CREATED = Problem(
    code="already_created",
    reason="The collection is on chain already, by an earlier transaction for this deployment.",
)
"""A deployment that this ended has its collection: nothing else can have the address."""


class CollectionOperation(Operation):
    """What a principal asked for to be done with a collection of theirs."""

    principal: str
    """The machine client, or the `sub`, that asks for it."""
    clone: Clone
    """What the collection is made of, or was."""

    @property
    def asked_by(self) -> str:
        """`sub` of the token that authorizes it."""
        return self.principal


class CollectionDeployment(CollectionOperation):
    """A factory is to make a collection; `contract` is the address that it will have."""

    kind: Literal["deploy"] = "deploy"


class CollectionCall(CollectionOperation):
    """A collection is to be changed."""

    kind: Literal["administer"] = "administer"
    change: CollectionChange


OPERATIONS: tuple[type[Operation], ...] = (
    Mint,
    TokenTransfer,
    TokenBurn,
    RelayedTransfer,
    RelayedBurn,
    CollectionDeployment,
    CollectionCall,
)
"""The records of all kinds."""


def settled(
    collection: RegisteredContract,
    deployment: Operation | None,
    change: Operation | None,
    pause: Operation | None = None,
    *,
    finalized: int,
) -> RegisteredContract:
    """Return a clone's record by the operations of its deployment and of its open changes, as they stand.

    `pause` is that of `pausing`.

    `finalized` is the number of the index's final block. What is missing, or not readable, moves nothing.
    """
    if deployment is not None and not collection.deployment_final:
        collection = _deployed(collection, deployment, finalized=finalized)
    if change is not None:
        collection = _changed(collection, change, "pending", finalized=finalized)
    if pause is not None:
        collection = _changed(collection, pause, "pausing", finalized=finalized)
    return collection


def _deployed(collection: RegisteredContract, deployment: Operation, *, finalized: int) -> RegisteredContract:
    over = is_over(deployment, finalized=finalized)
    if deployment.status in (MintStatus.MINED, MintStatus.FINALIZED):
        block = deployment.block_number
        assert block is not None
        return collection.evolve(status="ready", deployed_block=block, deployment_final=over)
    if deployment.problem is not None and deployment.problem.code == ALREADY_CREATED.code:
        # Its block is not known, but one before it is.
        return collection.evolve(status="ready", deployment_final=over)
    if deployment.status in (MintStatus.REJECTED, MintStatus.REVERTED):
        return collection.evolve(status="failed", deployment_final=over)
    return collection.evolve(status="deploying")


def _changed(
    collection: RegisteredContract,
    operation: Operation,
    member: Literal["pending", "pausing"],
    *,
    finalized: int,
) -> RegisteredContract:
    pending: PendingChange | None = getattr(collection, member)
    if pending is None or pending.operation_id != operation.operation_id:
        return collection
    mined = operation.status in (MintStatus.MINED, MintStatus.FINALIZED)
    if not is_over(operation, finalized=finalized):
        return collection.evolve(**{member: pending.evolve(mined=mined)})
    state = collection.state.after(pending.change) if mined else collection.state
    return collection.evolve(**{"state": state, member: None})


def is_over(operation: Operation, *, finalized: int) -> bool:
    """Tell whether nothing can move an operation any more: not even a reorg."""
    if operation.status is MintStatus.REVERTED:
        return operation.block_number is not None and operation.block_number <= finalized
    return operation.status in (MintStatus.FINALIZED, MintStatus.REJECTED)
