"""The records of collections that factories make, moved on by the operations that deploy and change them.

::

    deploying ──its deployment is mined──▶ ready        back when a reorg drops its block
        └────────it was refused──────────▶ failed

A record follows from its operations as they stand (`mintline.records.collection_state.settled`), which
are read again until they are final: so a crash in between loses nothing, and a reorg needs no undo record.
Writes are conditional on what was read.

A deployment's transaction calls its factory. So the factories of registered collections are followed as well,
though no token is theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import structlog

from mintline.errors import Conflict
from mintline.records.collection_state import settled
from mintline.records.collections import RegisteredContract
from mintline.records.operations import Operation

log = structlog.get_logger(__name__)


class CollectionRecords(Protocol):
    """Collections, and the operations of those that are clones."""

    async def operations(self, ids: Iterable[str]) -> Mapping[str, Operation]:
        """Return the operations that exist and are readable, as they stand, by id."""
        ...

    async def move(self, before: RegisteredContract, after: RegisteredContract) -> None:
        """Write what changed; raises Conflict if the record is not as it was read."""
        ...


async def settle(
    collections: Iterable[RegisteredContract], records: CollectionRecords, *, finalized: int
) -> list[RegisteredContract]:
    """Bring the records of clones up to their operations; return all collections as they are then.

    `finalized` is the number of the index's final block.
    """
    known = list(collections)
    wanted = {name for collection in known for name in _open(collection)}
    operations = await records.operations(sorted(wanted)) if wanted else {}
    return [await _settle_one(collection, operations, records, finalized) for collection in known]


def followed(collections: Iterable[RegisteredContract]) -> dict[str, int]:
    """Return the contracts to follow, each with the block that it was deployed in, or one before."""
    contracts: dict[str, int] = {}
    for collection in collections:
        if collection.clone is not None:
            factory, first = collection.clone.factory, collection.deployed_block
            contracts[factory] = min(first, contracts.get(factory, first))
        if collection.status == "ready":
            contracts[collection.contract] = collection.deployed_block
    return contracts


def _open(collection: RegisteredContract) -> list[str]:
    """Return the ids of the operations that may still move a collection's record."""
    if collection.clone is None:
        return []
    deployment = [] if collection.deployment_final else [collection.clone.operation_id]
    return deployment + [change.operation_id for change in collection.changes]


async def _settle_one(
    collection: RegisteredContract,
    operations: Mapping[str, Operation],
    records: CollectionRecords,
    finalized: int,
) -> RegisteredContract:
    clone = collection.clone
    deployment = None if clone is None else operations.get(clone.operation_id)
    change, pause = (
        None if each is None else operations.get(each.operation_id)
        for each in (collection.pending, collection.pausing)
    )
    moved = settled(collection, deployment, change, pause, finalized=finalized)
    if moved == collection:
        return collection
    try:
        await records.move(collection, moved)
    except Conflict:
        # Another copy, or the api, wrote it meanwhile: the next round sees that.
        return collection
    log.info(
        "collection_moved",
        contract=moved.contract,
        status=moved.status,
        final=moved.deployment_final,
        changes=[change.operation_id for change in moved.changes],
    )
    return moved
