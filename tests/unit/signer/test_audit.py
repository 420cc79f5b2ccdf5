"""The trail from the enclave to the files, and what its verification finds when someone has been at it."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mintline.attestation.development import DevelopmentAuthority
from mintline.audit.records import Batch, Record, decode_record, hash_of, signed_bytes, write_batches
from mintline.audit.trail import Report, verify_trail
from mintline.errors import Misconfigured, Unavailable
from mintline_signer.enclave.audit import Audit, Trail
from mintline_signer.enclave.nsm_development import DevelopmentNsm
from mintline_signer.errors import Failed, FailureCode
from mintline_signer.host.audit_files import AuditFiles

NOW = 1_800_000_000.0
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
PCR0 = b"\x01" * 48
OWN = Ed25519PrivateKey.generate()


@cache
def authority() -> DevelopmentAuthority:
    return DevelopmentAuthority.create(now=datetime.fromtimestamp(NOW, UTC))


def attested(key: Ed25519PrivateKey, *, module_id: str = "i-1-enc-1", pcr0: bytes = PCR0) -> bytes:
    measured = {index: pcr0 if index == 0 else b"\x02" * 48 for index in range(3)}
    nsm = DevelopmentNsm(authority(), measured=measured, module_id=module_id, now=lambda: NOW)
    return nsm.attest(user_data=key.public_key().public_bytes_raw())


def audit_of(key: Ed25519PrivateKey | None = None, **changes: int) -> Audit:
    key = key or Ed25519PrivateKey.generate()
    return Audit(key, attested=attested(key), now=lambda: NOW, **changes)


def sign(trail: Trail, *, outcome: str = "signed", nonce: int = 0) -> None:
    intent = nonce.to_bytes(32, "big")
    result = bytes(32) if outcome == "signed" else b""
    trail.record(what="sign_mint", outcome=outcome, key=ADDRESS, intent=intent, result=result)


def verified(folder: Path, **expected: Any) -> Report:
    return verify_trail(folder, root=authority().fingerprint, **expected)


def keep(folder: Path, *batches: Batch, name: str = "1") -> None:
    (folder / f"{name}.audit").write_bytes(write_batches(batches))


def history(*, turns: int = 3) -> list[Batch]:
    """Return the batches of an enclave that signed twice and refused once in each turn."""
    trail = Trail(audit_of())
    batches = trail.batches()
    for turn in range(turns):
        sign(trail, nonce=2 * turn)
        sign(trail, nonce=2 * turn + 1)
        sign(trail, outcome="policy_gas")
        batches += trail.batches()
    return batches


def test_trail__when_whole__is_sound_and_counted(tmp_path: Path) -> None:
    keep(tmp_path, *history())
    report = verified(tmp_path, pcr0=[PCR0])
    assert report.sound
    (chain,) = report.chains
    assert chain.breaks == []
    assert (chain.module_id, chain.pcr0, len(chain.records)) == ("i-1-enc-1", PCR0, 10)
    assert report.outcomes == {"signed": 6, "policy_gas": 3}
    assert (chain.first_at, chain.last_at) == (int(NOW * 1000), int(NOW * 1000))


def test_trail__when_two_hosts_store_parts_of_one_chain__is_whole_together(tmp_path: Path) -> None:
    audit = audit_of()
    one, other = Trail(audit), Trail(audit)
    parts: dict[str, list[Batch]] = {"one": one.batches(), "other": []}
    for nonce in range(6):
        sign(one, nonce=nonce)
        sign(other, nonce=nonce + 100)
        parts["one"] += one.batches()
        parts["other"] += other.batches()
    keep(tmp_path, *parts["one"], name="one")
    assert not verified(tmp_path).sound
    keep(tmp_path, *parts["other"], name="other")
    assert verified(tmp_path).sound


def test_trail__when_a_session_ends_before_its_host_stored__is_given_to_the_next(tmp_path: Path) -> None:
    audit = audit_of()
    first = Trail(audit)
    stored = first.batches()
    first.stored(1)
    sign(first)
    lost = first.batches()
    sign(first, nonce=1)
    first.close()
    second = Trail(audit)
    sign(second, nonce=2)
    keep(tmp_path, *stored, *second.batches())
    report = verified(tmp_path)
    assert report.sound
    assert report.outcomes == {"signed": 3}
    keep(tmp_path, *lost, name="late")
    assert verified(tmp_path).outcomes == {"signed": 3}, "what is stored twice counts once"


def test_trail__when_another_session_lives_on__adopts_in_the_chains_order() -> None:
    audit = audit_of()
    one, other = Trail(audit), Trail(audit)
    other.batches()
    sign(one)
    sign(other)
    sign(one)
    one.close()
    (batch,) = other.batches()
    assert [decode_record(record).seq for record in batch.records] == [1, 2, 3]


def test_trail__when_hosts_store_nothing__lets_nothing_more_happen() -> None:
    audit = audit_of(max_waiting=3)
    trail = Trail(audit)
    sign(trail)
    trail.batches()
    trail.check_room()
    sign(trail)
    with pytest.raises(Failed) as caught:
        trail.check_room()
    assert caught.value.code == FailureCode.AUDIT_BEHIND
    trail.close()
    with pytest.raises(Failed):
        Trail(audit).check_room()
    second = Trail(audit)
    assert len(second.batches()) == 1
    second.stored(5)
    second.check_room()


def test_trail__when_there_is_much__cuts_it_into_batches() -> None:
    trail = Trail(audit_of())
    for nonce in range(4500):
        sign(trail, nonce=nonce)
    assert [len(batch.records) for batch in trail.batches()] == [2000, 2000, 501]
    assert trail.batches() == []


def altered(batch: Batch, index: int, **changes: Any) -> Batch:
    records = list(batch.records)
    records[index] = replace(decode_record(records[index]), **changes).encode()
    return replace(batch, records=tuple(records))


def resigned(batch: Batch, key: Ed25519PrivateKey) -> Batch:
    return replace(batch, signature=key.sign(signed_bytes(hash_of(batch.records[-1]))))


BREAKS: dict[str, tuple[Callable[[list[Batch]], list[Batch]], str]] = {
    "nothing": (lambda _: [], "no trail"),
    "no beginning": (lambda b: b[1:], "record 0 missing"),
    "a batch dropped": (lambda b: [*b[:2], *b[3:]], "records 4 to 6 missing"),
    "a refusal made a signature": (lambda b: [*b[:3], altered(b[3], 1, outcome="x")], "does not follow"),
    "the last record altered": (lambda b: [*b[:3], altered(b[3], 2, outcome="x")], "signature is not"),
    "records swapped": (
        lambda b: [*b[:3], replace(b[3], records=(b[3].records[1], b[3].records[0], b[3].records[2]))],
        "stands behind",
    ),
    "a record dropped": (
        lambda b: [*b[:3], replace(b[3], records=(b[3].records[0], b[3].records[2]))],
        "record 8 missing",
    ),
    "the end of a batch cut off": (
        lambda b: [*b[:3], replace(b[3], records=b[3].records[:2])],
        "signature is not",
    ),
    "another enclave's signature": (
        lambda b: [*b[:3], replace(b[3], signature=history()[3].signature)],
        "signature is not",
    ),
    "a batch of another key": (
        lambda b: [*b, resigned(replace(b[3], key=OWN.public_key().public_bytes_raw()), OWN)],
        "records 0 to 6 missing",
    ),
    "a record that is none": (lambda b: [*b, resigned(replace(b[0], records=(b"\x80",)), OWN)], "signature"),
}


@pytest.mark.parametrize("what", sorted(BREAKS))
def test_trail__when_someone_has_been_at_it__is_broken(tmp_path: Path, what: str) -> None:
    spoil, expected = BREAKS[what]
    keep(tmp_path, *spoil(history()))
    report = verified(tmp_path)
    assert not report.sound
    breaks = [*report.breaks, *(fault for chain in report.chains for fault in chain.breaks)]
    assert any(expected in fault for fault in breaks), breaks


def forged(*, key: Ed25519PrivateKey, document: bytes, what: str = "boot") -> Batch:
    record = Record(0, bytes(32), int(NOW * 1000), what, "signed", "", b"", document).encode()
    return resigned(Batch(key.public_key().public_bytes_raw(), (record,), b""), key)


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (lambda: forged(key=OWN, document=b""), "not attested"),
        (lambda: forged(key=OWN, document=attested(Ed25519PrivateKey.generate())), "another audit key"),
        (lambda: forged(key=OWN, document=attested(OWN), what="sign_mint"), "not the enclave's start"),
        (lambda: forged(key=OWN, document=attested(OWN, pcr0=bytes(48))), "debug mode"),
        (lambda: forged(key=OWN, document=attested(OWN, pcr0=b"\x09" * 48)), "not an expected one"),
    ],
    ids=["no document", "another key's", "no start", "debug mode", "another image"],
)
def test_trail__when_the_key_is_not_the_enclaves__is_broken(
    tmp_path: Path, batch: Callable[[], Batch], expected: str
) -> None:
    keep(tmp_path, batch())
    (chain,) = verified(tmp_path, pcr0=[PCR0]).chains
    assert any(expected in fault for fault in chain.breaks), chain.breaks


def test_trail__when_the_root_is_another__is_broken(tmp_path: Path) -> None:
    keep(tmp_path, *history())
    assert not verify_trail(tmp_path, root=bytes(32)).sound


def test_trail__when_a_host_died_in_its_write__tells_the_torn_file_and_stays_sound(tmp_path: Path) -> None:
    batches = history()
    keep(tmp_path, *batches)
    whole = (tmp_path / "1.audit").read_bytes()
    torn = write_batches(batches[-1:])
    for cut in (1, 3, 4, 5, len(torn) - 1):
        (tmp_path / "1.audit").write_bytes(whole + torn[:cut])
        report = verified(tmp_path)
        assert report.sound
        assert report.torn == ["1.audit"]


@pytest.mark.parametrize("junk", [b"\xff" * 100, b"\x00\x00\x00\x01\xf6", b"\x00\x00\x00\x02\xff\xff"])
def test_trail__when_a_file_holds_something_else__is_broken(tmp_path: Path, junk: bytes) -> None:
    keep(tmp_path, *history())
    with (tmp_path / "1.audit").open("ab") as file:
        file.write(junk)
    assert not verified(tmp_path).sound


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_files__when_batches_are_stored__hold_a_trail_that_verifies(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    async with AuditFiles(folder) as files:
        for durable in [files.store(batch) for batch in history(turns=20)]:
            await durable
    assert verified(folder).outcomes == {"signed": 40, "policy_gas": 20}
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_files__when_many_batches_arrive_together__share_a_sync(tmp_path: Path) -> None:
    syncs: list[int] = []
    async with AuditFiles(tmp_path, sync=syncs.append) as files:
        await asyncio.gather(*(files.store(batch) for batch in history(turns=50)))
    assert len(syncs) <= 2


async def test_files__when_a_batch_is_not_synced_yet__keep_its_waiter_waiting(tmp_path: Path) -> None:
    synced: list[bool] = []
    async with AuditFiles(tmp_path, sync=lambda _: synced.append(True)) as files:
        durable = files.store(history()[0])
        await asyncio.sleep(0)
        assert not durable.done()
        await durable
        assert synced == [True]


async def test_files__when_one_is_full__begin_another(tmp_path: Path) -> None:
    names = iter(range(100))
    async with AuditFiles(tmp_path, max_file=1, now=lambda: next(names)) as files:
        for batch in history():
            await files.store(batch)
    assert len(names_in(tmp_path)) == 4
    assert verified(tmp_path).sound


async def test_files__when_the_disk_is_full__fail_the_waiter_and_go_on_in_another_file(
    tmp_path: Path,
) -> None:
    full = True
    names = iter(range(100))

    def sync(_: int) -> None:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    batches = history()
    async with AuditFiles(tmp_path, sync=sync, now=lambda: next(names)) as files:
        with pytest.raises(Unavailable):
            await files.store(batches[0])
        full = False
        for batch in batches:
            await files.store(batch)
    assert len(names_in(tmp_path)) == 2
    assert verified(tmp_path).sound


async def test_files__when_closed__write_what_arrived(tmp_path: Path) -> None:
    async with AuditFiles(tmp_path) as files:
        for batch in history():
            files.store(batch)
    assert verified(tmp_path).sound


async def test_files__when_the_folder_cannot_be__are_misconfigured_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="audit trail: cannot write"):
        async with AuditFiles(tmp_path / "file"):
            pass
