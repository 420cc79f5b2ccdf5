"""Fetches an audit trail that was shipped to a bucket, every version of each object, hidden ones included."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mintline.audit.trail import SUFFIX
from mintline.aws.errors import error_code, translated
from mintline.aws.session import AwsCalls, open_client
from mintline.errors import Misconfigured
from mintline.settings import ServiceSettings

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

SCHEME = "s3://"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched."""

    files: int
    hidden: int
    """Objects that somebody tried to delete: a marker hides them, and their versions are there."""


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
                return await _fetch(s3, bucket, prefix, folder)
        except ClientError as error:
            raise Misconfigured(f"{url}: S3 refuses it: {error_code(error)}") from None


async def _fetch(s3: S3Client, bucket: str, prefix: str, folder: Path) -> Fetched:
    files = hidden = 0
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    async for page in pages:
        markers: list[Any] = [*page.get("DeleteMarkers", ())]
        hidden += sum(1 for marker in markers if marker.get("IsLatest"))
        for version in page.get("Versions", ()):
            if not version["Key"].endswith(SUFFIX):
                continue
            answer = await s3.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
            # By number: what others chose as a key does not say where a file is written.
            (folder / f"{files:08d}{SUFFIX}").write_bytes(await answer["Body"].read())
            files += 1
    return Fetched(files, hidden)
