"""Fetches an audit trail that was shipped to a bucket, every version of each object, hidden ones included.

A writer to the bucket chose names, sizes and encryption of what is in it. An object that is no file of
the trail is reported, and the others are verified all the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mintline.audit.records import MAX_BATCH
from mintline.audit.trail import MAX_FILE, SUFFIX
from mintline.aws.errors import AwsRefused, error_code, translated
from mintline.aws.session import AwsCalls, open_client
from mintline.errors import Misconfigured
from mintline.settings import ServiceSettings
from mintline.text import bounded
from mintline_ops.wallets.ports import for_each

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

SCHEME = "s3://"
AT_ONCE = 16
"""Objects that are fetched at a time."""
LARGEST = MAX_FILE + MAX_BATCH
"""Bytes of a file of the trail at most, with a margin."""
_PIECE = 1 << 20
_SHOWN = 300
"""Characters of a key in a report."""


@dataclass(slots=True)
class Fetched:
    """What was fetched."""

    files: int = 0
    hidden: int = 0
    """Objects that somebody tried to delete: a marker hides them, and their versions are there."""
    names: dict[Path, str] = field(default_factory=dict)
    """What each file, and their folder, is in the bucket."""
    faults: list[str] = field(default_factory=list)
    """Objects that were not fetched, and why: too large for a file of the trail, or refused by S3."""


async def fetch_trail(url: str, folder: Path, *, region: str, endpoint_url: str | None) -> Fetched:
    """Write every version of the trail's objects below `url` (`s3://bucket/prefix`) into a folder.

    Raises Misconfigured for a URL that names no bucket, or one that cannot be read, and OSError.
    """
    bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
    if not bucket:
        raise Misconfigured(f"{url}: expected s3://BUCKET or s3://BUCKET/PREFIX")
    settings = ServiceSettings.model_validate({"aws_region": region, "aws_endpoint_url": endpoint_url})
    async with AsyncExitStack() as stack:
        s3 = await open_client(stack, "s3", settings, calls=AwsCalls())
        try:
            with translated():
                return await BucketTrail(s3, bucket=bucket, folder=folder).fetch(prefix)
        except ClientError as error:
            raise Misconfigured(f"{url}: S3 refuses it: {error_code(error)}") from None


class BucketTrail:
    """The objects of a bucket, as they are written into a folder."""

    def __init__(self, s3: S3Client, *, bucket: str, folder: Path, largest: int = LARGEST) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._folder = folder
        self._largest = largest
        self._fetched = Fetched()
        self._refusal: ClientError | AwsRefused | None = None

    async def fetch(self, prefix: str) -> Fetched:
        """Fetch what is below a prefix; raises what S3 says if it refuses every object, and OSError."""
        self._fetched.names[self._folder] = f"{SCHEME}{self._bucket}/{bounded(prefix, _SHOWN)}"
        await for_each(self._versions(prefix), self._take, concurrency=AT_ONCE)
        if self._refusal is not None and not self._fetched.files:
            raise self._refusal
        return self._fetched

    async def _versions(self, prefix: str) -> AsyncIterator[Any]:
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
        async for page in pages:
            markers: list[Any] = [*page.get("DeleteMarkers", ())]
            self._fetched.hidden += sum(1 for marker in markers if marker.get("IsLatest"))
            for version in page.get("Versions", ()):
                if version["Key"].endswith(SUFFIX):
                    yield version

    async def _take(self, version: Any) -> None:
        key, version_id = version["Key"], version["VersionId"]
        name = f"{SCHEME}{self._bucket}/{bounded(key, _SHOWN)} (version {version_id})"
        if version["Size"] > self._largest:
            self._fetched.faults.append(
                f"{name}: has {version['Size']} bytes, more than a file of the trail: not fetched"
            )
            return
        # By number: what others chose as a key does not say where a file is written.
        path = self._folder / f"{len(self._fetched.names):08d}{SUFFIX}"
        self._fetched.names[path] = name
        try:
            with translated():
                await self._write(path, key, version_id)
        except (AwsRefused, ClientError) as error:
            code = error.code if isinstance(error, AwsRefused) else error_code(error)
            if isinstance(error, AwsRefused) and not _concerns_one(code):
                raise
            self._refusal = error
            self._fetched.faults.append(f"{name}: S3 refuses it: {code}")
        else:
            self._fetched.files += 1

    async def _write(self, path: Path, key: str, version_id: str) -> None:
        response = await self._s3.get_object(Bucket=self._bucket, Key=key, VersionId=version_id)
        with path.open("wb") as file:
            async with response["Body"] as stream:
                async for piece in stream.iter_chunks(_PIECE):
                    file.write(piece)


def _concerns_one(code: str) -> bool:
    """Tell whether a refusal may be of one object: its encryption's key, or a permission."""
    return code == "AccessDenied" or code.startswith("KMS.")
