"""Minting into a clone: who may, each id once, cap, window and soulbound tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from web3.exceptions import ContractCustomError

from mintline.chain.collection import RELAYER_ROLE, decode_revert
from mintline.eth import ZERO_ADDRESS
from tests.integration.collection.clones.conftest import DIGEST
from tests.integration.collection.conftest import Refusal

if TYPE_CHECKING:
    from tests.integration.collection.clones.conftest import Clone, Factory

pytestmark = pytest.mark.integration

ERC5192 = "0xb45a3c0e"


def test_batch__when_minted__then_transfer_and_minted_of_each_in_order(clone: Clone) -> None:
    receipt = clone.mint_batch(3, 2)

    alice = clone.cast.alice
    assert clone.events(receipt) == [
        event
        for token_id in (3, 2)
        for event in (
            ("Transfer", {"from": ZERO_ADDRESS, "to": alice, "tokenId": token_id}),
            ("Minted", {"tokenId": token_id, "to": alice, "metadataDigest": DIGEST}),
        )
    ]
    assert clone.functions.ownerOf(2).call() == alice
    assert clone.functions.balanceOf(alice).call() == 2


def test_batch__when_the_caller_is_no_relayer_of_the_factory__then_refused(clone: Clone) -> None:
    for caller in (clone.cast.admin, clone.cast.stranger):
        refusal = clone.refuse(clone.batch(1), caller)
        assert refusal == Refusal("AccessControlUnauthorizedAccount", (caller.lower(), RELAYER_ROLE))
    assert clone.functions.hasRole(RELAYER_ROLE, clone.cast.relayer).call() is True
    assert clone.functions.hasRole(RELAYER_ROLE, clone.cast.admin).call() is False


def test_batch__when_a_relayers_role_was_revoked__then_refused_in_every_collection(
    factory: Factory, clone: Clone
) -> None:
    relayer = factory.cast.relayer
    factory.send(factory.functions.revokeRole(RELAYER_ROLE, relayer), factory.cast.admin)

    assert clone.refuse(clone.batch(1), relayer).name == "AccessControlUnauthorizedAccount"


def test_batch__when_an_id_was_minted_before__then_all_refused(clone: Clone) -> None:
    clone.mint_batch(1)
    clone.send(clone.functions.burn(1), clone.cast.alice)

    for ids in ([2, 1], [2, 2]):
        refusal = clone.refuse(clone.batch(*ids), clone.cast.relayer)
        assert refusal == Refusal("AlreadyMinted", (ids[1],))
    assert clone.functions.isMinted(1).call() is True
    assert clone.functions.isMinted(2).call() is False


def test_batch__when_the_receiver_is_zero__then_refused(clone: Clone) -> None:
    call = clone.functions.mintBatch([(1, ZERO_ADDRESS, DIGEST)])

    assert clone.refuse(call, clone.cast.relayer) == Refusal("ERC721InvalidReceiver", (ZERO_ADDRESS,))


def test_cap__when_reached__then_refused_although_tokens_were_burned(factory: Factory) -> None:
    clone = factory.create(supply_cap=3)
    clone.mint_batch(1, 2)
    assert clone.refuse(clone.batch(3, 4), clone.cast.relayer) == Refusal("SupplyCapReached", (3,))

    clone.send(clone.functions.burn(1), clone.cast.alice)
    clone.mint_batch(3)

    assert clone.functions.totalMinted().call() == 3
    assert clone.refuse(clone.batch(4), clone.cast.relayer) == Refusal("SupplyCapReached", (3,))


def test_total__when_there_is_no_cap__then_it_is_not_counted(clone: Clone) -> None:
    with pytest.raises(ContractCustomError) as caught:
        clone.functions.totalMinted().call()

    assert decode_revert(bytes.fromhex(str(caught.value.data)[2:])).name == "NotCounted"


def test_window__when_a_block_is_at_its_edges__then_start_is_inside_and_end_outside(
    factory: Factory,
) -> None:
    now = factory.w3.eth.get_block("latest")["timestamp"]
    start, end = now + 1_000, now + 2_000
    clone = factory.create(mint_start=start, mint_end=end)
    closed = Refusal("MintWindowClosed", (start, end))

    factory.rpc("evm_setNextBlockTimestamp", start - 1)
    assert clone.refuse(clone.batch(1), clone.cast.relayer) == closed
    factory.rpc("evm_setNextBlockTimestamp", start)
    clone.mint_batch(1)
    factory.rpc("evm_setNextBlockTimestamp", end - 1)
    clone.mint_batch(2)
    factory.rpc("evm_setNextBlockTimestamp", end)
    assert clone.refuse(clone.batch(3), clone.cast.relayer) == closed


def test_soulbound__when_transferred__then_refused_but_its_holder_may_burn(factory: Factory) -> None:
    clone = factory.create(soulbound=True)
    receipt = clone.mint_batch(1)
    alice, bob = clone.cast.alice, clone.cast.bob
    clone.send(clone.functions.approve(bob, 1), alice)

    assert clone.events(receipt)[2:] == [("Locked", {"tokenId": 1})]
    assert clone.functions.locked(1).call() is True
    assert clone.functions.supportsInterface(ERC5192).call() is True
    for sender in (alice, bob):
        for call in (clone.functions.transferFrom, clone.functions.safeTransferFrom):
            assert clone.refuse(call(alice, bob, 1), sender) == Refusal("Soulbound", ())
    clone.send(clone.functions.burn(1), alice)


def test_plain_token__when_transferred__then_it_moves(clone: Clone) -> None:
    clone.mint_batch(1)
    alice, bob = clone.cast.alice, clone.cast.bob

    clone.send(clone.functions.safeTransferFrom(alice, bob, 1), alice)

    assert clone.functions.ownerOf(1).call() == bob
    assert clone.functions.locked(1).call() is False
    assert clone.functions.supportsInterface(ERC5192).call() is False
