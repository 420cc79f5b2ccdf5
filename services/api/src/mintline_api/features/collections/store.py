"""Collections, and the operations that make and change them, in DynamoDB; their metadata in S3."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from mintline.authorizations import Authorization
from mintline.aws.authorizations import keep_authorization
from mintline.aws.collections import OPEN_CHANGES, same_changes
from mintline.aws.dynamo import (
    Clause,
    Contended,
    Dynamo,
    Item,
    Put,
    TransactionCancelled,
    Update,
)
from mintline.aws.objects import put_once
from mintline.aws.operations import read_operation, read_operations
from mintline.aws.records import operation_item, read, to_item
from mintline.errors import Unavailable, Unreadable
from mintline.metadata_versions import MetadataVersion
from mintline.records.collections import Collection, RegisteredContract
from mintline.records.index import Checkpoint
from mintline.records.keys import created_key, scoped
from mintline.records.operations import CollectionCall, CollectionDeployment, CollectionOperation, Operation
from mintline.resources import COLLECTIONS, METADATA, METADATA_VERSIONS, MINTS
from mintline.set_aside import SetAside
from mintline_api.features.collections.ports import ChangedMeanwhile, CollectionIndex
from mintline_api.features.pages import Page, newest_first

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_BY_CREATOR = COLLECTIONS.index("by_creator")
_REFUSED = "ConditionalCheckFailed"
_NEW_OPERATION = (Clause("new_operation", "mint_id", "missing"),)
_NEW_VERSION = (Clause("new_version", "token_ref", "missing"),)
_CHANGED = ("state", "pending", "pausing", "metadata_digest", "metadata_versions", "reveal")
"""What a change writes of a collection's record."""
_NEW_COLLECTION = (Clause("new_collection", "collection_id", "missing"),)

OperationT = TypeVar("OperationT", bound=CollectionOperation)


class DynamoCollections:
    """The collections of one chain.

    ::

        authorizations     new_authorization ─▶ it stays as it is
        mints              new_operation     ─▶ the operation that is there      ┐
        collections        new_collection, or same_change ─▶ changed meanwhile   ├ one transaction
        metadata-versions  new_version       ─▶ changed meanwhile                ┘
    """

    def __init__(
        self, dynamo: Dynamo, index: CollectionIndex, *, chain_id: int, set_aside: SetAside | None = None
    ) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()
        self._chain_id = chain_id
        self._index = index

    async def collection(self, contract: str) -> RegisteredContract | None:
        return await self._index.collection(contract)

    async def checkpoint(self) -> Checkpoint | None:
        """Return how far the index has come."""
        return await self._index.checkpoint()

    async def deploy(
        self, collection: Collection, deployment: CollectionDeployment, authorization: Authorization
    ) -> CollectionDeployment | None:
        """Create a collection and the operation that deploys it, or return the operation that was there."""
        put = Put(COLLECTIONS, _item(collection), where=_NEW_COLLECTION)
        return await self._with_operation(deployment, authorization, put)

    async def change(
        self,
        before: RegisteredContract,
        after: RegisteredContract,
        call: CollectionCall,
        authorization: Authorization,
        *,
        version: MetadataVersion | None = None,
    ) -> CollectionCall | None:
        item = to_item(after)
        update = Update(
            COLLECTIONS,
            self._key(after.contract),
            set={name: item[name] for name in _CHANGED if name in item},
            remove=tuple(name for name in OPEN_CHANGES if name not in item),
            where=same_changes(before),
        )
        beside = () if version is None else (Put(METADATA_VERSIONS, to_item(version), where=_NEW_VERSION),)
        return await self._with_operation(call, authorization, update, *beside)

    async def _with_operation(
        self, operation: OperationT, authorization: Authorization, *beside: Put | Update
    ) -> OperationT | None:
        # First: a crash in between leaves an authorization that nobody reads, never an operation without it.
        await keep_authorization(self._dynamo, operation, authorization)
        operation_id = operation.operation_id
        try:
            await self._dynamo.transact(
                [Put(MINTS, operation_item(operation), where=_NEW_OPERATION), *beside]
            )
        except Contended:
            raise Unavailable("other writers kept moving the collection's record") from None
        except TransactionCancelled as lost:
            if lost.reasons[0].code != _REFUSED:
                raise ChangedMeanwhile("the collection's record was changed meanwhile") from None
            existing = await self.operation(operation_id)
            # An id begins with its kind.
            assert isinstance(existing, type(operation))
            return existing
        return None

    async def register(self, collection: Collection) -> RegisteredContract | None:
        """Create the record of a contract that others deployed; return what is there if one is."""
        try:
            await self._dynamo.transact([Put(COLLECTIONS, _item(collection), where=_NEW_COLLECTION)])
        except Contended:
            raise Unavailable("other writers kept moving the collection's record") from None
        except TransactionCancelled:
            return await self.collection(collection.contract)
        return None

    async def made_by(self, principal: str, *, limit: int, after: str | None) -> Page[RegisteredContract]:
        """Return the collections that a client made, newest first; the index lags by moments."""
        page = await newest_first(
            self._dynamo, COLLECTIONS, _BY_CREATOR, self._creator(principal), limit=limit, after=after
        )
        rows = await asyncio.gather(*(self._row(collection_id) for _, collection_id in page.items))
        return Page(
            tuple((key, row) for (key, _), row in zip(page.items, rows, strict=True) if row is not None),
            more=page.more,
            last=page.end,
        )

    async def _row(self, collection_id: str) -> RegisteredContract | None:
        item = await self._dynamo.get(COLLECTIONS, {"collection_id": collection_id})
        if item is None:
            return None
        with suppress(Unreadable):
            return read(RegisteredContract, COLLECTIONS, item, self._set_aside)
        return None

    async def operation(self, operation_id: str) -> Operation | None:
        """Return an operation of any kind as it stands."""
        return await read_operation(self._dynamo, operation_id, self._set_aside)

    async def operations(self, operation_ids: Sequence[str]) -> dict[str, Operation]:
        return await read_operations(self._dynamo, operation_ids, self._set_aside)

    def _key(self, contract: str) -> Item:
        return {"collection_id": scoped(self._chain_id, contract)}

    def _creator(self, principal: str) -> str:
        return scoped(self._chain_id, principal)


def _item(collection: Collection) -> Item:
    """Return a collection's attributes; those of the index by creator only if a client made it."""
    item = to_item(collection)
    if collection.clone is not None and collection.created_at is not None:
        item["created_by"] = scoped(collection.chain_id, collection.clone.principal)
        item["created_key"] = created_key(collection.created_at, collection.collection_id)
    return item


class S3CollectionMetadata:
    """The metadata bucket, for what collections say of themselves."""

    def __init__(self, s3: S3Client, *, prefix: str) -> None:
        self._s3 = s3
        self._bucket = METADATA.bucket_name(prefix)

    async def publish(self, key: str, body: bytes) -> None:
        """Store an object unless it is there; its key holds its digest."""
        await put_once(self._s3, self._bucket, key, body, content_type="application/json")
