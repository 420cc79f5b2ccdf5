"""What a booted enclave's machine reports is held against what was computed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mintline.attestation.development import DevelopmentAuthority
from mintline.attestation.registers import UNTOUCHED, extended
from mintline.audit.records import BOOT, NO_HASH, Batch, Record, write_batches
from mintline.errors import Rejected
from mintline_harness.boot.evidence import boot_document, compare, expected

ROLE, INSTANCE = "arn:aws:iam::000000000000:role/enclave", "i-0"
COMPUTED = {f"pcr{place}": f"{place:02x}" * 48 for place in (0, 1, 2, 16)}
REPORTED = {
    **{place: bytes((place,)) * 48 for place in (1, 2, 16)},
    0: bytes(48),
    3: extended(UNTOUCHED, ROLE.encode()),
    4: extended(UNTOUCHED, INSTANCE.encode()),
    5: UNTOUCHED,
}


def trail(folder: Path, pcrs: dict[int, bytes], *, what: str = BOOT) -> None:
    now = datetime.now(UTC)
    attester = DevelopmentAuthority.create(now=now).attester("i-0-enc0", now=now)
    document = attester.attest(module_id="i-0-enc0", at=now, pcrs=pcrs)
    record = Record(0, NO_HASH, 1, what, "signed", "", NO_HASH, document)
    batch = Batch(bytes(32), (record.encode(),), bytes(64))
    (folder / "1.audit").write_bytes(write_batches([batch, batch]))


def test_registers__when_the_machine_reports_what_was_computed__are_told(tmp_path: Path) -> None:
    trail(tmp_path, REPORTED)
    attested = boot_document(tmp_path)

    registers = compare(attested, expected(COMPUTED, role=ROLE, instance=INSTANCE))

    assert attested.module_id == "i-0-enc0"
    assert registers == {**COMPUTED, "pcr3": REPORTED[3].hex(), "pcr4": REPORTED[4].hex()}


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4, 16])
def test_registers__when_one_is_another_or_missing__name_it(place: int, tmp_path: Path) -> None:
    wanted = expected(COMPUTED, role=ROLE, instance=INSTANCE)
    trail(tmp_path, {**REPORTED, place: b"\xff" * 48})
    with pytest.raises(Rejected, match=f"PCR{place} is ff"):
        compare(boot_document(tmp_path), wanted)

    trail(tmp_path, {index: value for index, value in REPORTED.items() if index != place})
    with pytest.raises(Rejected, match=f"PCR{place} is missing"):
        compare(boot_document(tmp_path), wanted)


def test_boot_document__when_no_start_is_on_record__is_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="no enclave's start"):
        boot_document(tmp_path)
    trail(tmp_path, REPORTED, what="mint")
    with pytest.raises(Rejected, match="no enclave's start"):
        boot_document(tmp_path)
