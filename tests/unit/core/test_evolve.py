"""What is made of a record is as valid as the record."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from mintline.records.operations import Attempt
from mintline.states import MintStatus
from mintline_testkit.records import make_mint

ROOT = Path(__file__).resolve().parents[3]
WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
ATTEMPT = Attempt(tx_hash=bytes(32), max_fee_per_gas=2**100, max_priority_fee_per_gas=0, at=1)
MINT = make_mint(
    sub="alice", status=MintStatus.SUBMITTED, chain_id=1, contract=WALLET, to=WALLET, attempts=(ATTEMPT,)
)
VIEWS = {"self_custody.py", "examples.py"}
"""They make HTTP answers, which are no records and are never stored."""


def test_evolve__when_the_changes_are_valid__then_only_they_differ() -> None:
    moved = MINT.evolve(status=MintStatus.BUILT, nonce=4, authorization=b"sealed")
    assert moved.model_dump() == MINT.model_dump() | {
        "status": MintStatus.BUILT,
        "nonce": 4,
        "authorization": b"sealed",
    }
    assert moved.attempts[0] is ATTEMPT
    assert MINT.status is MintStatus.SUBMITTED


def test_evolve__when_given_what_a_store_would_return__then_it_is_the_same_value() -> None:
    assert MINT.evolve(token_id="7", tx_hash="0x" + "00" * 32) == MINT.evolve(token_id=7, tx_hash=bytes(32))


@pytest.mark.parametrize(
    "changes",
    [
        {"authorization": bytes(8193)},
        {"status": "gone"},
        {"to": "0x" + "0" * 40},
        {"token_id": 2**256},
        {"attempts": ({"tx_hash": "0x"},)},
        {"no_such_field": 1},
    ],
)
def test_evolve__when_a_change_is_invalid__then_it_raises_and_names_the_field(
    changes: dict[str, object],
) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        MINT.evolve(**changes)


def test_evolve__when_a_field_was_never_given__then_it_stays_unset() -> None:
    assert "problem" not in MINT.evolve(nonce=1).model_fields_set


def test_records__when_changed__then_they_are_validated() -> None:
    sources = [
        path
        for part in ("shared", "services", "client", "ops", "cli", "devstack", "tools")
        for path in ROOT.glob(f"{part}/**/src/**/*.py")
    ]
    unvalidated = {
        path.name for path in sources if re.search(r"\.model_copy\(|model_construct", path.read_text())
    }
    assert len(sources) > 200
    assert unvalidated == VIEWS
