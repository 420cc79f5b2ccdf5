"""Balances of ERC-1155 items in the index against what their contracts say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mintline.clock import UnixSeconds
from mintline.records.index import Balance
from mintline.records.keys import balance_ref
from mintline_indexer.chain_port import ItemTransferEvent
from mintline_indexer.reconciler import item_balances
from mintline_indexer.reconciler.books import Books
from mintline_indexer.reconciler.comparison import reconcile
from mintline_indexer.reconciler.findings import Finding, Kind
from mintline_indexer.reconciler.item_balances import (
    HeldItems,
    held_on_chain,
    holders_of,
    with_supplies,
)
from mintline_indexer.store_port import BalanceKey
from mintline_ops.reconcile import held_items
from mintline_testkit.chain import FakeChain, Move, Sent
from mintline_testkit.constants import CONTRACT

ALICE, BOB, OTHER = "0x" + "2" * 40, "0x" + "3" * 40, "0x" + "9" * 40
KEYS = tuple(BalanceKey(CONTRACT, 7, holder) for holder in (ALICE, BOB, None))


def balance(key: BalanceKey, quantity: int, block: int = 5) -> Balance:
    return Balance(chain_id=1, **key._asdict(), quantity=quantity, block_number=block, tx_hash=bytes(32))


def found(indexed: dict[BalanceKey, Balance | None], on_chain: dict[BalanceKey, int]) -> list[Finding]:
    books = Books(
        first=1,
        last=9,
        head=9,
        mints=[],
        tokens=[],
        events=(),
        now=UnixSeconds(1.0),
        patience=900.0,
        held=HeldItems(9, indexed, on_chain),
    )
    return list(reconcile(books).findings)


def test_balances__when_index_and_chain_agree__then_nothing_is_found() -> None:
    indexed = {KEYS[0]: balance(KEYS[0], 3), KEYS[1]: None, KEYS[2]: balance(KEYS[2], 3)}
    assert found(indexed, {KEYS[0]: 3, KEYS[1]: 0, KEYS[2]: 3}) == []


@pytest.mark.parametrize(
    ("key", "indexed", "on_chain", "detail"),
    [
        (KEYS[0], balance(KEYS[0], 3), 4, f"{ALICE}: 3, not 4"),
        (KEYS[1], None, 1, f"{BOB}: 0, not 1"),
        (KEYS[2], balance(KEYS[2], 2**200), 0, f"the supply: {2**200}, not 0"),
    ],
)
def test_balances__when_one_differs__then_it_is_named_with_both(
    key: BalanceKey, indexed: Balance | None, on_chain: int, detail: str
) -> None:
    (finding,) = found({key: indexed}, {key: on_chain})
    assert (finding.kind, finding.detail, finding.token_id) == (Kind.WRONG_BALANCE, detail, 7)
    assert finding.is_difference


def test_balances__when_the_index_moved_on_or_cannot_be_read__then_they_are_not_compared() -> None:
    assert found({KEYS[0]: balance(KEYS[0], 3, block=10)}, {KEYS[0]: 4, KEYS[1]: 5}) == []


class Mute(FakeChain):
    """A chain on which one contract does not say what anyone has."""

    async def item_balances(
        self, contract: str, held: Sequence[tuple[str, int]], *, block: int
    ) -> Sequence[int] | None:
        return None if contract == OTHER else await super().item_balances(contract, held, block=block)


async def test_chain__when_asked_for_all_holders__then_their_sum_is_the_supply_and_the_mute_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(item_balances, "HOLDERS_AT_ONCE", 1)
    chain: Any = Mute()
    for contract in (CONTRACT, OTHER):
        moves = ((None, ALICE, 5), (ALICE, BOB, 2), (BOB, None, 1))
        sent_moves = tuple(Move(contract, 7, sender, recipient, quantity=n) for sender, recipient, n in moves)
        chain.mine([Sent(contract.encode()[:32], contract, sent_moves)])
    events = [event for mined in chain.mined for event in mined.events]
    assert all(isinstance(event, ItemTransferEvent) for event in events)
    keys = holders_of(events)
    assert {key.contract for key in keys} == {CONTRACT, OTHER}
    on_chain = with_supplies(await held_on_chain(chain, keys, block=2))
    assert on_chain == {KEYS[0]: 3, KEYS[1]: 1, KEYS[2]: 4}
    assert set((await held_on_chain(chain, keys, block=0)).values()) == {0}


async def test_balances__when_one_is_damaged__then_it_is_not_taken_for_zero() -> None:
    chain: Any = FakeChain()
    moves = (Move(CONTRACT, 7, None, ALICE, quantity=3), Move(CONTRACT, 7, None, BOB, quantity=1))
    chain.mine([Sent(bytes(32), CONTRACT, moves)])
    events = [event for mined in chain.mined for event in mined.events]
    readable = [balance(KEYS[0], 3, block=1), balance(KEYS[2], 4, block=1)]
    damaged = {balance_ref(1, *KEYS[1])}

    held = await held_items(chain, readable, events, chain_id=1, head=1, unread=damaged)

    assert found(dict(held.indexed), dict(held.on_chain)) == []
    unnoticed = await held_items(chain, readable, events, chain_id=1, head=1, unread=())
    assert [finding.detail for finding in found(dict(unnoticed.indexed), dict(unnoticed.on_chain))] == [
        f"{BOB}: 0, not 1"
    ]
