"""Token metadata in S3, as the exact bytes whose digest the voucher carries, written once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from botocore.exceptions import ClientError

from mintline.aws.errors import error_code
from mintline.aws.objects import put_once, read_object
from mintline.errors import Rejected, Unavailable
from mintline.object_keys import metadata_object_key
from mintline.resources import METADATA
from mintline_builder.ports import MetadataTaken

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

log = structlog.get_logger(__name__)

_CORRUPT = frozenset(
    {"BadDigest", "InvalidRequest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"}
)


class S3MetadataPublisher:
    """The metadata bucket of one deployment, for one chain. `conflicts` is called for each MetadataTaken."""

    def __init__(
        self, s3: S3Client, prefix: str, chain_id: int, *, conflicts: Callable[[], None] = lambda: None
    ) -> None:
        self._s3 = s3
        self._bucket = METADATA.bucket_name(prefix)
        self._chain_id = chain_id
        self._conflicts = conflicts

    async def put(self, contract: str, token_id: int, text: str, digest: bytes) -> None:
        """Store the text's UTF-8 bytes unless they are there; S3 checks them against `digest`, their SHA-256.

        Raises Rejected if they do not match, and MetadataTaken if other bytes are there: neither is replaced.
        """
        key = metadata_object_key(self._chain_id, contract, token_id)
        try:
            stored = await put_once(
                self._s3,
                self._bucket,
                key,
                text.encode(),
                content_type="application/json",
                digest=digest,
            )
        except ClientError as error:
            if error_code(error) in _CORRUPT:
                raise Rejected("digest_mismatch", "The metadata is not what its digest says.") from error
            raise
        if stored:
            return
        if await self._stored_digest(key) != digest:
            log.error("metadata_conflict", key=key)
            self._conflicts()
            raise MetadataTaken(f"other bytes are stored as {key}")

    async def _stored_digest(self, key: str) -> bytes:
        body = await read_object(self._s3, self._bucket, key)
        if body is None:
            raise Unavailable(f"{key} has just been deleted")
        return hashlib.sha256(body).digest()
