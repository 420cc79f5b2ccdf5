"""Minting by voucher: who gets the token, what is announced, and what makes a voucher worthless."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from web3 import Web3
from web3.contract import Contract

if TYPE_CHECKING:
    from tests.integration.collection.conftest import Collection

pytestmark = pytest.mark.integration

ZERO_ADDRESS = "0x0000000000000000000000000000000000000000"


def test_redeem__when_anyone_calls__then_token_lands_at_the_vouchers_receiver(collection: Collection) -> None:
    voucher = collection.voucher(7)

    receipt = collection.send(collection.redeeming(voucher), collection.cast.stranger)

    assert collection.functions.ownerOf(7).call() == collection.cast.alice
    assert collection.functions.balanceOf(collection.cast.alice).call() == 1
    assert collection.functions.balanceOf(collection.cast.stranger).call() == 0
    assert collection.functions.isMinted(7).call() is True
    assert collection.events(receipt) == [
        ("Transfer", {"from": ZERO_ADDRESS, "to": collection.cast.alice, "tokenId": 7}),
        ("Minted", {"tokenId": 7, "to": collection.cast.alice, "metadataDigest": voucher.metadata_digest}),
    ]


@pytest.mark.parametrize("token_id", [0, 255, 256, 2**256 - 1])
def test_redeem__when_id_is_at_an_edge__then_only_that_id_is_marked(
    collection: Collection, token_id: int
) -> None:
    collection.mint(token_id)

    assert collection.functions.ownerOf(token_id).call() == collection.cast.alice
    assert collection.functions.isMinted(token_id).call() is True
    for neighbour in ((token_id - 1) % 2**256, (token_id + 1) % 2**256):
        assert collection.functions.isMinted(neighbour).call() is False


def test_hash_voucher__when_compared_with_an_independent_encoder__then_equal(collection: Collection) -> None:
    from eth_account.messages import _hash_eip191_message, encode_typed_data

    voucher = collection.voucher(2**200 + 3)
    expected = _hash_eip191_message(encode_typed_data(full_message=collection.typed_data(voucher)))

    assert collection.functions.hashVoucher(voucher.as_tuple()).call() == bytes(expected)


def test_eip712_domain__when_read__then_names_chain_and_collection(collection: Collection) -> None:
    domain = collection.functions.eip712Domain().call()

    assert domain == [b"\x0f", "Mintline", "1", 31337, collection.contract.address, bytes(32), []]


def test_redeem__when_signed_by_no_issuer__then_refused(collection: Collection) -> None:
    voucher = collection.voucher()
    call = collection.redeeming(voucher, collection.sign(voucher, signer=collection.cast.impostor))

    refusal = collection.refuse(call, collection.cast.alice)

    assert (refusal.name, refusal.args) == ("InvalidIssuer", (collection.cast.impostor.address.lower(),))


def test_redeem__when_issuer_was_revoked__then_refused(collection: Collection) -> None:
    issuer = collection.cast.issuer.address
    revoke = collection.functions.revokeRole(Web3.keccak(text="ISSUER_ROLE"), issuer)
    collection.send(revoke, collection.cast.admin)

    refusal = collection.refuse(collection.redeeming(collection.voucher()), collection.cast.alice)

    assert (refusal.name, refusal.args) == ("InvalidIssuer", (issuer.lower(),))


def test_redeem__when_another_issuer_was_added__then_both_are_accepted(collection: Collection) -> None:
    grant = collection.functions.grantRole(Web3.keccak(text="ISSUER_ROLE"), collection.cast.impostor.address)
    collection.send(grant, collection.cast.admin)
    second = collection.voucher(2)

    collection.mint(1)
    collection.send(
        collection.redeeming(second, collection.sign(second, signer=collection.cast.impostor)),
        collection.cast.alice,
    )

    assert collection.functions.balanceOf(collection.cast.alice).call() == 2


def test_redeem__when_replayed__then_refused(collection: Collection) -> None:
    voucher = collection.mint(5)

    refusal = collection.refuse(collection.redeeming(voucher), collection.cast.stranger)

    assert (refusal.name, refusal.args) == ("AlreadyMinted", (5,))


def test_redeem__when_id_has_an_owner_by_another_voucher__then_refused(collection: Collection) -> None:
    collection.mint(5, collection.cast.bob)

    refusal = collection.refuse(collection.redeeming(collection.voucher(5)), collection.cast.alice)

    assert (refusal.name, refusal.args) == ("AlreadyMinted", (5,))
    assert collection.functions.ownerOf(5).call() == collection.cast.bob


def test_redeem__when_token_was_burned__then_refused(collection: Collection) -> None:
    voucher = collection.mint(5)
    collection.send(collection.functions.burn(5), collection.cast.alice)

    refusal = collection.refuse(collection.redeeming(voucher), collection.cast.alice)

    assert (refusal.name, refusal.args) == ("AlreadyMinted", (5,))
    assert collection.functions.isMinted(5).call() is True


def test_redeem__when_block_is_at_the_deadline__then_minted(collection: Collection) -> None:
    deadline = collection.w3.eth.get_block("latest")["timestamp"] + 1000
    collection.rpc("evm_setNextBlockTimestamp", deadline)

    receipt = collection.send(
        collection.redeeming(collection.voucher(deadline=deadline)), collection.cast.alice
    )

    assert collection.w3.eth.get_block(receipt["blockNumber"])["timestamp"] == deadline


def test_redeem__when_block_is_one_second_after_the_deadline__then_refused(collection: Collection) -> None:
    deadline = collection.w3.eth.get_block("latest")["timestamp"] + 1000
    collection.rpc("evm_setNextBlockTimestamp", deadline + 1)

    refusal = collection.refuse(
        collection.redeeming(collection.voucher(deadline=deadline)), collection.cast.alice
    )

    assert collection.w3.eth.get_block("latest")["timestamp"] == deadline + 1
    assert (refusal.name, refusal.args) == ("VoucherExpired", (deadline,))


@pytest.mark.parametrize(
    "change",
    [
        {"token_id": 2},
        {"to": "0x000000000000000000000000000000000000dEaD"},
        {"metadata_digest": b"\x01" * 32},
        {"deadline": 10**12 + 1},
    ],
    ids=["token_id", "to", "metadata_digest", "deadline"],
)
def test_redeem__when_a_field_differs_from_the_signed_one__then_refused(
    collection: Collection, change: dict[str, Any]
) -> None:
    signed = collection.voucher(1)
    changed = replace(signed, **change)

    refusal = collection.refuse(collection.redeeming(changed, collection.sign(signed)), collection.cast.alice)

    assert refusal.name == "InvalidIssuer"
    assert refusal.args != (collection.cast.issuer.address.lower(),)
    assert collection.functions.isMinted(changed.token_id).call() is False


@pytest.mark.parametrize(
    "domain",
    [
        {"chainId": 1},
        {"verifyingContract": "0x000000000000000000000000000000000000dEaD"},
        {"name": "Mintline2"},
        {"version": "2"},
    ],
    ids=["chain", "contract", "name", "version"],
)
def test_redeem__when_signed_for_another_domain__then_refused(
    collection: Collection, domain: dict[str, Any]
) -> None:
    voucher = collection.voucher()

    refusal = collection.refuse(
        collection.redeeming(voucher, collection.sign(voucher, **domain)), collection.cast.alice
    )

    assert refusal.name == "InvalidIssuer"


def test_redeem__when_receiver_is_zero__then_refused(collection: Collection) -> None:
    voucher = collection.voucher(to=Web3.to_checksum_address(ZERO_ADDRESS))

    refusal = collection.refuse(collection.redeeming(voucher), collection.cast.alice)

    assert (refusal.name, refusal.args) == ("ERC721InvalidReceiver", (ZERO_ADDRESS,))
    assert collection.functions.isMinted(1).call() is False


def test_redeem__when_receiver_is_an_accepting_contract__then_it_is_asked_and_owns_the_token(
    collection: Collection, deploy_receiver: Callable[[str], Contract]
) -> None:
    receiver = deploy_receiver("AcceptingReceiver")

    collection.mint(9, receiver.address)

    assert collection.functions.ownerOf(9).call() == receiver.address
    assert receiver.functions.operator().call() == collection.cast.stranger
    assert receiver.functions.tokenId().call() == 9


@pytest.mark.parametrize("name", ["WrongAnswerReceiver", "SilentContract"])
def test_redeem__when_receiver_does_not_accept__then_refused_and_still_redeemable(
    collection: Collection, deploy_receiver: Callable[[str], Contract], name: str
) -> None:
    receiver = deploy_receiver(name)

    refusal = collection.refuse(
        collection.redeeming(collection.voucher(to=receiver.address)), collection.cast.alice
    )

    assert (refusal.name, refusal.args) == ("ERC721InvalidReceiver", (receiver.address.lower(),))
    assert collection.functions.isMinted(1).call() is False


def test_redeem__when_receiver_reverts__then_its_own_error_comes_through(
    collection: Collection, deploy_receiver: Callable[[str], Contract]
) -> None:
    receiver = deploy_receiver("RevertingReceiver")
    errors: list[Any] = [entry for entry in receiver.abi if entry["type"] == "error"]
    watching = replace(collection, abi=[*collection.abi, *errors])

    refusal = watching.refuse(
        collection.redeeming(collection.voucher(to=receiver.address)), collection.cast.alice
    )

    assert (refusal.name, refusal.args) == ("NotWanted", (1,))


@pytest.mark.parametrize("name", ["ReenteringReceiver", "BurningReceiver"])
def test_redeem__when_receiver_redeems_again_from_its_callback__then_refused(
    collection: Collection, deploy_receiver: Callable[[str], Contract], name: str
) -> None:
    receiver = deploy_receiver(name)
    voucher = collection.voucher(to=receiver.address)
    collection.send(
        receiver.functions.prepare(voucher.as_tuple(), collection.sign(voucher)), collection.cast.stranger
    )

    refusal = collection.refuse(collection.redeeming(voucher), collection.cast.alice)

    assert (refusal.name, refusal.args) == ("AlreadyMinted", (1,))


def test_redeem__when_ether_is_sent_along__then_refused(collection: Collection) -> None:
    data = collection.redeeming(collection.voucher())._encode_transaction_data()
    sent = collection.w3.eth.send_transaction(
        {
            "from": collection.cast.alice,
            "to": collection.contract.address,
            "data": data,
            "value": Web3.to_wei(1, "wei"),
            "gas": 500_000,
        }
    )

    assert collection.w3.eth.wait_for_transaction_receipt(sent)["status"] == 0
