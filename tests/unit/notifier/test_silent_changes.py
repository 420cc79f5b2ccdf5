"""What is passed over without reading its records has no step, whatever it is; the latest item counts."""

from __future__ import annotations

import itertools

import pytest

from mintline.aws.items import Item
from mintline.aws.records import operation_from, to_item
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline_notifier.deriving.operations import is_silent, steps
from mintline_notifier.known_operations import MOST, KnownOperations
from mintline_testkit.records import make_mint

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
