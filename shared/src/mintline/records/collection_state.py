"""What operations did to the collection of a factory: its own record follows from them.

`settled` says what `mintline.records.collections.RegisteredContract` is by its deployment and its changes.
"""

from __future__ import annotations

from typing import Literal

from mintline.records.collections import PendingChange, RegisteredContract
from mintline.records.operations import Operation
from mintline.records.problems import ALREADY_CREATED
from mintline.states import MintStatus


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
