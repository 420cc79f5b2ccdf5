"""Uploads in DynamoDB and S3.

::

    uploads   new          ─▶ cannot fail: ids are random
              not_complete ─▶ nothing: another request has completed it
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Put, Update
from mintline.aws.errors import error_code, translated
from mintline.aws.objects import MISSING, PRECONDITION_FAILED
from mintline.aws.records import read, to_item
from mintline.object_keys import media_object_key
from mintline.records.uploads import Upload
from mintline.resources import MEDIA, UPLOAD_BUCKET, UPLOADS
from mintline.set_aside import SetAside
from mintline_api.features.uploads.ports import PutRequest, Received, StoredFile

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

CACHE_CONTROL = "public, max-age=31536000, immutable"
_PIECE = 256 * 1024


class DynamoUploads:
    """The records of uploads."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def create(self, upload: Upload) -> None:
        new = Clause("new", "upload_id", "missing")
        await self._dynamo.write(Put(UPLOADS, to_item(upload), where=(new,)))

    async def get(self, upload_id: str) -> Upload | None:
        item = await self._dynamo.get(UPLOADS, {"upload_id": upload_id})
        return None if item is None else read(Upload, UPLOADS, item, self._set_aside)

    async def complete(self, upload: Upload) -> None:
        update = Update(
            table=UPLOADS,
            key={"upload_id": upload.upload_id},
            set={"completed_at": upload.completed_at, "cid": upload.cid},
            remove=("expires",),
            where=(
                Clause("on_record", "upload_id", "exists"),
                Clause("not_complete", "completed_at", "missing"),
            ),
        )
        with suppress(ConditionFailed):
            await self._dynamo.write(update)


class S3Files:
    """The buckets of uploads and of media; `signer` makes URLs under the endpoint that callers reach."""

    def __init__(self, s3: S3Client, *, signer: S3Client, prefix: str) -> None:
        self._s3 = s3
        self._signer = signer
        self._uploads = UPLOAD_BUCKET.bucket_name(prefix)
        self._media = MEDIA.bucket_name(prefix)

    async def put_request(self, upload: Upload, *, seconds: int) -> PutRequest:
        """Return the request that puts an upload's bytes: S3 refuses another length, type or SHA-256.

        Source: "Uploading objects with presigned URLs" and "Checking object integrity" in S3's user guide.
        """
        checksum = base64.b64encode(upload.sha256).decode()
        with translated():
            url = await self._signer.generate_presigned_url(
                "put_object",
                Params={
                    "Bucket": self._uploads,
                    "Key": upload.upload_id,
                    "ContentType": upload.content_type,
                    "ContentLength": upload.size,
                    "ChecksumSHA256": checksum,
                },
                ExpiresIn=seconds,
            )
        headers = {"Content-Type": upload.content_type, "x-amz-checksum-sha256": checksum}
        return PutRequest(url, headers)

    async def receive(self, upload_id: str, into: Callable[[bytes], None], *, most: int) -> Received | None:
        try:
            with translated():
                response = await self._s3.get_object(Bucket=self._uploads, Key=upload_id)
                received = Received(response["ETag"], response["ContentLength"])
                async with response["Body"] as stream:
                    if received.size <= most:
                        async for piece in stream.iter_chunks(_PIECE):
                            into(piece)
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            raise
        return received

    async def publish(self, upload: Upload, *, version: str) -> bool:
        try:
            with translated():
                await self._s3.copy_object(
                    Bucket=self._media,
                    Key=media_object_key(upload.sha256),
                    CopySource={"Bucket": self._uploads, "Key": upload.upload_id},
                    CopySourceIfMatch=version,
                    MetadataDirective="REPLACE",
                    TaggingDirective="REPLACE",
                    ContentType=upload.content_type,
                    CacheControl=CACHE_CONTROL,
                )
        except ClientError as error:
            if error_code(error) in MISSING | PRECONDITION_FAILED:
                return False
            raise
        return True

    async def describe(self, sha256: bytes) -> StoredFile | None:
        try:
            with translated():
                head = await self._s3.head_object(Bucket=self._media, Key=media_object_key(sha256))
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            raise
        return StoredFile(head["ContentType"], head["ContentLength"])

    async def read(self, sha256: bytes, *, start: int, length: int) -> AsyncIterator[bytes]:
        with translated():
            response = await self._s3.get_object(
                Bucket=self._media,
                Key=media_object_key(sha256),
                Range=f"bytes={start}-{start + length - 1}",
            )
            async with response["Body"] as stream:
                async for piece in stream.iter_chunks(_PIECE):
                    yield piece
