"""`mintline audit verify` says what it found, and fails when something is missing, altered or forged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner, Result

from mintline.attestation.development import DevelopmentAuthority
from mintline.audit.records import NO_HASH, write_batches
from mintline.clock import UnixSeconds
from mintline_cli.main import app
from mintline_signer.enclave.audit import Audit, SessionTrail, open_audit, rotate
from mintline_signer.enclave.nsm_development import DevelopmentNsm

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
IMAGE = b"\x01" * 48
POLICY = b"\x10" * 48


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    authority = DevelopmentAuthority.create(now=NOW)
    (tmp_path / "root.pem").write_bytes(authority.root.public_bytes(Encoding.PEM))
    key = Ed25519PrivateKey.generate()
    document = authority.attester("i-1-enc-1", now=NOW).attest(
        module_id="i-1-enc-1",
        at=NOW,
        pcrs={0: IMAGE, 1: b"\x02" * 48, 2: b"\x03" * 48, 16: POLICY},
        user_data=key.public_key().public_bytes_raw(),
    )
    trail = SessionTrail(Audit(key, attested=document, now=lambda: UnixSeconds(NOW.timestamp())))
    batches = trail.batches()
    for outcome in ("signed", "signed", "policy_gas"):
        trail.record(what="sign_mint", outcome=outcome, key="0x", intent=bytes(32))
        batches += trail.batches()
    folder = tmp_path / "audit"
    folder.mkdir()
    for number, batch in enumerate(batches):
        (folder / f"{number}.audit").write_bytes(write_batches([batch]))
    return folder


def run(folder: Path, *options: str) -> Result:
    root = folder.with_name("root.pem")
    return CliRunner().invoke(app, ["audit", "verify", str(folder), "--root", str(root), *options])


def test_verify__when_the_key_was_replaced__shows_who_took_over(tmp_path: Path) -> None:
    authority = DevelopmentAuthority.create(now=NOW)
    (tmp_path / "root.pem").write_bytes(authority.root.public_bytes(Encoding.PEM))
    nsm = DevelopmentNsm(
        authority,
        measured=dict.fromkeys(range(3), IMAGE),
        module_id="i-1-enc-1",
        now=lambda: UnixSeconds(NOW.timestamp()),
    )
    audit = open_audit(nsm, now=lambda: UnixSeconds(NOW.timestamp()))
    audit.begin(NO_HASH)
    rotate(audit, nsm, age=0)
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "1.audit").write_bytes(write_batches(SessionTrail(audit).batches()))
    first, second = json.loads(run(tmp_path / "audit", "--json").stdout)["chains"]
    assert (first["successor"], second["successor"]) == (second["key"], None)
    assert f"to {second['key'][:16]}" in run(tmp_path / "audit").output


def test_verify__when_the_trail_is_whole__counts_its_outcomes(folder: Path) -> None:
    result = run(folder, "--pcr0", IMAGE.hex(), "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["verified"] is True
    assert report["outcomes"] == {"policy_gas": 1, "signed": 2}
    (chain,) = report["chains"]
    assert (chain["module_id"], chain["records"], chain["breaks"]) == ("i-1-enc-1", 4, [])
    assert chain["first"] == "2026-11-24T12:00:00.000+00:00"
    assert "policy_gas" in run(folder).output


def test_verify__when_a_file_is_gone__says_which_record_is_missing(folder: Path) -> None:
    (folder / "2.audit").unlink()
    result = run(folder, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["verified"] is False
    assert result.stderr.splitlines()[-1].endswith("record 2 missing")


def event(module_id: str) -> str:
    recipient = {"attestationDocumentModuleId": module_id}
    return json.dumps({"eventName": "Decrypt", "additionalEventData": {"recipient": recipient}})


def test_verify__when_kms_knows_an_enclave_that_the_trail_does_not__names_it(folder: Path) -> None:
    log = folder.with_name("kms.jsonl")
    log.write_text(event("i-1-enc-1"))
    assert run(folder, "--kms-log", str(log)).exit_code == 0
    log.write_text(event("i-1-enc-1") + "\n" + event("i-1-enc-2"))
    result = run(folder, "--kms-log", str(log), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["verified"] is False
    assert "the enclave i-1-enc-2 asked KMS for keys, and has no records here" in result.stderr


@pytest.mark.parametrize("content", [None, b"", b"root:x:0:0", b"\xff", b"{}"])
def test_verify__when_the_log_of_kms_is_none__fails_in_one_line(folder: Path, content: bytes | None) -> None:
    log = folder.with_name("kms.jsonl")
    if content is not None:
        log.write_bytes(content)
    result = run(folder, "--kms-log", str(log))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


def test_verify__when_a_life_follows_one_that_is_kept_elsewhere__is_sound_if_told(tmp_path: Path) -> None:
    authority = DevelopmentAuthority.create(now=NOW)
    (tmp_path / "root.pem").write_bytes(authority.root.public_bytes(Encoding.PEM))
    nsm = DevelopmentNsm(
        authority,
        measured=dict.fromkeys(range(3), IMAGE),
        module_id="i-1-enc-1",
        now=lambda: UnixSeconds(NOW.timestamp()),
    )
    audit = open_audit(nsm, now=lambda: UnixSeconds(NOW.timestamp()))
    audit.begin(b"\x07" * 32)
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "1.audit").write_bytes(write_batches(SessionTrail(audit).batches()))
    missing = run(tmp_path / "audit", "--json")
    assert missing.exit_code == 1
    assert json.loads(missing.stdout)["chains"][0]["follows"] == "07" * 32
    assert "the life before is missing" in missing.stderr
    assert run(tmp_path / "audit", "--after", "07" * 32).exit_code == 0
    assert run(tmp_path / "audit", "--after", "07").exit_code == 2


def test_verify__when_the_image_is_another__fails(folder: Path) -> None:
    result = run(folder, "--pcr0", (b"\x09" * 48).hex())
    assert result.exit_code == 1
    assert "not attested" in result.stderr


def test_verify__when_the_policy_document_is_another__fails(folder: Path) -> None:
    other = (b"\x09" * 48).hex()
    result = run(folder, "--pcr0", IMAGE.hex(), "--pcr16", other)
    assert result.exit_code == 1
    assert "not attested" in result.stderr
    admitted = ("--pcr0", IMAGE.hex(), "--pcr16", other, "--pcr16", POLICY.hex())
    result = run(folder, *admitted)
    assert result.exit_code == 0, result.stderr
    assert POLICY.hex() in result.output
    (chain,) = json.loads(run(folder, *admitted, "--json").stdout)["chains"]
    assert chain["pcr16"] == POLICY.hex()


def test_verify__when_there_is_no_trail__fails(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run(folder, "--json")
    assert result.exit_code == 0
    result = CliRunner().invoke(app, ["audit", "verify", str(tmp_path / "empty")])
    assert result.exit_code == 1
    assert "there is no trail" in result.stderr
