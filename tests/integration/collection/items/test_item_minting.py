"""Minting into an ERC-1155 collection: each serial once, caps, window, receivers with code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from web3.contract import Contract

from mintline.chain.collection import RELAYER_ROLE
from mintline.clones import cap_item_calldata
from mintline.eth import ZERO_ADDRESS
from mintline.item_calls import ItemMint, mint_items_calldata
from tests.integration.collection.clones.conftest import DIGEST
from tests.integration.collection.conftest import Refusal, deploy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.collection.items.conftest import Items, ItemsFactory

pytestmark = pytest.mark.integration

NO_RECEIVER = Refusal("TransferToNonERC1155ReceiverImplementer", ())


@pytest.fixture
def deploy_receiver(factory: ItemsFactory, receivers: dict[str, dict[str, Any]]) -> Callable[[str], Contract]:
    return lambda name: deploy(factory.w3, receivers[name])


def test_batch__when_minted__then_item_minted_and_transfer_single_of_each_in_order(items: Items) -> None:
    alice, bob, relayer = items.cast.alice, items.cast.bob, items.cast.relayer

    receipt = items.mint_items(items.request(2, 7, 3), items.request(1, 7, 2, bob))

    assert items.events(receipt) == [
        event
        for serial, value, to in ((2, 3, alice), (1, 2, bob))
        for event in (
            ("ItemMinted", {"serial": serial, "id": 7, "to": to, "value": value, "metadataDigest": DIGEST}),
            (
                "TransferSingle",
                {"operator": relayer, "from": ZERO_ADDRESS, "to": to, "id": 7, "amount": value},
            ),
        )
    ]
    assert (items.balance(alice, 7), items.balance(bob, 7), items.balance(alice, 8)) == (3, 2, 0)
    assert items.functions.minted(7).call() == 5


def test_calldata__when_services_make_it__then_the_contracts_own(items: Items) -> None:
    alice = items.cast.alice

    data = mint_items_calldata([ItemMint(1, 7, 3, alice, DIGEST), ItemMint(2, 8, 2**64 - 1, alice, DIGEST)])

    call = items.minting(items.request(1, 7, 3), items.request(2, 8, 2**64 - 1))
    assert "0x" + data.hex() == call.build_transaction({"from": items.cast.relayer, "gas": 1})["data"]


def test_batch__when_the_caller_is_no_relayer_of_the_factory__then_refused(items: Items) -> None:
    for caller in (items.cast.admin, items.cast.stranger):
        refusal = items.refuse(items.minting(items.request(1, 7, 1)), caller)
        assert refusal == Refusal("AccessControlUnauthorizedAccount", (caller.lower(), RELAYER_ROLE))


def test_batch__when_a_serial_was_used__then_all_refused_whatever_its_item(items: Items) -> None:
    items.mint_items(items.request(1, 7, 1))
    items.send(items.functions.burn(items.cast.alice, 7, 1), items.cast.alice)

    for requests, used in (
        ([items.request(2, 7, 1), items.request(1, 7, 1)], 1),
        ([items.request(2, 7, 1), items.request(1, 8, 5, items.cast.bob)], 1),
        ([items.request(2, 7, 1), items.request(2, 8, 1)], 2),
    ):
        refusal = items.refuse(items.minting(*requests), items.cast.relayer)
        assert refusal == Refusal("AlreadyMinted", (used,))
    assert items.functions.isMinted(1).call() is True
    assert items.functions.isMinted(2).call() is False


def test_batch__when_a_mint_is_of_nothing_or_for_nobody__then_refused(items: Items) -> None:
    nothing = items.minting(items.request(1, 7, 0))
    nobody = items.functions.mintBatch([(1, 7, 1, ZERO_ADDRESS, DIGEST)])

    assert items.refuse(nothing, items.cast.relayer) == Refusal("NothingToMint", (1,))
    assert items.refuse(nobody, items.cast.relayer) == Refusal("TransferToZeroAddress", ())


def test_supply_cap__when_reached__then_refused_although_tokens_were_burned(factory: ItemsFactory) -> None:
    items = factory.create_items(supply_cap=10)
    items.mint_items(items.request(1, 7, 4), items.request(2, 8, 5))
    full = Refusal("SupplyCapReached", (10,))
    assert items.refuse(items.minting(items.request(3, 9, 2)), items.cast.relayer) == full

    items.send(items.functions.burn(items.cast.alice, 7, 4), items.cast.alice)
    items.mint_items(items.request(3, 9, 1))

    assert items.functions.totalMinted().call() == 10
    assert items.refuse(items.minting(items.request(4, 9, 1)), items.cast.relayer) == full
    too_many = items.minting(items.request(4, 9, 2**64), items.request(5, 9, 2**64 - 10))
    assert items.refuse(too_many, items.cast.relayer) == full


def test_item_cap__when_reached__then_that_item_is_refused_and_no_other(items: Items) -> None:
    items.mint_items(items.request(1, 7, 2))

    call = items.functions.capItem(7, 3)
    assert "0x" + cap_item_calldata(7, 3).hex() == call.build_transaction({"gas": 1})["data"]
    capped = items.send(call, items.cast.relayer)
    items.mint_items(items.request(2, 7, 1))

    assert items.events(capped) == [("ItemCapped", {"id": 7, "cap": 3})]
    assert items.functions.itemCap(7).call() == 3
    refusal = items.refuse(items.minting(items.request(3, 7, 1)), items.cast.relayer)
    assert refusal == Refusal("ItemCapReached", (7, 3))
    items.mint_items(items.request(3, 8, 100))


def test_item_cap__when_it_is_raised_removed_or_below_what_there_is__then_refused(items: Items) -> None:
    items.mint_items(items.request(1, 7, 2))
    items.send(items.functions.capItem(7, 5), items.cast.relayer)

    for cap in (6, 0, 1):
        refusal = items.refuse(items.functions.capItem(7, cap), items.cast.relayer)
        assert refusal == Refusal("InvalidItemCap", (7, cap))
    items.send(items.functions.capItem(7, 2), items.cast.relayer)
    refusal = items.refuse(items.functions.capItem(7, 2), items.cast.admin)
    assert refusal.name == "AccessControlUnauthorizedAccount"


def test_item__when_it_has_no_cap__then_its_count_never_wraps(items: Items) -> None:
    items.mint_items(items.request(1, 7, 2**128 - 1))

    refusal = items.refuse(items.minting(items.request(2, 7, 1)), items.cast.relayer)

    assert refusal == Refusal("ItemCapReached", (7, 2**128 - 1))


def test_window__when_a_block_is_at_its_edges__then_start_is_inside_and_end_outside(
    factory: ItemsFactory,
) -> None:
    now = factory.w3.eth.get_block("latest")["timestamp"]
    start, end = now + 1_000, now + 2_000
    items = factory.create_items(mint_start=start, mint_end=end)
    closed = Refusal("MintWindowClosed", (start, end))

    factory.rpc("evm_setNextBlockTimestamp", start - 1)
    assert items.refuse(items.minting(items.request(1, 7, 1)), items.cast.relayer) == closed
    factory.rpc("evm_setNextBlockTimestamp", start)
    items.mint_items(items.request(1, 7, 1))
    factory.rpc("evm_setNextBlockTimestamp", end)
    assert items.refuse(items.minting(items.request(2, 7, 1)), items.cast.relayer) == closed


def test_receiver__when_it_cannot_receive__then_the_batch_is_refused(
    items: Items, deploy_receiver: Callable[[str], Contract]
) -> None:
    to = deploy_receiver("SilentContract").address

    assert items.refuse(items.minting(items.request(1, 7, 1, to)), items.cast.relayer) == NO_RECEIVER


def test_receiver__when_it_burns_in_its_callback__then_its_serial_stays_used_and_others_are_minted(
    items: Items, deploy_receiver: Callable[[str], Contract]
) -> None:
    receiver = deploy_receiver("BurningItemReceiver")

    items.mint_items(items.request(1, 7, 2, receiver.address), items.request(2, 7, 3))

    assert (items.balance(receiver.address, 7), items.balance(items.cast.alice, 7)) == (0, 3)
    assert items.functions.minted(7).call() == 5
    again = items.minting(items.request(1, 7, 2))
    assert items.refuse(again, items.cast.relayer) == Refusal("AlreadyMinted", (1,))
