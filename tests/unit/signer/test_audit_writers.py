"""A folder of the trail that a host ships, and that another process writes to as well."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mintline.audit.records import Batch, write_batches
from mintline.audit.trail import SUFFIX
from mintline.clock import UnixSeconds
from mintline.errors import Unavailable
from mintline_signer.enclave.audit import Audit, SessionTrail
from mintline_signer.host.audit_files import SHIPPED, AuditFiles, is_open
from mintline_signer.host.audit_shipping import AuditShipping


class Bucket:
    """A bucket that keeps what is put."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def put(self, name: str, content: bytes) -> None:
        assert name not in self.objects
        self.objects[name] = content


@pytest.fixture
def batches() -> list[Batch]:
    trail = SessionTrail(
        Audit(Ed25519PrivateKey.generate(), attested=b"document", now=lambda: UnixSeconds(1.0))
    )
    batches = trail.batches()
    for _ in range(3):
        trail.record(what="rewrap", outcome="signed", key="0x", intent=bytes(32))
        batches += trail.batches()
    return batches


def trail_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def owner_of(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_uid, status.st_gid


async def test_shipping__when_another_process_writes_too__then_its_file_is_shipped_once_it_is_closed(
    tmp_path: Path, batches: list[Batch]
) -> None:
    bucket = Bucket()
    shipping = AuditShipping(tmp_path, bucket.put)
    async with AuditFiles(tmp_path) as own:
        async with AuditFiles(tmp_path) as other:
            await other.store(batches[0])
            for batch in batches[1:3]:
                await own.store(batch)
                await own.close_file()
                await shipping.ship()
            assert list(bucket.objects.values()) == [write_batches([batch]) for batch in batches[1:3]]
            await other.store(batches[3])
        await shipping.ship()

    assert list(bucket.objects.values())[2:] == [write_batches([batches[0], batches[3]])]


async def test_shipping__when_a_file_was_begun_before_others_that_are_shipped__then_the_newest_stays(
    tmp_path: Path, batches: list[Batch]
) -> None:
    """The next life names the last record of the file that was begun last, shipped or not."""
    shipping = AuditShipping(tmp_path, Bucket().put)
    names = iter((1, 2))
    async with AuditFiles(tmp_path, now=lambda: next(names)) as other:
        await other.store(batches[0])
        async with AuditFiles(tmp_path, now=lambda: next(names)) as own:
            await own.store(batches[1])
        await shipping.ship()
    await shipping.ship()

    (stays,) = trail_files(tmp_path / SHIPPED)
    assert stays.read_bytes() == write_batches([batches[1]])


async def test_shipping__when_it_may_not_read_a_file__then_the_next_is_shipped(
    tmp_path: Path, batches: list[Batch]
) -> None:
    # Not even root opens a link to itself.
    (tmp_path / f"0{SUFFIX}").symlink_to(tmp_path / f"0{SUFFIX}")
    bucket = Bucket()
    (tmp_path / f"1{SUFFIX}").write_bytes(write_batches(batches))

    assert await AuditShipping(tmp_path, bucket.put).ship() == os.strerror(errno.ELOOP)
    assert list(bucket.objects.values()) == [write_batches(batches)]


async def test_file__when_it_gets_its_name__then_it_is_locked_and_the_folders_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root's commands write to the folder of a host that is not root, and that ships their files."""
    owners: list[tuple[int, int]] = []
    open_when_named: list[bool] = []
    rename = Path.rename

    def named(path: Path, target: Path) -> Path:
        assert owners
        renamed = rename(path, target)
        open_when_named.append(is_open(renamed))
        return renamed

    monkeypatch.setattr(os, "fchown", lambda _file, user, group: owners.append((user, group)))
    monkeypatch.setattr(Path, "rename", named)
    async with AuditFiles(tmp_path):
        (path,) = trail_files(tmp_path)

    assert (owners, open_when_named) == ([owner_of(tmp_path)], [True])
    assert not is_open(path)
    assert names_in(tmp_path) == [path.name]


async def test_file__when_it_cannot_be_named__then_nothing_is_left_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: list[Batch]
) -> None:
    async with AuditFiles(tmp_path) as files:
        await files.store(batches[0])
        await files.close_file()
        before = names_in(tmp_path)

        def fails(_path: Path, _target: Path) -> Path:
            raise PermissionError(1, "Operation not permitted")

        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", fails)
            with pytest.raises(Unavailable):
                await files.store(batches[1])
        assert names_in(tmp_path) == before
        await files.store(batches[1])


async def test_file__when_closing_it_fails__then_it_is_closed_all_the_same_and_no_other_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: list[Batch]
) -> None:
    """Linux frees the descriptor even so (close(2)): a second time would close what has it by then."""
    close = os.close

    def fails(file: int) -> None:
        close(file)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async with AuditFiles(tmp_path) as files:
        await files.store(batches[0])
        (path,) = trail_files(tmp_path)
        with monkeypatch.context() as patched:
            patched.setattr(os, "close", fails)
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                await files.close_file()
        assert not is_open(path)
        await files.close_file()
        await files.store(batches[1])
