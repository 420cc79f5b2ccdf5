from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mintline.attestation.registers import policy_register
from mintline_cli.main import app
from mintline_eif import image
from mintline_testkit.signer import policy_document

from .conftest import Save, member

PCR = "ab" * 48
POLICY = json.dumps(policy_document())


@pytest.fixture
def built(save: Save, blobs: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    out = tmp_path / "signer.eif"
    arguments = ["eif", "build", str(save([member("a", b"1")])), "--blobs", str(blobs), "--out", str(out)]
    result = CliRunner().invoke(app, [*arguments, "--env", "A=1", "--json"])
    assert result.exit_code == 0, result.output
    return out, json.loads(result.stdout)


def test_build__when_it_wrote_an_image__says_what_it_measures_as(built: tuple[Path, dict[str, str]]) -> None:
    out, printed = built

    assert printed["pcr0"] == image.measure(image.read(out.read_bytes())).pcr0
    again = CliRunner().invoke(app, ["eif", "pcrs", str(out), "--json"])
    assert json.loads(again.stdout) == printed


def test_pcrs__when_an_image_is_admitted__stands_beside_the_one_that_runs(
    built: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    out, printed = built
    deployment = tmp_path / "deployment.json"
    before = {"pcr0": [PCR], "pcr16": [PCR], "pcr8": None}
    deployment.write_text(json.dumps({"prefix": "x", "enclave": before}))

    for _ in range(2):
        result = CliRunner().invoke(app, ["eif", "pcrs", str(out), "--admit", str(deployment)])
        assert result.exit_code == 0, result.output

    assert json.loads(deployment.read_text()) == {
        "prefix": "x",
        "enclave": {"pcr0": [PCR, printed["pcr0"]], "pcr16": [PCR], "pcr8": None},
    }


@pytest.fixture
def policed(save: Save, blobs: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """An image with a signing policy, and what it was said to measure as."""
    out, policy = tmp_path / "policed.eif", tmp_path / "policy.json"
    policy.write_text(POLICY)
    arguments = ["eif", "build", str(save([member("a", b"1")])), "--blobs", str(blobs), "--out", str(out)]
    result = CliRunner().invoke(app, [*arguments, "--policy", str(policy), "--json"])
    assert result.exit_code == 0, result.output
    return out, json.loads(result.stdout)


def test_build__when_given_a_policy__says_what_it_measures_in_pcr16(
    policed: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    out, printed = policed

    measured = CliRunner().invoke(app, ["attest", "policy", str(tmp_path / "policy.json"), "--json"])

    assert printed["pcr16"] == json.loads(measured.stdout)["PCR16"] == policy_register(POLICY.encode()).hex()
    again = CliRunner().invoke(app, ["eif", "pcrs", str(out), "--json"])
    assert json.loads(again.stdout) == printed


def test_build__when_the_policy_is_none_that_an_enclave_would_take__builds_nothing(
    save: Save, blobs: Path, tmp_path: Path
) -> None:
    out, policy = tmp_path / "policed.eif", tmp_path / "policy.json"
    policy.write_text('{"chain_id": 1}')
    arguments = ["eif", "build", str(save([member("a", b"1")])), "--blobs", str(blobs), "--out", str(out)]
    result = CliRunner().invoke(app, [*arguments, "--policy", str(policy)])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "signing policy" in result.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("before", "named"),
    [
        ({}, True),
        ({"pcr0": [], "pcr16": []}, True),
        ({"pcr0": [PCR], "pcr16": [PCR]}, True),
        ({"pcr0": [PCR], "pcr16": []}, False),
        ({"pcr0": [PCR]}, False),
    ],
)
def test_pcrs__when_an_image_is_admitted__name_its_policy_unless_that_shuts_out_the_one_that_runs(
    policed: tuple[Path, dict[str, str]], tmp_path: Path, before: dict[str, list[str]], *, named: bool
) -> None:
    out, printed = policed
    deployment = tmp_path / "deployment.json"
    deployment.write_text(json.dumps({"enclave": before}))

    for _ in range(2):
        result = CliRunner().invoke(app, ["eif", "pcrs", str(out), "--admit", str(deployment)])
        assert result.exit_code == 0, result.output
        assert ("enclave.pcr16 is empty" in result.output) is not named

    enclave = json.loads(deployment.read_text())["enclave"]
    assert enclave["pcr0"] == [*before.get("pcr0", []), printed["pcr0"]]
    assert enclave.get("pcr16", []) == [*before.get("pcr16", []), *([printed["pcr16"]] if named else [])]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"enclave": {"pcr0": [PCR, "cd" * 48]}}, "enclave.pcr0 is full"),
        ([], "not the document of a deployment"),
        ({"enclave": None}, "not the document of a deployment"),
    ],
)
def test_pcrs__when_an_image_cannot_be_admitted__leave_the_document_alone(
    built: tuple[Path, dict[str, str]], tmp_path: Path, document: object, why: str
) -> None:
    deployment = tmp_path / "deployment.json"
    before = json.dumps(document)
    deployment.write_text(before)

    result = CliRunner().invoke(app, ["eif", "pcrs", str(built[0]), "--admit", str(deployment)])

    assert result.exit_code == 1
    assert why in result.stderr
    assert deployment.read_text() == before


def test_build__when_something_is_missing__ends_with_one_line(save: Save, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["eif", "build", str(save([])), "--blobs", str(tmp_path / "none"), "--out", str(tmp_path / "x")]
    )

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "bzImage" in result.stderr


def test_build__when_a_setting_is_no_pair__ends_with_its_name(save: Save, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["eif", "build", str(save([])), "--blobs", "x", "--out", "x", "--env", "A"]
    )

    assert result.exit_code == 2
    assert "NAME=VALUE" in result.stderr
