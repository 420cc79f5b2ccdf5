"""Token metadata in S3, as the exact bytes whose digest the voucher carries."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from mintline.aws.session import error_code, translated
from mintline.errors import Rejected
from mintline.records import metadata_object_key
from mintline.resources import METADATA

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_CORRUPT = frozenset(
    {"BadDigest", "InvalidRequest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"}
)


class PublishedMetadata:
    """The metadata bucket of one deployment, for one chain."""

    def __init__(self, s3: S3Client, prefix: str, chain_id: int) -> None:
        self._s3 = s3
        self._bucket = METADATA.bucket_name(prefix)
        self._chain_id = chain_id

    async def put(self, contract: str, token_id: int, text: str, digest: bytes) -> None:
        """Store the text's UTF-8 bytes; S3 itself checks them against `digest`, their SHA-256.

        Raises Rejected if they do not match. Repeating it is harmless: it writes the same bytes.
        """
        try:
            with translated():
                await self._s3.put_object(
                    Bucket=self._bucket,
                    Key=metadata_object_key(self._chain_id, contract, token_id),
                    Body=text.encode(),
                    ContentType="application/json",
                    ChecksumSHA256=b64encode(digest).decode(),
                )
        except ClientError as error:
            if error_code(error) in _CORRUPT:
                raise Rejected("digest_mismatch", "The metadata is not what its digest says.") from error
            raise
