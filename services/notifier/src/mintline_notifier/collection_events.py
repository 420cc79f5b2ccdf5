"""Events of collections: what a deployment or a change did once it is on chain, and reveals."""

from __future__ import annotations

from collections.abc import Iterable

from mintline.events import Event, Resource
from mintline.records.collection_state import settled
from mintline.records.collections import RegisteredContract
from mintline.records.keys import scoped
from mintline.records.operations import CollectionCall, CollectionOperation
from mintline.views.collections import collection_summary
from mintline_notifier.deriving.base import Fact, event_of
from mintline_notifier.deriving.operations import REVEALED, collection_step
from mintline_notifier.records import Records


class CollectionEvents:
    """Derives events of collections from the operations that make and change them."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def of(self, operation: CollectionOperation, facts: Iterable[Fact]) -> list[Event]:
        """Return the events of what happened to an operation on a collection."""
        call = operation if isinstance(operation, CollectionCall) else None
        step = collection_step(call.change if call else None)
        if step is None:
            return []
        kinds = {f"{operation.kind}.{moment}" for moment in step.moments}
        happened = [fact for fact in facts if fact.type in kinds]
        if not happened:
            return []
        collection = await self._records.collection(scoped(operation.chain_id, operation.contract))
        if collection is None:
            return []
        if step.type == REVEALED and not _reveals(collection, operation):
            return []
        # Whether or not the index has noted yet what the operation did.
        view = collection_summary(settled(collection, None if call else operation, call, finalized=-1))
        resource = Resource("collection", operation.contract)
        return [
            event_of(fact._replace(type=step.type), resource, operation.principal, view) for fact in happened
        ]


def _reveals(collection: RegisteredContract, operation: CollectionOperation) -> bool:
    """Tell whether an announcement of metadata is that of the collection's reveal."""
    return collection.reveal is not None and collection.reveal.operation_id == operation.operation_id
