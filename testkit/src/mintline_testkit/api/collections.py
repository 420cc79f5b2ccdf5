"""The API's collections in memory."""

from __future__ import annotations

from collections.abc import Sequence

from mintline.authorizations import Authorization, key_of
from mintline.metadata_versions import MetadataVersion
from mintline.records.collections import Collection, RegisteredContract
from mintline.records.index import Checkpoint
from mintline.records.keys import created_key
from mintline.records.operations import CollectionCall, CollectionDeployment, CollectionOperation, Operation
from mintline_api.features.collections.ports import ChangedMeanwhile
from mintline_api.features.pages import Page
from mintline_testkit.api.index import MemoryIndex
from mintline_testkit.api.operations import MemoryMints
from mintline_testkit.api.pages import page_of


class MemoryCollections:
    """Collections in the index's dict, and their operations beside the mints."""

    def __init__(self, index: MemoryIndex, mints: MemoryMints) -> None:
        self._index = index
        self._mints = mints

    async def collection(self, contract: str) -> RegisteredContract | None:
        """Return a collection."""
        return await self._index.collection(contract)

    async def checkpoint(self) -> Checkpoint | None:
        """Return how far the index has come."""
        return await self._index.checkpoint()

    async def deploy(
        self, collection: Collection, deployment: CollectionDeployment, authorization: Authorization
    ) -> CollectionDeployment | None:
        """Create both or neither."""
        self._authorize(deployment, authorization)
        existing = self._mints.collection_operations.get(deployment.operation_id)
        if existing is not None:
            assert isinstance(existing, CollectionDeployment)
            return existing
        self._mints.collection_operations[deployment.operation_id] = deployment
        self._index.collections[collection.contract] = collection
        return None

    async def change(
        self,
        before: RegisteredContract,
        after: RegisteredContract,
        call: CollectionCall,
        authorization: Authorization,
        *,
        version: MetadataVersion | None = None,
    ) -> CollectionCall | None:
        """Change both or neither."""
        self._authorize(call, authorization)
        existing = self._mints.collection_operations.get(call.operation_id)
        if existing is not None:
            assert isinstance(existing, CollectionCall)
            return existing
        current = self._index.collections[after.contract]
        if (current.pending, current.pausing) != (before.pending, before.pausing):
            raise ChangedMeanwhile("changed meanwhile")
        if version is not None and not self._index.versions.add(version):
            raise ChangedMeanwhile("the token has that version")
        self._mints.collection_operations[call.operation_id] = call
        self._index.collections[after.contract] = current.evolve(
            state=after.state,
            pending=after.pending,
            pausing=after.pausing,
            metadata_digest=after.metadata_digest,
            metadata_versions=after.metadata_versions,
            reveal=after.reveal,
        )
        return None

    async def register(self, collection: Collection) -> RegisteredContract | None:
        """Create unless it exists."""
        existing = self._index.collections.get(collection.contract)
        if existing is None:
            self._index.collections[collection.contract] = collection
        return existing

    async def made_by(self, principal: str, *, limit: int, after: str | None) -> Page[RegisteredContract]:
        """Return a client's collections, newest first."""
        mine = [
            (created_key(each.created_at or 0, each.collection_id), each)
            for each in self._index.collections.values()
            if each.clone is not None and each.clone.principal == principal
        ]
        return page_of(mine, limit=limit, after=after, newest_first=True)

    async def operation(self, operation_id: str) -> Operation | None:
        return await self._mints.operation(operation_id)

    async def operations(self, operation_ids: Sequence[str]) -> dict[str, Operation]:
        operations = {operation_id: await self.operation(operation_id) for operation_id in operation_ids}
        return {
            operation_id: operation for operation_id, operation in operations.items() if operation is not None
        }

    def _authorize(self, operation: CollectionOperation, authorization: Authorization) -> None:
        key = key_of(operation)
        assert key is not None
        self._mints.authorizations.setdefault(key, authorization)
