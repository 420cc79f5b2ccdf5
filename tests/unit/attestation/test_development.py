from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from mintline.attestation.chain import AWS_ROOT
from mintline.attestation.development import DevelopmentAuthority
from mintline.attestation.refusals import NotAttested, Reason
from mintline.attestation.verify import verify

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PCRS = {index: bytes((index + 1,)) * 48 for index in range(3)}


def test_authority__when_read_back_from_its_file__attests_under_the_same_root() -> None:
    authority = DevelopmentAuthority.create(now=NOW)
    again = DevelopmentAuthority.from_pem(authority.to_pem())
    attester = again.attester("module", now=NOW)
    attestation = attester.attest(module_id="module", at=NOW, pcrs=PCRS, public_key=b"key")
    attested = verify(attestation, root=authority.fingerprint, at=NOW)
    assert (attested.module_id, attested.public_key) == ("module", b"key")
    assert authority.fingerprint == hashlib.sha256(attested.cabundle[0]).digest()


def test_authority__when_it_attests__is_not_aws() -> None:
    attester = DevelopmentAuthority.create(now=NOW).attester("module", now=NOW)
    with pytest.raises(NotAttested) as caught:
        verify(attester.attest(module_id="module", at=NOW, pcrs=PCRS), root=AWS_ROOT, at=NOW)
    assert caught.value.reason_code is Reason.FOREIGN_ROOT


def test_attester__when_three_hours_have_passed__is_out_of_date() -> None:
    authority = DevelopmentAuthority.create(now=NOW)
    later = NOW + timedelta(hours=3, seconds=1)
    late = authority.attester("module", now=NOW).attest(module_id="module", at=later, pcrs=PCRS)
    with pytest.raises(NotAttested) as caught:
        verify(late, root=authority.fingerprint, at=later)
    assert caught.value.reason_code is Reason.EXPIRED


@pytest.mark.parametrize("cut", ["", "-----BEGIN CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----"])
def test_authority__when_its_file_is_not_whole__is_refused(cut: str) -> None:
    pem = DevelopmentAuthority.create(now=NOW).to_pem().decode()
    broken = pem[: pem.index(cut)] if cut else ""
    with pytest.raises(ValueError, match="not a development authority"):
        DevelopmentAuthority.from_pem(broken.encode())
