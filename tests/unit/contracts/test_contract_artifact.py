"""What can be told of the committed artifact without a compiler."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def artifact() -> dict[str, Any]:
    path = resources.files("mintline").joinpath("chain", "artifacts", "MintlineCollection.json")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def test_artifact__when_compared_with_our_sources__then_built_from_them(artifact: dict[str, Any]) -> None:
    ours = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "contracts" / "src").glob("**/*.sol"))

    assert [name for name in artifact["sources"] if not name.startswith("@")] == ours
    for name in ours:
        assert artifact["sources"][name] == hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


def test_artifact__when_read__then_functions_of_the_line_are_there(artifact: dict[str, Any]) -> None:
    functions = {entry["name"] for entry in artifact["abi"] if entry["type"] == "function"}
    events = {entry["name"] for entry in artifact["abi"] if entry["type"] == "event"}

    assert {"redeem", "mintBatch", "burn", "isMinted", "hashVoucher", "tokenURI"} <= functions
    assert {"Minted", "Transfer"} <= events
    assert "_roles" in {entry["label"] for entry in artifact["storageLayout"]["storage"]}
