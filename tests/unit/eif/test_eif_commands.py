from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mintline_local.cli import app
from mintline_local.eif import image

from .conftest import Save, member

PCR = "ab" * 48


@pytest.fixture
def built(save: Save, blobs: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    out = tmp_path / "signer.eif"
    arguments = ["eif", "build", str(save([member("a", b"1")])), "--blobs", str(blobs), "--out", str(out)]
    answer = CliRunner().invoke(app, [*arguments, "--env", "A=1", "--json"])
    assert answer.exit_code == 0, answer.output
    return out, json.loads(answer.stdout)


def test_build__when_it_wrote_an_image__says_what_it_measures_as(built: tuple[Path, dict[str, str]]) -> None:
    out, said = built

    assert said["pcr0"] == image.measure(image.read(out.read_bytes())).pcr0
    again = CliRunner().invoke(app, ["eif", "pcrs", str(out), "--json"])
    assert json.loads(again.stdout) == said


def test_pcrs__when_an_image_is_admitted__stands_beside_the_one_that_runs(
    built: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    out, said = built
    deployment = tmp_path / "deployment.json"
    deployment.write_text(json.dumps({"prefix": "x", "enclave": {"pcr0": [PCR], "pcr8": None}}))

    for _ in range(2):
        answer = CliRunner().invoke(app, ["eif", "pcrs", str(out), "--admit", str(deployment)])
        assert answer.exit_code == 0, answer.output

    assert json.loads(deployment.read_text()) == {
        "prefix": "x",
        "enclave": {"pcr0": [PCR, said["pcr0"]], "pcr8": None},
    }


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"enclave": {"pcr0": [PCR, "cd" * 48]}}, "take the images out that are retired"),
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

    answer = CliRunner().invoke(app, ["eif", "pcrs", str(built[0]), "--admit", str(deployment)])

    assert answer.exit_code == 1
    assert why in answer.stderr
    assert deployment.read_text() == before


def test_build__when_something_is_missing__ends_with_one_line(save: Save, tmp_path: Path) -> None:
    answer = CliRunner().invoke(
        app, ["eif", "build", str(save([])), "--blobs", str(tmp_path / "none"), "--out", str(tmp_path / "x")]
    )

    assert answer.exit_code == 1
    assert len(answer.stderr.splitlines()) == 1
    assert "bzImage" in answer.stderr


def test_build__when_a_setting_is_no_pair__ends_with_its_name(save: Save, tmp_path: Path) -> None:
    answer = CliRunner().invoke(
        app, ["eif", "build", str(save([])), "--blobs", "x", "--out", "x", "--env", "A"]
    )

    assert answer.exit_code == 2
    assert "NAME=VALUE" in answer.stderr
