"""`mintline attest verify` says what it found, and fails when it found nothing sound."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner, Result

from mintline.attestation.development import DevelopmentAuthority
from mintline.attestation.registers import policy_register
from mintline_cli.main import app
from mintline_testkit.signer import policy_document

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
IMAGE = b"\x01" * 48
GENUINE = Path(__file__).resolve().parents[4] / "shared/vectors/nitro/aws-document.cbor"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    authority = DevelopmentAuthority.create(now=NOW)
    pcrs = {0: IMAGE, 1: b"\x02" * 48, 2: b"\x03" * 48, 16: bytes(48)}
    attester = authority.attester("module", now=NOW)
    path = tmp_path / "document.cbor"
    path.write_bytes(attester.attest(module_id="module", at=NOW, pcrs=pcrs, user_data=b"\xab"))
    (tmp_path / "root.pem").write_bytes(authority.root.public_bytes(Encoding.PEM))
    return path


def run(file: Path, *options: str, at: str = "2026-11-24T12:00:30Z") -> Result:
    root = file.with_name("root.pem")
    arguments = ["attest", "verify", str(file), "--at", at, "--root", str(root), *options]
    return CliRunner().invoke(app, arguments)


def test_verify__when_the_document_is_sound__says_what_it_says(file: Path) -> None:
    result = run(file, "--pcr0", "00" * 48, "--pcr0", IMAGE.hex(), "--pcr", f"16={'00' * 48}", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["verified"] is True
    assert (report["module_id"], report["user_data"]) == ("module", "ab")
    assert report["timestamp"] == "2026-11-24T12:00:00+00:00"
    assert report["pcrs"]["PCR0"] == IMAGE.hex()
    assert "is genuine: module attested" in run(file).output


@pytest.mark.parametrize(
    ("options", "at", "code"),
    [
        (["--pcr0", "01" * 47 + "00"], "2026-11-24T12:00:30Z", "measurement"),
        (["--pcr", f"17={'00' * 48}"], "2026-11-24T12:00:30Z", "measurement"),
        ([], "2026-11-25T12:00:00Z", "expired"),
        ([], "2026-11-24T11:00:00+00:00", "not_yet_valid"),
    ],
)
def test_verify__when_the_document_is_refused__fails_with_the_reason(
    file: Path, options: list[str], at: str, code: str
) -> None:
    result = run(file, *options, "--json", at=at)
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["verified"], report["code"]) == (False, code)
    assert result.stderr.count("\n") == 1


def test_verify__when_no_root_is_named__trusts_aws_alone(file: Path) -> None:
    result = CliRunner().invoke(app, ["attest", "verify", str(file), "--at", "2026-11-24T12:00:30Z"])
    assert result.exit_code == 1
    assert "foreign_root" in result.stderr


@pytest.mark.parametrize(("day", "code"), [(9, 0), (10, 1)])
def test_verify__when_aws_made_the_document__accepts_it_on_that_day_alone(day: int, code: int) -> None:
    if not GENUINE.exists():
        pytest.skip(f"no genuine AWS document at {GENUINE}")
    at = f"2022-11-{day:02}T22:52:00Z"
    assert CliRunner().invoke(app, ["attest", "verify", str(GENUINE), "--at", at]).exit_code == code


@pytest.mark.parametrize(
    "options",
    [
        ["--at", "yesterday"],
        ["--at", "2026-11-24T12:00:00"],
        ["--pcr0", "xyz"],
        ["--pcr0", "00"],
        ["--pcr", f"32={'00' * 48}"],
    ],
)
def test_verify__when_an_option_cannot_be_read__says_so(file: Path, options: list[str]) -> None:
    assert run(file, *options).exit_code == 2


def test_policy__when_measured__is_what_an_enclave_measures(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy_document(), indent=1) + "\n")
    result = CliRunner().invoke(app, ["attest", "policy", str(file), "--json"])
    assert json.loads(result.stdout) == {"PCR16": policy_register(file.read_bytes()).hex()}


def test_policy__when_admitted__stands_beside_the_one_that_is_signed_by(tmp_path: Path) -> None:
    file, deployment = tmp_path / "policy.json", tmp_path / "deployment.json"
    file.write_text(json.dumps(policy_document()))
    deployment.write_text(json.dumps({"prefix": "x", "enclave": {"pcr0": ["aa"], "pcr16": ["bb"]}}))
    measured = policy_register(file.read_bytes()).hex()

    def admit() -> Result:
        return CliRunner().invoke(app, ["attest", "policy", str(file), "--admit", str(deployment)])

    for _ in range(2):
        assert admit().exit_code == 0
    admitted = {"prefix": "x", "enclave": {"pcr0": ["aa"], "pcr16": ["bb", measured]}}
    assert json.loads(deployment.read_text()) == admitted

    # A third one is admitted only once the retired one is taken out.
    file.write_text(json.dumps(policy_document(), indent=1))
    full = admit()
    assert (full.exit_code, "enclave.pcr16 is full" in full.stderr) == (1, True)
    assert json.loads(deployment.read_text()) == admitted


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "cannot read"),
        (b"root:x:0:0:root:/root:/bin/bash\n", "not JSON"),
        (b"{}", "Field required"),
        (json.dumps(policy_document() | {"relayers": None}).encode(), "relayers"),
        (json.dumps(policy_document()).encode()[:-1] + b',"version":1}', '"version" appears twice'),
    ],
)
def test_policy__when_it_is_no_policy_document__prints_no_register(
    tmp_path: Path, document: bytes | None, message: str
) -> None:
    file = tmp_path / "policy.json"
    if document is not None:
        file.write_bytes(document)
    result = CliRunner().invoke(app, ["attest", "policy", str(file), "--json"])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert message in result.stderr
    assert "PCR16" not in result.stdout


def test_verify__when_a_file_is_missing_or_no_certificate__fails_in_one_line(file: Path) -> None:
    missing = run(file.with_name("missing"))
    assert (missing.exit_code, missing.stderr.count("\n")) == (1, 1)
    file.with_name("root.pem").write_text("rubbish")
    assert "not a certificate in PEM" in run(file).stderr
