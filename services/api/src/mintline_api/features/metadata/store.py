"""Metadata in S3: a token's own object, or a part of a pack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mintline.aws.dynamo import Dynamo
from mintline.aws.objects import read_object
from mintline.aws.packs import find_pack
from mintline.records import metadata_object_key, scoped
from mintline.resources import METADATA
from mintline.set_aside import SetAside

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client


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
        """Return an object's bytes."""
        return await read_object(self._s3, self._bucket, key)

    async def read_token(self, contract: str, token_id: int) -> bytes | None:
        """Return a token's metadata: its part of the pack that has it, or else its own object."""
        collection_id = scoped(self._chain_id, contract)
        pack = await find_pack(self._dynamo, collection_id, token_id, self._set_aside)
        span = None if pack is None else pack.span_of(token_id)
        if pack is not None and span is not None:
            body = await read_object(self._s3, self._bucket, pack.object_key, span=span)
            if body is not None:
                return body
        key = metadata_object_key(self._chain_id, contract, token_id)
        return await read_object(self._s3, self._bucket, key)
