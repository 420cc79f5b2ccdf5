"""Objects in S3: written once, never replaced, and read where one may be missing."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mintline.aws.errors import error_code, translated

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

MISSING = frozenset({"NoSuchKey", "404"})
"""What S3 answers where there is no such object."""
PRECONDITION_FAILED = frozenset({"PreconditionFailed", "412"})
"""What S3 answers where an object is not as a condition of the request has it."""


async def put_once(
    s3: S3Client, bucket: str, key: str, body: bytes, *, content_type: str, digest: bytes | None = None
) -> bool:
    """Store an object unless there is one of that key; return whether it was stored.

    S3 checks the bytes against `digest`, 32 bytes: their SHA-256 unless it is given. Raises Retryable, and
    ClientError for bytes that do not match. Source: "Add preconditions to S3 operations" in S3's user guide.
    """
    checksum = hashlib.sha256(body).digest() if digest is None else digest
    try:
        with translated():
            await s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=body,
                ContentType=content_type,
                ChecksumSHA256=b64encode(checksum).decode(),
                IfNoneMatch="*",
            )
    except ClientError as error:
        if error_code(error) in PRECONDITION_FAILED:
            return False
        raise
    return True


async def read_object(
    s3: S3Client, bucket: str, key: str, *, span: tuple[int, int] | None = None
) -> bytes | None:
    """Return an object's bytes, or those of a span, its end excluded; None if it is missing or too short."""
    # The last byte is included (RFC 9110, section 14.1.2).
    ranged: Any = {} if span is None else {"Range": f"bytes={span[0]}-{span[1] - 1}"}
    try:
        with translated():
            response = await s3.get_object(Bucket=bucket, Key=key, **ranged)
            async with response["Body"] as stream:
                return await stream.read()
    except ClientError as error:
        if error_code(error) in MISSING or error_code(error) in ("InvalidRange", "416"):
            return None
        raise
