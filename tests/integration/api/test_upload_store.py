"""Uploads against the emulator: the presigned request, the copy that is served, and the record."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from mintline.aws.dynamo import Dynamo
from mintline.aws.session import AwsCalls, open_client
from mintline.records.uploads import Upload
from mintline.settings import ServiceSettings
from mintline_api.features.uploads.ports import StoredFile
from mintline_api.features.uploads.store import DynamoUploads, S3Files

pytestmark = pytest.mark.integration

DATA = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2000
UPLOAD = Upload(
    upload_id="upload_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D",
    asked_by="alice",
    content_type="image/png",
    size=len(DATA),
    sha256=hashlib.sha256(DATA).digest(),
    created_at=5,
    expires=10**10,
)


@pytest.fixture
async def files(aws_settings: ServiceSettings, aws_prefix: str) -> AsyncIterator[S3Files]:
    async with AsyncExitStack() as stack:
        s3 = await open_client(stack, "s3", aws_settings, calls=AwsCalls())
        yield S3Files(s3, signer=s3, prefix=aws_prefix)


async def test_file__when_it_is_put_by_its_request__then_it_is_read_published_and_served(
    files: S3Files,
) -> None:
    taken = bytearray()
    assert await files.receive(UPLOAD.upload_id, taken.extend, most=UPLOAD.size) is None
    put = await files.put_request(UPLOAD, seconds=60)
    async with aiohttp.ClientSession() as http:
        for body, status in ((DATA, 200), (DATA, 200)):
            async with http.put(put.url, data=body, headers=put.headers) as response:
                assert response.status == status, await response.text()
        async with http.put(put.url, data=DATA + b"x", headers=put.headers) as response:
            assert response.status in {400, 403}
        headers = {**put.headers, "Content-Type": "text/html"}
        async with http.put(put.url, data=DATA, headers=headers) as response:
            assert response.status == 403

    received = await files.receive(UPLOAD.upload_id, taken.extend, most=UPLOAD.size)
    assert received is not None
    assert (received.size, bytes(taken)) == (len(DATA), DATA)
    taken.clear()
    too_long = await files.receive(UPLOAD.upload_id, taken.extend, most=UPLOAD.size - 1)
    assert (too_long, bytes(taken)) == (received, b"")

    assert await files.describe(UPLOAD.sha256) is None
    assert not await files.publish(UPLOAD, version='"another"')
    assert await files.describe(UPLOAD.sha256) is None
    for _ in range(2):
        assert await files.publish(UPLOAD, version=received.version)
    assert await files.describe(UPLOAD.sha256) == StoredFile("image/png", len(DATA))
    part = [piece async for piece in files.read(UPLOAD.sha256, start=100, length=300_000)]
    assert b"".join(part) == DATA[100:300_100]


async def test_record__when_it_is_completed_twice__then_the_first_time_counts(
    aws_settings: ServiceSettings, aws_prefix: str
) -> None:
    async with AsyncExitStack() as stack:
        client = await open_client(stack, "dynamodb", aws_settings, calls=AwsCalls())
        dynamo = Dynamo(client, aws_prefix)
        stack.push_async_callback(dynamo.aclose)
        uploads = DynamoUploads(dynamo)
        assert await uploads.get(UPLOAD.upload_id) is None
        await uploads.create(UPLOAD)
        assert await uploads.get(UPLOAD.upload_id) == UPLOAD
        done = UPLOAD.evolve(completed_at=7, cid="bafy", expires=None)
        await uploads.complete(done)
        await uploads.complete(done.evolve(completed_at=8))
        assert await uploads.get(UPLOAD.upload_id) == done
        # One that was dropped meanwhile does not come back as half a record.
        other = done.evolve(upload_id="upload_00000000000000000000000000")
        await uploads.complete(other)
        assert await uploads.get(other.upload_id) is None
