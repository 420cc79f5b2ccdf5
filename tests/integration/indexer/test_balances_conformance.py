"""Balances in memory and over DynamoDB: the same calls lead to the same records."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from mintline.aws.dynamo import Dynamo, Item, Put
from mintline.eth import UINT256_MAX, to_checksum_address
from mintline.query_keys import item_shards, items_partition
from mintline.records.index import Balance
from mintline.records.keys import balance_ref, scoped
from mintline.resources import BALANCES
from mintline_indexer.dynamo_items import balance_item
from mintline_indexer.store_port import (
    BalanceKey,
    BalanceWrite,
    CheckpointConflict,
    PriorBalance,
    Store,
    TakeBack,
    Write,
)
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.indexer.store import MemoryStore

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

ALICE, BOB = (to_checksum_address(bytes([n]) * 20) for n in (0x11, 0xF2))
ITEM = 2**200
KEYS = tuple(BalanceKey(CONTRACT, ITEM, holder) for holder in (ALICE, BOB, None))


def balance(holder: str | None = ALICE, quantity: int = UINT256_MAX, block: int = 5) -> Balance:
    return Balance(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=ITEM,
        holder=holder,
        quantity=quantity,
        block_number=block,
        tx_hash=bytes(32),
    )


def writing(*balances: Balance, new: bool = True) -> Write:
    return Write(
        balances=tuple(BalanceWrite(BalanceKey(CONTRACT, ITEM, b.holder), b, is_new=new) for b in balances)
    )


def restoring(key: BalanceKey, before: Balance | None) -> TakeBack:
    return TakeBack(number=6, balances=(PriorBalance(**key._asdict(), balance=before),))


@pytest.fixture(params=["memory", pytest.param("dynamodb", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryStore()
    stored: Store = request.getfixturevalue("harness").store
    return stored


async def test_balances__when_written__then_are_read_and_those_of_others_are_none(store: Store) -> None:
    assert not await store.write(writing(balance(), balance(None, 3)), fence=2, at=1)
    assert await store.balances(KEYS, since=0) == {
        KEYS[0]: balance(),
        KEYS[1]: None,
        KEYS[2]: balance(None, 3),
    }
    assert await store.balances(KEYS, since=3) == dict.fromkeys(KEYS)


@pytest.mark.parametrize("new", [True, False])
async def test_balances__when_written_again__then_by_the_later_fence_whatever_was_found(
    store: Store,
    new: bool,  # noqa: FBT001 - a case
) -> None:
    assert not await store.write(writing(balance(quantity=1), new=new), fence=2, at=1)
    assert not await store.write(writing(balance(quantity=9), new=new), fence=2, at=1)
    assert (await store.balances(KEYS, since=0))[KEYS[0]] == balance(quantity=1)
    assert not await store.write(writing(balance(quantity=0, block=6), new=new), fence=4, at=1)
    with pytest.raises(CheckpointConflict):
        await store.write(writing(balance(quantity=9), new=new), fence=3, at=1)
    assert (await store.balances(KEYS, since=0))[KEYS[0]] == balance(quantity=0, block=6)


@pytest.mark.parametrize("before", [None, balance(quantity=0, block=3), balance(quantity=3, block=3)])
async def test_balances__when_a_block_is_taken_back__then_are_as_before_and_no_late_write_counts(
    store: Store, before: Balance | None
) -> None:
    if before is not None:
        await store.write(writing(before), fence=1, at=1)
    await store.write(writing(balance(), new=before is None), fence=2, at=1)
    assert not await store.take_back(restoring(KEYS[0], before), fence=3, at=1)
    assert not await store.take_back(restoring(KEYS[0], before), fence=3, at=1)
    assert await store.balances(KEYS[:1], since=0) == {KEYS[0]: before}
    with pytest.raises(CheckpointConflict):
        await store.write(writing(balance(), new=before is None), fence=2, at=1)
    assert not await store.write(writing(balance(quantity=4), new=before is None), fence=4, at=1)
    assert await store.balances(KEYS[:1], since=0) == {KEYS[0]: balance(quantity=4)}


async def test_balances__when_a_block_was_not_written_at_all__then_taking_it_back_bars_it(
    store: Store,
) -> None:
    assert not await store.take_back(restoring(KEYS[1], None), fence=3, at=1)
    with pytest.raises(CheckpointConflict):
        await store.write(writing(balance(BOB)), fence=2, at=1)
    assert await store.balances(KEYS, since=0) == dict.fromkeys(KEYS)


@pytest.mark.integration
async def test_indexes__when_a_balance_is_spent__then_it_is_in_none_and_a_supply_stays(
    harness: Harness,
) -> None:
    dynamo: Dynamo = harness.dynamo
    held = [balance(), balance(BOB, 2), balance(None, 3)]
    await harness.store.write(writing(*held), fence=2, at=1)

    async def listed(index: str, partition: str) -> list[Item]:
        page = await dynamo.query(BALANCES, index=BALANCES.index(index), partition=partition, limit=10)
        return page.items

    shards = item_shards(CHAIN_ID, CONTRACT, ITEM)
    holders = await asyncio.gather(*(listed("by_item", shard) for shard in shards))
    assert [[item["holder"] for item in items] for items in holders] == [[ALICE], [], [], [BOB]]
    owned = await listed("by_owner", scoped(CHAIN_ID, BOB))
    assert [item["quantity"] for item in owned] == ["2"]
    spent = [balance(BOB, 0, block=6), balance(None, 0, block=6)]
    await harness.store.write(writing(*spent, new=False), fence=3, at=1)
    assert await listed("by_item", shards[3]) == await listed("by_owner", scoped(CHAIN_ID, BOB)) == []
    assert len(await listed("by_owner", items_partition(CHAIN_ID, CONTRACT))) == 1


@pytest.mark.integration
async def test_balances__when_one_is_damaged__then_it_is_missing_and_the_others_are_read(
    harness: Harness,
) -> None:
    damaged = balance_item(balance(BOB)) | {"fence": 5, "quantity": "much"}
    assert damaged["balance_ref"] == balance_ref(CHAIN_ID, CONTRACT, ITEM, BOB)
    await harness.dynamo.write(Put(BALANCES, damaged))
    assert await harness.store.balances(KEYS, since=0) == {KEYS[0]: None, KEYS[2]: None}
