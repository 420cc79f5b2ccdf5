"""`mintline attest jwks` and `mintline operator policy-keys`, by a pool that has rotated its keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mintline.attestation.registers import policy_register
from mintline_cli.main import app
from mintline_ops import issuer_keys
from mintline_testkit.signer import Authority, policy_document

URL = "https://pool.example/jwks.json"


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the keys that the pool publishes at the URL."""
    keys: list[dict[str, Any]] = []

    async def read(url: str) -> dict[str, Any]:
        assert url == URL
        return {"keys": keys}

    monkeypatch.setattr(issuer_keys, "read_jwks", read)
    return keys


@pytest.fixture
def file(tmp_path: Path, published: list[dict[str, Any]]) -> Path:
    document = policy_document()
    published.append(document["authorization"]["jwks"]["keys"][0])
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(document))
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in (*arguments, "--jwks-url", URL, "--json")])


def test_attest_jwks__when_the_policy_has_every_key__succeeds(file: Path) -> None:
    result = run("attest", "jwks", file)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["complete"] is True
    (issuer,) = report["issuers"]
    assert issuer["policy"] == issuer["published"] != {}
    assert (issuer["missing"], issuer["changed"], issuer["unpublished"]) == ([], [], [])


def test_attest_jwks__when_the_pool_has_a_new_key__fails_and_names_it(
    file: Path, published: list[dict[str, Any]]
) -> None:
    published.append(Authority(kid="new").jwk())
    result = run("attest", "jwks", file)
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["complete"], report["issuers"][0]["missing"]) == (False, ["new"])
    assert "lacks signing keys of: user pool" in result.stderr
    assert "new: published, not in the policy" in result.stderr


def test_policy_keys__when_written__is_what_the_pool_publishes(
    file: Path, published: list[dict[str, Any]]
) -> None:
    published.append(Authority(kid="new").jwk())
    out = file.with_name("new.json")
    result = run("operator", "policy-keys", file, "--out", out)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"policy": str(out), "pcr16": policy_register(out.read_bytes()).hex()}
    assert run("attest", "jwks", out).exit_code == 0
    again = run("operator", "policy-keys", file, "--out", out)
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)


@pytest.mark.parametrize("url", ["pool.example", "auth0=", "ftp://x"])
def test_attest_jwks__when_an_url_is_none__says_so(file: Path, url: str) -> None:
    result = CliRunner().invoke(app, ["attest", "jwks", str(file), "--jwks-url", url])
    assert result.exit_code == 2
    assert "NAME=URL" in result.stderr


def test_attest_jwks__when_there_is_no_policy__fails_in_one_line(tmp_path: Path) -> None:
    result = run("attest", "jwks", tmp_path / "none.json")
    assert result.exit_code == 1
    assert "cannot read" in result.stderr
