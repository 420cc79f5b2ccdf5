"""Metadata in S3: a token's own object, or a part of a pack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mintline.aws.dynamo import Dynamo
from mintline.aws.packs import find_pack
from mintline.aws.session import error_code, translated
from mintline.records import metadata_object_key, scoped
from mintline.resources import METADATA
from mintline.set_aside import SetAside

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_MISSING = frozenset({"NoSuchKey", "404", "InvalidRange", "416"})
"""There is no such object, or it is shorter than the pack that it stands for."""


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
        return await self._get(key)

    async def read_token(self, contract: str, token_id: int) -> bytes | None:
        """Return a token's metadata: its part of the pack that has it, or else its own object."""
        collection_id = scoped(self._chain_id, contract)
        pack = await find_pack(self._dynamo, collection_id, token_id, self._set_aside)
        span = None if pack is None else pack.span_of(token_id)
        if pack is not None and span is not None:
            body = await self._get(pack.object_key, span=span)
            if body is not None:
                return body
        return await self._get(metadata_object_key(self._chain_id, contract, token_id))

    async def _get(self, key: str, *, span: tuple[int, int] | None = None) -> bytes | None:
        # The last byte is included (RFC 9110, section 14.1.2).
        ranged: Any = {} if span is None else {"Range": f"bytes={span[0]}-{span[1] - 1}"}
        try:
            with translated():
                response = await self._s3.get_object(Bucket=self._bucket, Key=key, **ranged)
                async with response["Body"] as stream:
                    return await stream.read()
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise
