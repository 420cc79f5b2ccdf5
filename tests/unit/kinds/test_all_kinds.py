"""A kind of operation is one module in each of shared, builder, enclave and indexer: none is forgotten."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

import mintline.kinds
import mintline_builder.kinds
import mintline_indexer.kinds
import mintline_signer.enclave.kinds
from mintline.kinds.registry import ASKED_FOR, NAMES, VOUCHER, find_kinds, request_type
from mintline.messages.intents import TransactionKind
from mintline.records.operations import OPERATIONS, Mint

ROOT = Path(__file__).parents[3]
REQUESTS = {request_type(name) for name in (*NAMES, VOUCHER)}


def test_kinds__when_all_are_walked__are_in_shared_enclave_builder_and_indexer() -> None:
    assert set(mintline.kinds.KINDS) == REQUESTS
    assert set(mintline_signer.enclave.kinds.KINDS) == REQUESTS
    assert set(mintline_builder.kinds.KINDS) == {request_type(name) for name in ASKED_FOR}
    assert set(mintline_indexer.kinds.KINDS) == set(NAMES)
    assert isinstance(mintline_indexer.kinds.VOUCHER, mintline_indexer.kinds.IndexedKind)


@pytest.mark.parametrize(
    "package", ["mintline.kinds", "mintline_signer.enclave.kinds", "mintline_indexer.kinds"]
)
def test_kinds__when_each_is_found_by_its_name__is_another_one(package: str) -> None:
    kinds = find_kinds(package)
    assert len({type(kind) for kind in kinds.values()}) == len(get_args(TransactionKind))


def test_kinds__when_a_package_lacks_one__are_not_found() -> None:
    with pytest.raises(ImportError):
        find_kinds("mintline.kinds", ("parade",))


def test_operations__when_each_is_asked_for__lead_to_a_kind() -> None:
    records: list[Any] = [*OPERATIONS]
    custody = Mint.model_fields["custody"].annotation
    built = [record.model_construct(custody=custody) for custody in get_args(custody) for record in records]
    requests = {operation.request_type for operation in built}
    assert requests == {request_type(name) for name in ASKED_FOR}


def test_contributing__when_it_lists_what_a_new_kind_touches__names_ten_files_that_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text.partition("## A new kind of operation")[2].partition("\n## ")[0]
    every_kind, of_wallets = (
        re.findall(r"^\| `([^`]+)`", table, flags=re.MULTILINE)
        for table in section.split("A kind that a user's wallet signs for needs more")
    )
    assert len(every_kind) <= 10
    for path in [*every_kind, *of_wallets]:
        # Burns are a part of the API's feature `transfers`.
        assert (ROOT / path.replace("KIND", "burn").replace("NAME", "transfers")).is_file(), path
