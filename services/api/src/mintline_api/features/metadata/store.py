"""Metadata in S3: a token's own object, a part of a pack, or a later version."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mintline.aws.dynamo import Clause, Contended, Dynamo, Item, Put, TransactionCancelled
from mintline.aws.objects import read_object
from mintline.aws.packs import every_pack, packs_with, read_packed
from mintline.aws.records import read, readable, to_item
from mintline.errors import Unavailable
from mintline.metadata_versions import MOST_VERSIONS, MetadataVersion, version_object_key
from mintline.object_keys import metadata_object_key
from mintline.packs import PackIndex
from mintline.records.keys import scoped, token_ref
from mintline.resources import METADATA, METADATA_VERSIONS
from mintline.reveals import reveal_partition
from mintline.set_aside import SetAside

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_NEW = (Clause("new", "token_ref", "missing"),)


class S3Metadata:
    """The metadata bucket, and the table that says what its packs have, as one chain's."""

    def __init__(
        self,
        s3: S3Client,
        dynamo: Dynamo,
        *,
        prefix: str,
        chain_id: int,
        set_aside: SetAside | None = None,
    ) -> None:
        self._s3 = s3
        self._dynamo = dynamo
        self._bucket = METADATA.bucket_name(prefix)
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def read(self, key: str) -> bytes | None:
        return await read_object(self._s3, self._bucket, key)

    async def read_token(self, contract: str, token_id: int) -> bytes | None:
        """Return a token's metadata as minted: its part of the pack that has it, or else its own object."""
        body = await self._packed(scoped(self._chain_id, contract), token_id)
        if body is not None:
            return body
        key = metadata_object_key(self._chain_id, contract, token_id)
        return await read_object(self._s3, self._bucket, key)

    async def find_token(self, contract: str, token_id: int, digest: bytes) -> bytes | None:
        """Return the text of a token with a SHA-256: of an earlier pack that has it, or of its own object."""
        collection_id = scoped(self._chain_id, contract)
        async for pack in packs_with(self._dynamo, collection_id, token_id, self._set_aside):
            body = await read_object(self._s3, self._bucket, pack.object_key, span=pack.span_of(token_id))
            if body is not None and hashlib.sha256(body).digest() == digest:
                return body
        body = await self.read(metadata_object_key(self._chain_id, contract, token_id))
        return body if body is not None and hashlib.sha256(body).digest() == digest else None

    async def read_revealed(self, contract: str, token_id: int) -> bytes | None:
        return await self._packed(reveal_partition(scoped(self._chain_id, contract)), token_id)

    async def revealed_packs(self, contract: str) -> list[PackIndex]:
        partition = reveal_partition(scoped(self._chain_id, contract))
        return [pack async for pack in every_pack(self._dynamo, partition, self._set_aside)]

    async def _packed(self, partition: str, token_id: int) -> bytes | None:
        return await read_packed(
            self._dynamo, partition, token_id, self._set_aside, s3=self._s3, bucket=self._bucket
        )

    async def read_version(self, contract: str, token_id: int, digest: bytes) -> bytes | None:
        key = version_object_key(self._chain_id, contract, token_id, digest)
        return await read_object(self._s3, self._bucket, key)


class DynamoVersions:
    """The table of versions, as one chain's."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def latest(self, contract: str, token_id: int) -> MetadataVersion | None:
        """Return the latest version; raises Unreadable, since an older one is not it."""
        items = await self._items(contract, token_id, limit=1)
        return read(MetadataVersion, METADATA_VERSIONS, items[0], self._set_aside) if items else None

    async def begin(self, version: MetadataVersion) -> bool:
        try:
            await self._dynamo.transact([Put(METADATA_VERSIONS, to_item(version), where=_NEW)])
        except Contended:
            raise Unavailable("other writers kept writing the item's first version") from None
        except TransactionCancelled:
            return False
        return True

    async def versions(self, contract: str, token_id: int) -> list[MetadataVersion]:
        """Return all versions that are readable, newest first."""
        items = await self._items(contract, token_id, limit=MOST_VERSIONS)
        records = readable(MetadataVersion, METADATA_VERSIONS, items, self._set_aside)
        return [version for _, version in records]

    async def _items(self, contract: str, token_id: int, *, limit: int) -> list[Item]:
        page = await self._dynamo.query(
            METADATA_VERSIONS,
            partition=token_ref(self._chain_id, contract, token_id),
            forward=False,
            limit=limit,
        )
        return page.items
