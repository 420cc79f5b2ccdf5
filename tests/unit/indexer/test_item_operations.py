"""Mints, transfers and burns of ERC-1155 items: done by events that say all that was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.records.operations import RelayedBurn, RelayedTransfer
from mintline.states import MintStatus
from mintline_indexer.store_port import TokenKey
from mintline_testkit.chain import Move, Sent
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.harness import ALICE, BOB, SENDER, Harness
from mintline_testkit.indexer.polling import catch_up

ITEM, DIGEST = 7, b"\x05" * 32


def minting(serial: int, **changes: Any) -> Move:
    """Return what mint number `serial` asks for, as an event."""
    fields: dict[str, Any] = {"recipient": ALICE, "digest": DIGEST, "quantity": 3, "token_id": ITEM}
    return Move(CONTRACT, sender=None, serial=serial, **fields | changes)


def batch(harness: Harness, *moves: Move) -> Sent:
    """Record a batch of mints 1, 2, … of three tokens of the item each, and return its transaction."""
    ids = [f"m{number}" for number in range(1, len(moves) + 1)]
    for serial, mint_id in enumerate(ids, start=1):
        harness.record(mint_id, MintStatus.SUBMITTED)
        mint = harness.store.mint_table[mint_id]
        harness.store.mint_table[mint_id] = mint.evolve(
            token_id=serial, custody="sponsored", item_id=ITEM, quantity=3, metadata_digest=DIGEST
        )
    harness.store.transaction_table.clear()
    harness.carry(*ids, kind="batch")
    sent = Sent(b"\x03" * 32, CONTRACT, moves)
    harness.sign(sent.hash, *ids)
    return sent


@pytest.fixture
def harness() -> Harness:
    return Harness()


async def test_mints__when_two_are_of_one_item__then_each_is_mined_and_the_item_has_its_digest(
    harness: Harness,
) -> None:
    harness.chain.mine([batch(harness, minting(1), minting(2))])
    await catch_up(harness.start())
    assert [harness.stands(mint_id).status for mint_id in ("m1", "m2")] == [MintStatus.MINED] * 2
    (token,) = harness.store.token_table.values()
    assert (token.token_id, token.metadata_digest, token.mint_id) == (ITEM, DIGEST, None)
    assert {balance.holder: balance.quantity for balance in harness.store.balance_table.values()} == {
        ALICE: 6,
        None: 6,
    }


@pytest.mark.parametrize(
    "other",
    [{"quantity": 2}, {"token_id": 8}, {"recipient": BOB}, {"digest": bytes(32)}, {"serial": 9}],
)
async def test_mints__when_an_event_differs_from_what_was_asked__then_that_mint_is_not_done(
    harness: Harness, other: dict[str, Any]
) -> None:
    move = minting(**{"serial": 2} | other)
    harness.chain.mine([batch(harness, minting(1), move)])
    await catch_up(harness.start())
    assert [harness.stands(mint_id).status for mint_id in ("m1", "m2")] == [
        MintStatus.MINED,
        MintStatus.REVERTED,
    ]


async def test_mints__when_a_token_of_another_standard_has_the_serial__then_it_is_not_the_mints(
    harness: Harness,
) -> None:
    harness.chain.mine([batch(harness, Move(CONTRACT, 1, None, ALICE, DIGEST))])
    await catch_up(harness.start())
    assert harness.stands("m1").status is MintStatus.REVERTED
    assert harness.store.token_table[TokenKey(CONTRACT, 1)].mint_id is None


@pytest.mark.parametrize("moved", [1, 2])
@pytest.mark.parametrize("kind", ["relayed_transfer", "relayed_burn"])
async def test_token_operation__when_items_moved__then_it_is_done_by_their_very_quantity(
    harness: Harness, kind: str, moved: int
) -> None:
    fields: dict[str, Any] = {
        "mint_id": "one",
        "status": MintStatus.BUILT,
        "chain_id": 1,
        "contract": CONTRACT,
        "token_id": ITEM,
        "quantity": 2,
        "sender": SENDER,
        "wallet": SENDER,
        "counter": 0,
        "deadline": 1,
        "request_digest": "",
        "created_at": 0,
        "updated_at": 0,
    }
    transfers = kind == "relayed_transfer"
    record = RelayedTransfer(**fields, to=BOB) if transfers else RelayedBurn(**fields)
    harness.store.keep(record)
    harness.carry("one", kind="relayed_transfer" if transfers else "relayed_burn")
    recipient = BOB if transfers else None
    harness.chain.mine([Sent(b"\x01" * 32, CONTRACT, (minting(1),))])
    sent = Sent(b"\x02" * 32, CONTRACT, (Move(CONTRACT, ITEM, ALICE, recipient, quantity=moved),))
    harness.sign(sent.hash, "one")
    harness.chain.mine([sent])
    await catch_up(harness.start())
    expected = MintStatus.MINED if moved == 2 else MintStatus.REVERTED
    assert harness.operation_stands("one").status is expected
