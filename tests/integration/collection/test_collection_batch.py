"""The relayers' trusted batch: all or none, no callbacks, the same marks and events as a voucher."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from web3 import Web3
from web3.contract import Contract

if TYPE_CHECKING:
    from eth_typing import ChecksumAddress

    from tests.integration.collection.conftest import Collection

pytestmark = pytest.mark.integration

ZERO_ADDRESS = Web3.to_checksum_address("0x" + "00" * 20)

Request = tuple[int, "ChecksumAddress", bytes]


def request(token_id: int, to: ChecksumAddress) -> Request:
    return (token_id, to, bytes(Web3.keccak(text=f"metadata of {token_id}")))


def test_mint_batch__when_relayer_mints_to_several__then_each_owns_theirs_and_events_pair_up(
    collection: Collection,
) -> None:
    alice, bob = collection.cast.alice, collection.cast.bob
    requests = [request(254, alice), request(255, bob), request(256, alice)]

    receipt = collection.send(collection.functions.mintBatch(requests), collection.cast.relayer)

    assert [collection.functions.ownerOf(token_id).call() for token_id in (254, 255, 256)] == [
        alice,
        bob,
        alice,
    ]
    assert collection.functions.balanceOf(alice).call() == 2
    assert collection.events(receipt) == [
        event
        for token_id, to, digest in requests
        for event in (
            ("Transfer", {"from": ZERO_ADDRESS, "to": to, "tokenId": token_id}),
            ("Minted", {"tokenId": token_id, "to": to, "metadataDigest": digest}),
        )
    ]


def test_mint_batch__when_an_id_is_there_twice__then_all_is_refused(collection: Collection) -> None:
    alice = collection.cast.alice
    call = collection.functions.mintBatch(
        [request(1, alice), request(2, alice), request(1, collection.cast.bob)]
    )

    refusal = collection.refuse(call, collection.cast.relayer)

    assert (refusal.name, refusal.args) == ("AlreadyMinted", (1,))
    assert [collection.functions.isMinted(token_id).call() for token_id in (1, 2)] == [False, False]
    assert collection.functions.balanceOf(alice).call() == 0


def test_mint_batch__when_an_id_was_redeemed_by_voucher__then_all_is_refused(collection: Collection) -> None:
    collection.mint(2)

    refusal = collection.refuse(
        collection.functions.mintBatch([request(1, collection.cast.bob), request(2, collection.cast.bob)]),
        collection.cast.relayer,
    )

    assert (refusal.name, refusal.args) == ("AlreadyMinted", (2,))
    assert collection.functions.isMinted(1).call() is False


def test_mint_batch__when_an_id_was_burned__then_refused(collection: Collection) -> None:
    collection.send(
        collection.functions.mintBatch([request(1, collection.cast.alice)]), collection.cast.relayer
    )
    collection.send(collection.functions.burn(1), collection.cast.alice)

    refusal = collection.refuse(
        collection.functions.mintBatch([request(1, collection.cast.alice)]), collection.cast.relayer
    )

    assert (refusal.name, refusal.args) == ("AlreadyMinted", (1,))


def test_redeem__when_the_batch_was_faster__then_refused(collection: Collection) -> None:
    voucher = collection.voucher(3)
    collection.send(
        collection.functions.mintBatch([request(3, collection.cast.alice)]), collection.cast.relayer
    )

    refusal = collection.refuse(collection.redeeming(voucher), collection.cast.alice)

    assert (refusal.name, refusal.args) == ("AlreadyMinted", (3,))


def test_mint_batch__when_a_receiver_would_refuse__then_it_is_not_asked(
    collection: Collection, deploy_receiver: Callable[[str], Contract]
) -> None:
    receiver = deploy_receiver("RevertingReceiver").address

    collection.send(
        collection.functions.mintBatch([request(1, receiver), request(2, collection.cast.alice)]),
        collection.cast.relayer,
    )

    assert collection.functions.ownerOf(1).call() == receiver


def test_mint_batch__when_a_receiver_is_zero__then_all_is_refused(collection: Collection) -> None:
    refusal = collection.refuse(
        collection.functions.mintBatch([request(1, collection.cast.alice), request(2, ZERO_ADDRESS)]),
        collection.cast.relayer,
    )

    assert (refusal.name, refusal.args) == ("ERC721InvalidReceiver", (ZERO_ADDRESS,))
    assert collection.functions.isMinted(1).call() is False
