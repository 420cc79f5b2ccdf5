"""The compiled contracts, as `contracts/build.mjs` wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

from eth_abi.abi import encode

Contract = Literal["MintlineCollection", "MintlineFactory", "MintlineClone", "MintlineMultiToken"]
CONTRACTS: tuple[Contract, ...] = (
    "MintlineCollection",
    "MintlineFactory",
    "MintlineClone",
    "MintlineMultiToken",
)


@cache
def compiled(contract: Contract) -> Mapping[str, Any]:
    """Return a compiled contract: `abi`, `bytecode`, `storageLayout` and where it was built from."""
    loaded: dict[str, Any] = json.loads(_read(f"{contract}.json"))
    return loaded


def standard_input(contract: Contract) -> str:
    """Return the compiler's standard JSON input that gives a contract: what verifiers of source code take."""
    return _read(f"{contract}.input.json")


def creation_code(contract: Contract, *arguments: Any) -> bytes:
    """Return the data of the transaction that deploys a contract with its constructor's `arguments`."""
    [constructor] = [entry for entry in compiled(contract)["abi"] if entry["type"] == "constructor"]
    types = [argument["type"] for argument in constructor["inputs"]]
    return bytes.fromhex(compiled(contract)["bytecode"][2:]) + encode(types, arguments)


def _read(file: str) -> str:
    path = resources.files("mintline.chain") / "artifacts" / file
    return path.read_text(encoding="utf-8")
