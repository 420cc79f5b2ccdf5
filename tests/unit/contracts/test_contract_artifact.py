"""What can be told of the committed artifacts without a compiler."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from mintline.chain.compiled import CONTRACTS, Contract, compiled, standard_input

ROOT = Path(__file__).resolve().parents[3]


OTHERS = ("@openzeppelin/", "solady/")
"""What sources from npm begin with; the lock holds those."""


def test_artifacts__when_compared_with_our_sources__then_built_from_them() -> None:
    ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / "contracts" / "src").glob("**/*.sol")}
    built = {name: digest for contract in CONTRACTS for name, digest in compiled(contract)["sources"].items()}

    assert {name for name in built if not name.startswith(OTHERS)} == ours
    for name in ours:
        assert built[name] == hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("contract", CONTRACTS)
def test_standard_input__when_compared_with_the_artifact__then_its_sources_and_settings(
    contract: Contract,
) -> None:
    given, artifact = json.loads(standard_input(contract)), compiled(contract)
    digests = {
        name: hashlib.sha256(source["content"].encode()).hexdigest()
        for name, source in given["sources"].items()
    }

    assert digests == artifact["sources"]
    assert given["settings"] | artifact["settings"] == given["settings"]


def test_artifact__when_read__then_functions_of_the_line_are_there() -> None:
    artifact = compiled("MintlineCollection")
    functions = {entry["name"] for entry in artifact["abi"] if entry["type"] == "function"}
    events = {entry["name"] for entry in artifact["abi"] if entry["type"] == "event"}

    assert {"redeem", "mintBatch", "burn", "isMinted", "hashVoucher", "tokenURI"} <= functions
    assert {"Minted", "Transfer"} <= events
    assert "_roles" in {entry["label"] for entry in artifact["storageLayout"]["storage"]}
