"""Metadata in S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from mintline.aws.session import error_code, translated
from mintline.resources import METADATA

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client


class S3Metadata:
    """The metadata bucket."""

    def __init__(self, s3: S3Client, *, prefix: str) -> None:
        self._s3 = s3
        self._bucket = METADATA.bucket_name(prefix)

    async def read(self, key: str) -> bytes | None:
        """Return an object's bytes."""
        try:
            with translated():
                response = await self._s3.get_object(Bucket=self._bucket, Key=key)
                async with response["Body"] as stream:
                    return await stream.read()
        except ClientError as error:
            if error_code(error) in ("NoSuchKey", "404"):
                return None
            raise
