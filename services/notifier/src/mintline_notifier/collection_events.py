"""Events of collections: what a deployment or a change did, once it is on chain."""

from __future__ import annotations

from collections.abc import Iterable

from mintline.collection_records import CollectionCall, CollectionOperation, settled
from mintline.events import Event, Resource
from mintline.records import scoped
from mintline.views.collections import collection_summary
from mintline_notifier.deriving.base import Fact, event_of
from mintline_notifier.deriving.operations import collection_step
from mintline_notifier.records import Records


class CollectionEvents:
    """Derives events of collections from the operations that make and change them."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def of(self, operation: CollectionOperation, facts: Iterable[Fact]) -> list[Event]:
        """Return the events of what happened to an operation on a collection."""
        kind = collection_step(operation.change if isinstance(operation, CollectionCall) else None)
        mined = [fact for fact in facts if fact.type == f"{operation.kind}.mined"]
        if kind is None or not mined:
            return []
        collection = await self._records.collection(scoped(operation.chain_id, operation.contract))
        if collection is None:
            return []
        call = operation if isinstance(operation, CollectionCall) else None
        # Whether or not the index has noted yet what the operation did.
        view = collection_summary(settled(collection, None if call else operation, call, finalized=-1))
        resource = Resource("collection", operation.contract)
        return [event_of(fact._replace(type=kind), resource, operation.principal, view) for fact in mined]
