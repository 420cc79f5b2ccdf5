"""What is passed over without reading its records has no step, whatever it is; the latest item counts."""

from __future__ import annotations

import itertools

import pytest

from mintline.aws.items import Item
from mintline.aws.records import operation_from, to_item
from mintline.messages.parts import KeyRef
from mintline.records.operations import Attempt
from mintline.records.transactions import as_far_as
from mintline.set_aside import SetAside
from mintline.states import MintStatus, TransactionState
from mintline_notifier.deriving.operations import carried, is_silent, standing, steps
from mintline_notifier.known_operations import MOST, KnownOperations
from mintline_testkit.records import make_mint, make_transaction

BLOCKS: tuple[Item, ...] = (
    {},
    {"block_hash": "0x" + "11" * 32, "mined_at": 5},
    {"block_hash": "0x" + "22" * 32, "mined_at": 5},
    {"block_hash": "0x" + "11" * 32, "mined_at": 6},
)
ITEMS = [
    {**to_item(make_mint(status=status)), **block} for status, block in itertools.product(MintStatus, BLOCKS)
]


def test_silent_change__when_steps_are_looked_for__then_there_is_none() -> None:
    silent = [pair for pair in itertools.product(ITEMS, ITEMS) if is_silent(*pair)]
    assert silent
    for old, new in silent:
        assert steps(operation_from(old), operation_from(new), prefix="mint") == []


@pytest.mark.parametrize("after", [MintStatus.REJECTED, MintStatus.SUBMITTED, MintStatus.MINED])
def test_change_of_status__when_it_is_told_of__then_it_is_not_silent(after: MintStatus) -> None:
    old = to_item(make_mint(status=MintStatus.BUILT))
    assert not is_silent(old, {**old, "status": after.value})


def test_sweep__when_nothing_else_changed__then_it_is_silent() -> None:
    old = to_item(make_mint(status=MintStatus.SUBMITTED))
    assert is_silent(old, {**old, "sweeps": 3, "swept_at": 9})


def test_damaged_status__when_it_stays__then_its_record_is_still_read() -> None:
    assert not is_silent({"status": 7}, {"status": 7})


def test_known_operation__when_a_later_item_was_noted__then_that_counts() -> None:
    known = KnownOperations(set_aside=SetAside())
    mint = make_mint(status=MintStatus.ACCEPTED)
    first = to_item(mint)
    known.note(first)
    known.note({**first, "status": "built"})
    known.read(mint, first)
    assert known.all([mint.mint_id])[mint.mint_id].status is MintStatus.BUILT


def test_known_operation__when_its_later_item_is_damaged__then_what_was_read_before_counts() -> None:
    aside = SetAside()
    known = KnownOperations(set_aside=aside)
    mint = make_mint(status=MintStatus.ACCEPTED)
    item = to_item(mint)
    known.note(item)
    known.read(mint, item)
    known.note({**item, "chain_id": "damaged"})
    assert known.all([mint.mint_id, "another"]) == {mint.mint_id: mint}


def test_known_operations__when_there_are_too_many__then_the_oldest_is_dropped() -> None:
    known = KnownOperations(set_aside=SetAside())
    items: list[Item] = [{"mint_id": f"mint_{number}"} for number in range(MOST + 1)]
    mint = make_mint(mint_id="mint_0")
    known.read(mint)
    for item in items[1:]:
        known.note(item)
    assert known.all(["mint_0"]) == {}


SIGNER = KeyRef(address="0x" + "2" * 40, subject="alice", chain_id=1, secret_id="alice")
SENT = Attempt(tx_hash=bytes(32), max_fee_per_gas=2, max_priority_fee_per_gas=1, at=7)
MINED = {"tx_hash": bytes(32), "block_number": 5, "block_hash": b"\5" * 32, "mined_at": 9}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"attempts": (SENT,), "submitted_at": 8},
        {"attempts": (SENT.evolve(fills=True),)},
        {"attempts": (SENT,), "submitted_at": 8, "outcome": "succeeded", **MINED},
        {"attempts": (SENT,), "submitted_at": 8, "outcome": "filled", **MINED},
        {"attempts": (SENT,), "submitted_at": 8, "outcome": "failed", **MINED},
        {"attempts": (SENT,), "submitted_at": 8, "outcome": "failed", "kind": "batch", **MINED},
        {"attempts": (SENT,), "submitted_at": 8, "outcome": "succeeded", "not_made": ("mint_1",), **MINED},
        {
            "attempts": (SENT,),
            "submitted_at": 8,
            "outcome": "succeeded",
            "state": TransactionState.FINAL,
            **MINED,
        },
    ],
)
def test_standing__when_a_transaction_carries_an_operation__then_it_is_what_the_whole_record_says(
    changes: dict[str, object],
) -> None:
    mint = make_mint("mint_1", status=MintStatus.MINED, block_hash=b"\1" * 32, mined_at=1, built_at=2)
    transaction = make_transaction(SIGNER, 0, operations=("mint_1",)).evolve(**changes)
    whole = carried(mint, transaction)
    assert standing(mint, transaction) == (whole.status, whole.block_hash, whole.mined_at)
    built = mint.evolve(
        status=MintStatus.BUILT, sender=SIGNER, nonce=0, block_hash=None, mined_at=None, updated_at=0
    )
    assert whole == as_far_as(built, transaction)
