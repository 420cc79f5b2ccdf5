"""What is shipped of the trail, and what is left when the bucket refuses or the host dies."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mintline.audit.records import Batch, hash_of
from mintline.audit.trail import SUFFIX
from mintline.clock import UnixSeconds
from mintline.errors import Unavailable
from mintline_signer.enclave.audit import Audit, SessionTrail
from mintline_signer.host.audit_files import SHIPPED, AuditFiles
from mintline_signer.host.audit_shipping import AuditShipping


class Bucket:
    """A bucket that takes an object once, and may be away."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.puts = 0
        self.away = False

    async def put(self, name: str, content: bytes) -> None:
        self.puts += 1
        if self.away:
            raise Unavailable("S3 does not answer")
        self.objects.setdefault(name, content)


class Time:
    """Lets one shipment pass at a time."""

    def __init__(self) -> None:
        self.passes = asyncio.Event()
        self.waits = asyncio.Event()

    async def sleep(self, _seconds: float) -> None:
        self.waits.set()
        await self.passes.wait()
        self.passes.clear()

    async def shipment(self) -> None:
        await self.waits.wait()
        self.waits.clear()
        self.passes.set()
        await self.waits.wait()


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def trail_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob(f"*{SUFFIX}")) if path.stat().st_size]


def batches(count: int) -> list[Batch]:
    key = Ed25519PrivateKey.generate()
    trail = SessionTrail(Audit(key, attested=b"document", now=lambda: UnixSeconds(1.0)))
    batches = trail.batches()
    while len(batches) < count:
        trail.record(what="sign_mint", outcome="signed", key="0x", intent=bytes(32))
        batches += trail.batches()
    return batches[:count]


async def test_shipping__when_batches_come_between_shipments__then_each_is_shipped_once_and_in_order(
    tmp_path: Path, bucket: Bucket
) -> None:
    shipping, time, created = AuditShipping(tmp_path, bucket.put), Time(), batches(3)
    async with AuditFiles(tmp_path) as files:
        kept = asyncio.create_task(shipping.keep(files, every=60, sleep=time.sleep))
        for batch in created[:2]:
            await files.store(batch)
            await time.shipment()
        await time.shipment()
        assert len(bucket.objects) == 2
        await files.store(created[2])
        kept.cancel()
    await shipping.finish()

    assert list(bucket.objects) == sorted(bucket.objects)
    assert len(bucket.objects) == bucket.puts == 3
    assert not trail_files(tmp_path)


async def test_shipping__when_the_bucket_is_away__then_nothing_is_lost_and_it_is_shipped_later(
    tmp_path: Path, bucket: Bucket
) -> None:
    shipping, time, (batch, *_) = AuditShipping(tmp_path, bucket.put), Time(), batches(1)
    bucket.away = True
    async with AuditFiles(tmp_path) as files:
        kept = asyncio.create_task(shipping.keep(files, every=60, sleep=time.sleep))
        await files.store(batch)
        await time.shipment()
        assert (bucket.objects, bucket.puts) == ({}, 1)
        bucket.away = False
        await time.shipment()
        kept.cancel()

    assert len(bucket.objects) == 1


async def test_shipping__when_the_host_died_before_it_put_a_file_away__then_the_same_object_is_found(
    tmp_path: Path, bucket: Bucket
) -> None:
    (batch,) = batches(1)
    async with AuditFiles(tmp_path) as files:
        await files.store(batch)
    (left,) = trail_files(tmp_path)
    content = left.read_bytes()
    await AuditShipping(tmp_path, bucket.put).finish()
    left.write_bytes(content)

    await AuditShipping(tmp_path, bucket.put).finish()

    assert (len(bucket.objects), bucket.puts) == (1, 2)


async def test_life__when_all_before_it_was_shipped__then_it_still_names_the_last_record(
    tmp_path: Path, bucket: Bucket
) -> None:
    created = batches(2)
    for batch in created:
        async with AuditFiles(tmp_path) as files:
            await files.store(batch)
        await AuditShipping(tmp_path, bucket.put).finish()

    async with AuditFiles(tmp_path) as files:
        assert files.last() == hash_of(created[1].records[-1])
    # The disk does not fill with what is in the bucket.
    assert len(trail_files(tmp_path / SHIPPED)) == 1
