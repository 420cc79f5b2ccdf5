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
from mintline.audit.records import (
    NO_HASH,
    Batch,
    BrokenRecord,
    Record,
    decode_record,
    hash_of,
    signed_bytes,
    write_batches,
)
from mintline.audit.trail import Report, verify_trail
from mintline.clock import UnixSeconds
from mintline.errors import Misconfigured, Unavailable
from mintline.strict_cbor import dumps
from mintline_signer.enclave.audit import Audit, SessionTrail, open_audit, rotate
from mintline_signer.enclave.nsm import NsmFailed
from mintline_signer.enclave.nsm_development import DevelopmentNsm
from mintline_signer.errors import EnclaveFailure, FailureCode
from mintline_signer.host.audit_files import AuditFiles

NOW = 1_800_000_000.0
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
PCR0 = b"\x01" * 48
PCR16 = b"\x10" * 48
OWN = Ed25519PrivateKey.generate()


@cache
def authority() -> DevelopmentAuthority:
    return DevelopmentAuthority.create(now=datetime.fromtimestamp(NOW, UTC))


def attested(key: Ed25519PrivateKey, *, module_id: str = "i-1-enc-1", pcr0: bytes = PCR0) -> bytes:
    measured = {index: pcr0 if index == 0 else b"\x02" * 48 for index in range(3)} | {16: PCR16}
    nsm = DevelopmentNsm(authority(), measured=measured, module_id=module_id, now=lambda: UnixSeconds(NOW))
    nsm.lock_pcr(16)
    return nsm.attest(user_data=key.public_key().public_bytes_raw())


def audit_of(key: Ed25519PrivateKey | None = None, **changes: Any) -> Audit:
    key = key or Ed25519PrivateKey.generate()
    return Audit(key, attested=attested(key), now=lambda: UnixSeconds(NOW), **changes)


def sign(trail: SessionTrail, *, outcome: str = "signed", nonce: int = 0) -> None:
    intent = nonce.to_bytes(32, "big")
    result = bytes(32) if outcome == "signed" else b""
    trail.record(what="sign_mint", outcome=outcome, key=ADDRESS, intent=intent, result=result)


def verified(folder: Path, **expected: Any) -> Report:
    return verify_trail(folder, root=authority().fingerprint, **expected)


def keep(folder: Path, *batches: Batch, name: str = "1") -> None:
    (folder / f"{name}.audit").write_bytes(write_batches(batches))


def history(*, turns: int = 3) -> list[Batch]:
    """Return the batches of an enclave that signed twice and refused once in each turn."""
    trail = SessionTrail(audit_of())
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


@pytest.mark.parametrize(
    ("admitted", "sound"), [([PCR16], True), ([b"\x11" * 48, PCR16], True), ([b"\x11" * 48], False)]
)
def test_trail__when_the_enclave_signed_by_another_policy_document__is_not_sound(
    tmp_path: Path,
    admitted: list[bytes],
    sound: bool,  # noqa: FBT001 - the table's last column
) -> None:
    keep(tmp_path, *history(turns=1))
    report = verified(tmp_path, pcr0=[PCR0], pcr16=admitted)
    assert report.sound is sound
    (chain,) = report.chains
    assert chain.pcr16 == (PCR16 if sound else b"")


def test_trail__when_refusals_were_counted__counts_each(tmp_path: Path) -> None:
    time = NOW
    key = Ed25519PrivateKey.generate()
    audit = Audit(key, attested=attested(key), now=lambda: UnixSeconds(time))
    trail = SessionTrail(audit)
    for _ in range(5):
        trail.refuse(what="sign_mint", outcome="policy_gas", key=ADDRESS, intent=bytes(32))
    time += 60
    audit.settle_refusals()
    keep(tmp_path, *trail.batches())
    report = verified(tmp_path)
    assert report.sound, report
    assert report.outcomes == {"policy_gas": 5}
    assert [len(chain.records) for chain in report.chains] == [3]


@pytest.mark.parametrize(
    "changes",
    [{"count": 0}, {"count": -2}, {"count": 2, "outcome": "signed"}, {"count": 2, "result": bytes(32)}],
)
def test_record__when_its_count_cannot_be__is_broken(changes: dict[str, Any]) -> None:
    counted = Record(1, bytes(32), 0, "sign_mint", "policy_gas", ADDRESS, bytes(32), b"", 2)
    assert decode_record(counted.encode()) == counted
    with pytest.raises(BrokenRecord):
        decode_record(replace(counted, **changes).encode())


def test_record__when_a_count_of_one_is_written_out__is_broken() -> None:
    fields = [1, bytes(32), 0, "sign_mint", "policy_gas", ADDRESS, bytes(32), b""]
    assert decode_record(dumps(fields)).count == 1
    with pytest.raises(BrokenRecord):
        decode_record(dumps([*fields, 1]))


def test_trail__when_two_hosts_store_parts_of_one_chain__is_whole_together(tmp_path: Path) -> None:
    audit = audit_of()
    first, other = SessionTrail(audit), SessionTrail(audit)
    parts: dict[str, list[Batch]] = {"one": first.batches(), "other": []}
    for nonce in range(6):
        sign(first, nonce=nonce)
        sign(other, nonce=nonce + 100)
        parts["one"] += first.batches()
        parts["other"] += other.batches()
    keep(tmp_path, *parts["one"], name="one")
    assert not verified(tmp_path).sound
    keep(tmp_path, *parts["other"], name="other")
    assert verified(tmp_path).sound


def test_trail__when_a_session_ends_before_its_host_stored__is_given_to_the_next(tmp_path: Path) -> None:
    audit = audit_of()
    first = SessionTrail(audit)
    stored = first.batches()
    first.stored(1)
    sign(first)
    lost = first.batches()
    sign(first, nonce=1)
    first.close()
    second = SessionTrail(audit)
    sign(second, nonce=2)
    keep(tmp_path, *stored, *second.batches())
    report = verified(tmp_path)
    assert report.sound
    assert report.outcomes == {"signed": 3}
    keep(tmp_path, *lost, name="late")
    assert verified(tmp_path).outcomes == {"signed": 3}, "what is stored twice counts once"


def test_trail__when_another_session_lives_on__adopts_in_the_chains_order() -> None:
    audit = audit_of()
    first, other = SessionTrail(audit), SessionTrail(audit)
    other.batches()
    sign(first)
    sign(other)
    sign(first)
    first.close()
    (batch,) = other.batches()
    assert [decode_record(record).seq for record in batch.records] == [1, 2, 3]


def test_trail__when_hosts_store_nothing__lets_nothing_more_happen() -> None:
    audit = audit_of(max_waiting=3)
    trail = SessionTrail(audit)
    sign(trail)
    trail.batches()
    trail.check_room()
    sign(trail)
    with pytest.raises(EnclaveFailure) as caught:
        trail.check_room()
    assert caught.value.code == FailureCode.AUDIT_BEHIND
    trail.close()
    with pytest.raises(EnclaveFailure):
        SessionTrail(audit).check_room()
    second = SessionTrail(audit)
    assert len(second.batches()) == 1
    second.stored(5)
    second.check_room()


def test_trail__when_there_is_much__cuts_it_into_batches() -> None:
    trail = SessionTrail(audit_of())
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


def handed_over(audit: Audit, *, key: Ed25519PrivateKey | None = None, **attestation: Any) -> None:
    key = key or Ed25519PrivateKey.generate()
    audit.hand_over(key, attested=attested(key, **attestation))


def life(**attestation: Any) -> list[Batch]:
    """Return the batches of an enclave that signed under three keys, the first of which is OWN."""
    audit = audit_of(OWN)
    trail = SessionTrail(audit)
    batches = trail.batches()
    for nonce in range(2):
        sign(trail, nonce=nonce)
        batches += trail.batches()
        handed_over(audit, **attestation)
        batches += trail.batches()
    sign(trail, nonce=2)
    return batches + trail.batches()


def faults_in(folder: Path, *batches: Batch) -> list[str]:
    keep(folder, *batches)
    report = verified(folder)
    assert report.sound == (not any(chain.breaks for chain in report.chains))
    return [fault for chain in report.chains for fault in chain.breaks]


def test_trail__when_its_key_was_replaced__is_one_life_under_several_keys(tmp_path: Path) -> None:
    keep(tmp_path, *life())
    report = verified(tmp_path, pcr0=[PCR0])
    assert report.sound
    assert len(report.chains) == 3
    assert report.outcomes == {"signed": 3}, "what begins and ends a chain is no signature of a user's"
    successors = {chain.key: chain.successor for chain in report.chains}
    first, second = OWN.public_key().public_bytes_raw(), successors[OWN.public_key().public_bytes_raw()]
    assert successors[successors[second]] == b""
    assert len({first, second, successors[second]}) == 3


def test_trail__when_its_key_was_replaced_amid_a_write__gives_each_record_under_its_own_key() -> None:
    audit = audit_of()
    trail = SessionTrail(audit)
    sign(trail)
    handed_over(audit)
    sign(trail, nonce=1)
    before, after = trail.batches()
    kinds = [[decode_record(record).what for record in batch.records] for batch in (before, after)]
    assert kinds == [["boot", "sign_mint", "hand_over"], ["take_over", "sign_mint"]]
    assert before.genuine()
    assert after.genuine()
    assert before.key != after.key


def test_trail__when_the_key_is_gone__gives_its_records_again_under_the_signature_of_its_last(
    tmp_path: Path,
) -> None:
    audit = audit_of()
    first = SessionTrail(audit)
    keep(tmp_path, *first.batches(), name="stored")
    first.stored(1)
    sign(first)
    first.batches()
    other = SessionTrail(audit)
    handed_over(audit)
    keep(tmp_path, *other.batches(), name="other")
    assert not verified(tmp_path).sound
    first.close()
    (again,) = SessionTrail(audit).batches()
    assert again.genuine()
    assert [decode_record(record).what for record in again.records] == ["sign_mint", "hand_over"]
    keep(tmp_path, again, name="again")
    assert verified(tmp_path).sound


def test_trail__when_a_hand_over_is_stored__has_no_records_left_to_store() -> None:
    audit = audit_of(max_waiting=3)
    trail = SessionTrail(audit)
    handed_over(audit)
    with pytest.raises(EnclaveFailure):
        trail.check_room()
    trail.stored(len(trail.batches()))
    sign(trail)
    sign(trail)
    trail.check_room()


def of(batches: list[Batch], key: Ed25519PrivateKey) -> list[Batch]:
    public = key.public_key().public_bytes_raw()
    return [batch for batch in batches if batch.key == public]


def own_hand_over(*, seq: int = 2, successor: bytes = bytes(32), previous: bytes) -> Batch:
    """Return what someone who has got hold of an audit key might make up: that it handed over to another."""
    record = Record(seq, previous, int(NOW * 1000), "hand_over", "signed", "", successor, b"").encode()
    return resigned(Batch(OWN.public_key().public_bytes_raw(), (record,), b""), OWN)


def taken_over(key: Ed25519PrivateKey, *, previous: bytes, document: bytes) -> Batch:
    record = Record(0, previous, int(NOW * 1000), "take_over", "signed", "", b"", document).encode()
    return resigned(Batch(key.public_key().public_bytes_raw(), (record,), b""), key)


def head(batches: list[Batch]) -> bytes:
    return hash_of(batches[-1].records[-1])


def test_trail__when_a_key_that_nobody_named_takes_over__is_broken(tmp_path: Path) -> None:
    batches, thief = of(life(), OWN), Ed25519PrivateKey.generate()
    forged = taken_over(thief, previous=head(batches), document=attested(thief))
    faults = faults_in(tmp_path, *batches, forged)
    assert "no key has handed over to this one" in faults
    assert any("nothing follows the hand-over" in fault for fault in faults), "the one that was named is gone"


@pytest.mark.parametrize("previous", [bytes(32), b"\x01" * 32])
def test_trail__when_a_key_takes_over_from_nothing__is_broken(tmp_path: Path, previous: bytes) -> None:
    forged = taken_over(OWN, previous=previous, document=attested(OWN))
    assert faults_in(tmp_path, forged) == ["no key has handed over to this one"]


def test_trail__when_a_stolen_key_hands_over_to_one_of_the_thiefs__is_broken(tmp_path: Path) -> None:
    batches, thief = of(life(), OWN)[:2], Ed25519PrivateKey.generate()
    batch = own_hand_over(successor=thief.public_key().public_bytes_raw(), previous=head(batches))
    begun = taken_over(thief, previous=hash_of(batch.records[0]), document=attested(OWN))
    assert faults_in(tmp_path, *batches, batch, begun) == ["the attestation is of another audit key"]
    begun = taken_over(thief, previous=hash_of(batch.records[0]), document=b"")
    assert any("not attested" in fault for fault in faults_in(tmp_path, *batches, batch, begun))


def test_trail__when_a_stolen_key_hands_over_to_another_enclaves__is_broken(tmp_path: Path) -> None:
    batches, other = of(life(), OWN)[:2], Ed25519PrivateKey.generate()
    batch = own_hand_over(successor=other.public_key().public_bytes_raw(), previous=head(batches))
    for elsewhere in ({"module_id": "i-2-enc-2"}, {"pcr0": b"\x09" * 48}):
        begun = taken_over(other, previous=hash_of(batch.records[0]), document=attested(other, **elsewhere))
        faults = faults_in(tmp_path, *batches, batch, begun)
        assert faults == ["the key that handed over to this one is another enclave's"]


def test_trail__when_a_key_hands_over_to_one_that_never_took_over__is_broken(tmp_path: Path) -> None:
    batches, other = of(life(), OWN)[:2], Ed25519PrivateKey.generate()
    public = other.public_key().public_bytes_raw()
    batch = own_hand_over(successor=public, previous=head(batches))
    begun = SessionTrail(audit_of(other)).batches()
    faults = faults_in(tmp_path, *batches, batch, *begun)
    assert faults == [f"nothing follows the hand-over to {public.hex()[:16]}"]


def test_trail__when_a_key_signs_on_after_its_hand_over__is_broken(tmp_path: Path) -> None:
    batches = life()
    late = Record(
        3, head(of(batches, OWN)), int(NOW * 1000), "sign_mint", "signed", ADDRESS, b"", b""
    ).encode()
    forged = resigned(Batch(OWN.public_key().public_bytes_raw(), (late,), b""), OWN)
    assert faults_in(tmp_path, *batches, forged) == ["record 3 stands behind the hand-over to another key"]


def test_trail__when_a_key_hands_over_twice__is_broken(tmp_path: Path) -> None:
    batches, other = life(), Ed25519PrivateKey.generate()
    batch = own_hand_over(
        successor=other.public_key().public_bytes_raw(), previous=head(of(batches, OWN)[:2])
    )
    assert "there are two records 2" in faults_in(tmp_path, *batches, batch)


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_trail__when_one_keys_records_are_gone__is_broken(tmp_path: Path, gone: int) -> None:
    batches = life()
    keys = list(dict.fromkeys(batch.key for batch in batches))
    faults = faults_in(tmp_path, *(batch for batch in batches if batch.key != keys[gone]))
    expected = ("no key has handed over", "nothing follows the hand-over")
    assert faults
    assert all(fault.startswith(expected) for fault in faults)


def test_trail__when_a_hand_over_names_another_than_the_one_that_follows__is_broken(tmp_path: Path) -> None:
    batches = life()
    (end,) = [batch for batch in of(batches, OWN) if decode_record(batch.records[-1]).what == "hand_over"]
    renamed = resigned(altered(end, -1, intent=bytes(32)), OWN)
    faults = faults_in(tmp_path, *(renamed if batch is end else batch for batch in batches))
    assert "no key has handed over to this one" in faults


class Unattesting(DevelopmentNsm):
    def attest(self, **_: Any) -> bytes:
        raise NsmFailed("away")


def module(kind: type[DevelopmentNsm] = DevelopmentNsm) -> DevelopmentNsm:
    measured = dict.fromkeys(range(3), PCR0)
    return kind(authority(), measured=measured, module_id="i-1-enc-1", now=lambda: UnixSeconds(NOW))


def test_audit_key__when_its_time_is_over__hands_over_once(tmp_path: Path) -> None:
    time = [NOW]
    audit = open_audit(module(), now=lambda: UnixSeconds(time[0]))
    audit.begin(NO_HASH)
    trail = SessionTrail(audit)
    rotate(audit, module(), age=60)
    time[0] += 59
    rotate(audit, module(), age=60)
    assert len(trail.batches()) == 1
    time[0] += 1
    rotate(audit, module(Unattesting), age=60)
    assert trail.batches() == [], "it signs on while no other can be attested"
    rotate(audit, module(), age=60)
    rotate(audit, module(), age=60)
    assert len(trail.batches()) == 2
    assert not audit.due(age=60)


def test_audit_key__when_it_signed_for_so_many_records__is_due() -> None:
    audit = audit_of()
    trail = SessionTrail(audit)
    assert not audit.due(age=60, count=2)
    sign(trail)
    assert audit.due(age=60, count=2)
    handed_over(audit)
    assert not audit.due(age=60, count=2)


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


def linked(*, follows: bytes = NO_HASH, module_id: str = "i-1-enc-1") -> list[Batch]:
    """Return the batches of an enclave that signed once."""
    key = Ed25519PrivateKey.generate()
    document = attested(key, module_id=module_id)
    trail = SessionTrail(Audit(key, attested=document, now=lambda: UnixSeconds(NOW), follows=follows))
    batches = trail.batches()
    sign(trail)
    return batches + trail.batches()


def lives(folder: Path, count: int = 3) -> list[list[Batch]]:
    """Keep lives that follow each other, a file for each."""
    kept: list[list[Batch]] = []
    for number in range(count):
        follows = head(kept[-1]) if kept else NO_HASH
        kept.append(linked(follows=follows, module_id=f"i-1-enc-{number}"))
        keep(folder, *kept[-1], name=str(number))
    return kept


def breaks_of(report: Report) -> list[str]:
    return [*report.breaks, *(fault for chain in report.chains for fault in chain.breaks)]


MODULES = {f"i-1-enc-{number}" for number in range(3)}


def test_lives__when_all_are_there__are_sound(tmp_path: Path) -> None:
    first, second, third = lives(tmp_path)
    report = verified(tmp_path, modules=MODULES)
    assert report.sound, breaks_of(report)
    chains = sorted(report.chains, key=lambda chain: chain.module_id)
    assert [chain.follows for chain in chains] == [NO_HASH, head(first), head(second)]
    assert chains[2].head == head(third)


@pytest.mark.parametrize("gone", [0, 1])
def test_lives__when_one_that_another_followed_is_gone__are_broken(tmp_path: Path, gone: int) -> None:
    lives(tmp_path)
    (tmp_path / f"{gone}.audit").unlink()
    (fault,) = breaks_of(verified(tmp_path))
    assert "the life before is missing" in fault
    broken = breaks_of(verified(tmp_path, modules=MODULES))
    assert f"the enclave i-1-enc-{gone} asked KMS for keys, and has no records here" in broken


def test_lives__when_the_end_of_one_that_another_followed_is_cut_off__are_broken(tmp_path: Path) -> None:
    _, second, _ = lives(tmp_path)
    keep(tmp_path, *second[:-1], name="1")
    (fault,) = breaks_of(verified(tmp_path))
    assert "the life before is missing" in fault


def test_lives__when_the_last_is_gone__are_broken_by_what_kms_knows(tmp_path: Path) -> None:
    lives(tmp_path)
    (tmp_path / "2.audit").unlink()
    assert verified(tmp_path).sound, "nothing here tells of it"
    report = verified(tmp_path, modules=MODULES)
    assert breaks_of(report) == ["the enclave i-1-enc-2 asked KMS for keys, and has no records here"]


def test_lives__when_all_are_gone__are_broken(tmp_path: Path) -> None:
    assert len(breaks_of(verified(tmp_path, modules=MODULES))) == 4


def test_lives__when_the_one_before_is_kept_elsewhere__are_sound_if_told(tmp_path: Path) -> None:
    first, *_ = lives(tmp_path)
    (tmp_path / "0.audit").unlink()
    assert not verified(tmp_path, known=[bytes(31) + b"\1"]).sound
    assert verified(tmp_path, known=[head(first)]).sound


def test_lives__when_one_dates_from_before_they_were_linked__are_sound(tmp_path: Path) -> None:
    document = attested(OWN)
    keep(tmp_path, forged(key=OWN, document=document))
    assert verified(tmp_path).sound


def test_audit__when_no_host_has_told_what_came_before__lets_nothing_happen() -> None:
    audit = audit_of(follows=None)
    trail = SessionTrail(audit)
    with pytest.raises(EnclaveFailure) as caught:
        trail.check_room()
    assert caught.value.code == FailureCode.AUDIT_NOT_BEGUN
    assert trail.batches() == []
    assert not audit.due(age=0, count=0)
    trail.begin(bytes(31) + b"\1")
    trail.begin(bytes(31) + b"\2")
    trail.check_room()
    (batch,) = trail.batches()
    (boot,) = map(decode_record, batch.records)
    assert (boot.what, boot.intent) == ("boot", bytes(31) + b"\1")


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


async def test_files__when_opened__know_the_last_record_of_the_newest_file_that_has_one(
    tmp_path: Path,
) -> None:
    first, second = history(), history()
    keep(tmp_path, *first, name="1")
    keep(tmp_path, *second, name="2")
    (tmp_path / "3.audit").write_bytes(write_batches(first)[:40])
    (tmp_path / "4.audit").write_bytes(b"")
    async with AuditFiles(tmp_path) as files:
        assert files.last() == head(second)
        await files.store(first[0])
        assert files.last() == head(first[:1])


@pytest.mark.parametrize(
    ("cut", "last"),
    [(0, 3), (1, 2), (4, 2), (-1, 3)],
    ids=["whole", "torn", "cut to a length", "junk after"],
)
async def test_files__when_the_newest_one_is_torn__know_its_last_whole_batch(
    tmp_path: Path, cut: int, last: int
) -> None:
    batches = history()
    data = write_batches(batches)
    length = len(write_batches(batches[-1:]))
    cuts = {0: data, 1: data[:-1], 4: data[: 4 - length], -1: data + b"\x00\x00"}
    (tmp_path / "1.audit").write_bytes(cuts[cut])
    async with AuditFiles(tmp_path) as files:
        assert files.last() == head(batches[: last + 1])


async def test_files__when_there_is_none__know_of_no_record(tmp_path: Path) -> None:
    async with AuditFiles(tmp_path) as files:
        assert files.last() == NO_HASH


async def test_files__when_a_batch_could_not_be_written__know_the_one_before(tmp_path: Path) -> None:
    full = False

    def sync(_: int) -> None:
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    batches = history()
    async with AuditFiles(tmp_path, sync=sync) as files:
        await files.store(batches[0])
        full = True
        with pytest.raises(Unavailable):
            await files.store(batches[1])
        assert files.last() == head(batches[:1])


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
