"""What is fetched of a bucket in which somebody has put what no host ships."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from mintline.audit.trail import verify_trail
from mintline.aws.errors import AwsRefused
from mintline_ops.audit_bucket import AT_ONCE, BucketTrail, Fetched

JUNK = b"\x00\x00\x00\x01\xf6"


class Body(AsyncExitStack):
    """An object's bytes."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = content

    async def iter_chunks(self, _size: int) -> AsyncIterator[bytes]:
        yield self._content


class S3:
    """A bucket whose listing may say anything."""

    def __init__(self, *keys: str) -> None:
        self.versions = [
            {"Key": key, "VersionId": f"v{number}", "Size": len(JUNK)} for number, key in enumerate(keys)
        ]
        self.refusals: dict[str, str] = {}
        self.fetched: list[str] = []
        self.fetching = self.most = 0
        self.full: asyncio.Barrier | None = None

    def get_paginator(self, _name: str) -> S3:
        return self

    async def paginate(self, **_: str) -> AsyncIterator[dict[str, Any]]:
        for version in self.versions:
            yield {"Versions": [version]}

    async def get_object(self, **of: str) -> dict[str, Any]:
        self.fetching += 1
        self.most = max(self.most, self.fetching)
        if self.full is not None:
            await self.full.wait()
        self.fetching -= 1
        if of["Key"] in self.refusals:
            raise ClientError({"Error": {"Code": self.refusals[of["Key"]]}}, "GetObject")
        self.fetched.append(of["Key"])
        return {"Body": Body(JUNK)}


async def fetched(s3: S3, folder: Path) -> Fetched:
    return await BucketTrail(cast("Any", s3), bucket="the-trail", folder=folder, largest=100).fetch("host/")


async def test_fetch__when_an_object_is_larger_than_a_file_of_the_trail__then_it_is_told_and_not_read(
    tmp_path: Path,
) -> None:
    s3 = S3("host/1.audit", "host/2.audit", "host/3.audit")
    s3.versions[1]["Size"] = 5 << 30

    trail = await fetched(s3, tmp_path)

    assert s3.fetched == ["host/1.audit", "host/3.audit"]
    (fault,) = trail.faults
    assert fault.startswith(
        "s3://the-trail/host/2.audit (version v1): has 5368709120 bytes, more than a file"
    )


@pytest.mark.parametrize("code", ["AccessDenied", "KMS.DisabledException", "InvalidObjectState"])
async def test_fetch__when_s3_refuses_one_object__then_it_is_told_and_the_others_are_fetched(
    tmp_path: Path, code: str
) -> None:
    s3 = S3("host/1.audit", "host/2.audit")
    s3.refusals["host/1.audit"] = code

    trail = await fetched(s3, tmp_path)

    assert (trail.files, s3.fetched) == (1, ["host/2.audit"])
    assert trail.faults == [f"s3://the-trail/host/1.audit (version v0): S3 refuses it: {code}"]


def refused_all(s3: S3) -> None:
    s3.refusals = {"host/1.audit": "AccessDenied", "host/2.audit": "AccessDenied"}


def no_longer_signed_in(s3: S3) -> None:
    s3.refusals = {"host/2.audit": "ExpiredToken"}


@pytest.mark.parametrize("refuse", [refused_all, no_longer_signed_in])
async def test_fetch__when_s3_refuses_the_reader__then_it_ends(
    tmp_path: Path, refuse: Callable[[S3], None]
) -> None:
    s3 = S3("host/1.audit", "host/2.audit")
    refuse(s3)

    with pytest.raises(AwsRefused):
        await fetched(s3, tmp_path)


async def test_fetch__when_there_are_many_objects__then_a_bounded_number_is_fetched_at_once(
    tmp_path: Path,
) -> None:
    s3 = S3(*(f"host/{number}.audit" for number in range(3 * AT_ONCE)))
    s3.full = asyncio.Barrier(AT_ONCE)

    async with asyncio.timeout(10):
        trail = await fetched(s3, tmp_path)

    assert (trail.files, s3.most) == (3 * AT_ONCE, AT_ONCE)
    assert trail.names.keys() - {tmp_path} == {tmp_path / f"{n + 1:08d}.audit" for n in range(trail.files)}


async def test_report__when_an_object_holds_something_else__then_it_names_the_object_and_its_version(
    tmp_path: Path,
) -> None:
    trail = await fetched(S3("host/\x1b[2J.audit"), tmp_path)

    report = verify_trail(tmp_path, root=bytes(32), names=trail.names)

    junk, none = report.breaks
    assert junk.startswith(
        r"s3://the-trail/host/\u001b[2J.audit (version v0): what stands at byte 0 is broken"
    )
    assert none == "there is no trail in s3://the-trail/host/"
