"""Balances of ERC-1155 items: counted once, whatever dies, and taken back exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from mintline.errors import Unavailable
from mintline.eth import UINT256_MAX
from mintline.records.index import Balance
from mintline_indexer.store_port import BalanceKey, Refused, Write
from mintline_testkit.chain import Move, Sent
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.harness import ALICE, BOB, Harness
from mintline_testkit.indexer.polling import catch_up
from mintline_testkit.indexer.store import MemoryStore

ITEM = 7


def moved(*moves: tuple[str | None, str | None, int], tag: int = 1, item: int = ITEM) -> Sent:
    """Return a transaction that moves so much of an item, from one to another."""
    own_moves = (Move(CONTRACT, item, sender, recipient, quantity=n) for sender, recipient, n in moves)
    return Sent(tag.to_bytes(32, "big"), CONTRACT, tuple(own_moves))


def held(store: MemoryStore, item: int = ITEM) -> dict[str | None, int]:
    """Return how much of an item each has had, with its supply under None."""
    table = store.balance_table.values()
    return {balance.holder: balance.quantity for balance in table if balance.token_id == item}


async def test_balances__when_items_are_minted_moved_and_burned__then_are_what_the_chain_has() -> None:
    harness = Harness()
    harness.chain.mine([moved((None, ALICE, 5), (None, BOB, 1), (ALICE, BOB, 2), (BOB, BOB, 3))])
    harness.chain.mine([moved((BOB, None, 3), (ALICE, BOB, 1), tag=2), moved((BOB, ALICE, 1), tag=3)])
    await catch_up(harness.start("writer"))
    assert held(harness.store) == {ALICE: 3, BOB: 0, None: 3}
    assert [
        (transfer.sender, transfer.recipient, transfer.quantity)
        for transfer in harness.store.transfer_table.values()
    ] == [
        (None, ALICE, 5),
        (None, BOB, 1),
        (ALICE, BOB, 2),
        (BOB, BOB, 3),
        (BOB, None, 3),
        (ALICE, BOB, 1),
        (BOB, ALICE, 1),
    ]
    (token,) = harness.store.token_table.values()
    assert (token.standard, token.owner, token.is_burned, token.minted_block) == ("erc1155", None, False, 1)


async def test_balances__when_a_block_is_undone__then_are_as_before_it() -> None:
    harness = Harness()
    indexer = harness.start("writer")
    harness.chain.mine([moved((None, ALICE, 5))])
    await catch_up(indexer)
    before = dict(harness.store.balance_table)
    harness.chain.mine([moved((ALICE, BOB, 2), (None, BOB, 1), tag=2)])
    await catch_up(indexer)
    assert held(harness.store) == {ALICE: 3, BOB: 3, None: 6}
    harness.chain.drop(1)
    harness.chain.mine()
    harness.chain.mine()
    await catch_up(indexer)
    assert harness.store.balance_table == before


async def test_balances__when_amounts_are_beyond_a_balance__then_end_there_and_the_others_go_on() -> None:
    harness = Harness()
    harness.chain.mine(
        [
            moved((None, ALICE, UINT256_MAX), (None, ALICE, 1), (BOB, ALICE, 1)),
            moved((None, BOB, 4), tag=2, item=8),
        ]
    )
    with capture_logs() as logs:
        await catch_up(harness.start("writer"))
    assert held(harness.store) == {ALICE: UINT256_MAX, BOB: 0, None: UINT256_MAX}
    assert held(harness.store, 8) == {BOB: 4, None: 4}
    named = {log["balance"] for log in logs if log["event"] == "balance_out_of_range"}
    assert named == {f"{CONTRACT}/7/{who}" for who in (ALICE, BOB, "supply")}


@dataclass(slots=True)
class Dying(MemoryStore):
    """Carries out so many writes, and fails from then on."""

    left: int = 0

    async def write(self, write: Write, *, fence: int, at: int) -> Refused:
        self.left -= 1
        if self.left < 0:
            raise Unavailable("the table is out of order")
        return await super(Dying, self).write(write, fence=fence, at=at)


@pytest.mark.parametrize("writes", range(0, 24, 3))
async def test_balances__when_a_backfill_dies_amid_a_range__then_nothing_is_counted_twice(
    writes: int,
) -> None:
    harness = Harness(rows_at_once=1)
    harness.collections.deployed.clear()
    for number in range(1, 20):
        moves = [(None, ALICE, 3), (ALICE, BOB, 2), (BOB, None, 1)]
        harness.chain.mine([moved(*moves, tag=number)])
    for _ in range(10):
        harness.chain.mine()
    harness.store = store = harness.like(Dying)
    indexer = harness.start("writer")
    await catch_up(indexer)
    harness.collections.deployed[CONTRACT] = 1
    harness.time += 60
    store.left = writes
    with pytest.raises(Unavailable):
        await catch_up(indexer)
    store.left = 10_000
    await catch_up(harness.start("writer"))
    assert held(store) == {ALICE: 19, BOB: 19, None: 38}


async def test_balances__when_an_index_is_begun_anew__then_are_counted_from_nothing() -> None:
    harness = Harness()
    harness.chain.mine([moved((None, ALICE, 5))])
    await catch_up(harness.start("writer"))
    for _ in range(10):
        harness.chain.mine()
    harness.store.progress = None
    harness.store.contract_table.clear()
    # As if the earlier index had followed another branch.
    key = BalanceKey(CONTRACT, ITEM, ALICE)
    harness.store.balance_table[key] = harness.store.balance_table[key].evolve(quantity=9, block_number=8)
    harness.time += 60
    await catch_up(harness.start("writer"))
    assert held(harness.store) == {ALICE: 5, None: 5}


@dataclass(slots=True)
class Unreadable(MemoryStore):
    """Cannot read one holder's balances."""

    async def balances(self, keys: Sequence[BalanceKey], *, since: int) -> dict[BalanceKey, Balance | None]:
        balances = await super(Unreadable, self).balances(keys, since=since)
        return {key: balance for key, balance in balances.items() if key.holder != BOB}


async def test_balances__when_one_cannot_be_read__then_it_is_set_aside_and_the_others_are_counted() -> None:
    harness = Harness()
    harness.store = harness.like(Unreadable)
    harness.chain.mine([moved((None, ALICE, 5), (ALICE, BOB, 2))])
    await catch_up(harness.start("writer"))
    assert held(harness.store) == {ALICE: 3, None: 5}
    (aside,) = harness.store.aside_table.values()
    assert (aside.table, aside.key) == ("balances", f"{CONTRACT}/7/{BOB}")
