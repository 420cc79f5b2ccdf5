"""Transfers and burns by the holder's signature: any other signature, nonce, time or place is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account
from web3 import Web3

from mintline.eth import SECP256K1_N, ZERO_ADDRESS
from tests.integration.collection.conftest import FAR_FUTURE, Refusal

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from web3.contract import Contract

    from tests.integration.collection.clones.conftest import Clone, Factory

pytestmark = pytest.mark.integration

HOLDER: LocalAccount = Account.from_key(Web3.keccak(text="holder"))
THIEF: LocalAccount = Account.from_key(Web3.keccak(text="thief"))


def transfer_of(clone: Clone, **changes: Any) -> dict[str, Any]:
    """A transfer of token 1 to bob."""
    plain = {"from": HOLDER.address, "to": clone.cast.bob, "tokenId": 1, "nonce": 0, "deadline": FAR_FUTURE}
    return plain | changes


def burn_of(**changes: Any) -> dict[str, Any]:
    """A burn of token 1."""
    return {"from": HOLDER.address, "tokenId": 1, "nonce": 0, "deadline": FAR_FUTURE} | changes


def transfer_call(clone: Clone, message: dict[str, Any], signature: bytes) -> Any:
    return clone.functions.transferBySignature(*message.values(), signature)


def burn_call(clone: Clone, message: dict[str, Any], signature: bytes) -> Any:
    return clone.functions.burnBySignature(*message.values(), signature)


@pytest.fixture
def held(clone: Clone) -> Clone:
    """A collection of which HOLDER, who has no ether, has tokens 1 and 2."""
    clone.mint_batch(1, 2, to=HOLDER.address)
    return clone


def test_transfer__when_the_holder_signed__then_anyone_may_send_it_once(held: Clone) -> None:
    message = transfer_of(held)
    call = transfer_call(held, message, held.sign_typed("Transfer", message, HOLDER))

    receipt = held.send(call, held.cast.stranger)

    moved = {"from": HOLDER.address, "to": held.cast.bob, "tokenId": 1}
    assert held.events(receipt) == [("Transfer", moved)]
    assert held.functions.nonces(HOLDER.address).call() == 1
    assert held.refuse(call, held.cast.stranger) == Refusal(
        "InvalidAccountNonce", (HOLDER.address.lower(), 1)
    )


def test_burn__when_the_holder_signed__then_the_token_is_gone_and_stays_marked(held: Clone) -> None:
    message = burn_of()
    call = burn_call(held, message, held.sign_typed("Burn", message, HOLDER))

    receipt = held.send(call, held.cast.stranger)

    assert held.events(receipt) == [("Transfer", {"from": HOLDER.address, "to": ZERO_ADDRESS, "tokenId": 1})]
    assert held.functions.isMinted(1).call() is True
    assert held.refuse(call, held.cast.stranger).name == "InvalidAccountNonce"


@pytest.mark.parametrize(
    "changed",
    [{"to": THIEF.address}, {"tokenId": 2}, {"deadline": FAR_FUTURE + 1}],
    ids=lambda c: next(iter(c)),
)
def test_transfer__when_a_field_was_changed__then_refused(held: Clone, changed: dict[str, Any]) -> None:
    signature = held.sign_typed("Transfer", transfer_of(held), HOLDER)

    refusal = held.refuse(transfer_call(held, transfer_of(held, **changed), signature), held.cast.stranger)

    assert refusal == Refusal("InvalidSignature", (HOLDER.address.lower(),))


def test_signature__when_it_is_of_another_kind_signer_chain_or_collection__then_refused(
    factory: Factory, held: Clone
) -> None:
    message, refused = transfer_of(held), Refusal("InvalidSignature", (HOLDER.address.lower(),))
    other = factory.create("other")
    good = held.sign_typed("Transfer", message, HOLDER)
    v = bytes([55 - good[64]])  # 27 for 28 and the reverse
    high_s = good[:32] + (SECP256K1_N - int.from_bytes(good[32:64], "big")).to_bytes(32, "big") + v
    bad = (
        held.sign_typed("Burn", burn_of(), HOLDER),
        held.sign_typed("Transfer", message, THIEF),
        held.sign_typed("Transfer", message, HOLDER, chainId=1),
        other.sign_typed("Transfer", message, HOLDER),
        high_s,
        good[:64],
        b"",
    )

    for signature in bad:
        assert held.refuse(transfer_call(held, message, signature), held.cast.stranger) == refused
    assert held.refuse(burn_call(held, burn_of(), good), held.cast.stranger) == refused


def test_deadline__when_a_block_is_after_it__then_refused(held: Clone) -> None:
    deadline = held.w3.eth.get_block("latest")["timestamp"] + 1_000
    transfer, burn = transfer_of(held, deadline=deadline), burn_of(tokenId=2, deadline=deadline, nonce=1)
    transferring = transfer_call(held, transfer, held.sign_typed("Transfer", transfer, HOLDER))
    burning = burn_call(held, burn, held.sign_typed("Burn", burn, HOLDER))

    held.rpc("evm_setNextBlockTimestamp", deadline)
    held.send(transferring, held.cast.stranger)
    held.rpc("evm_setNextBlockTimestamp", deadline + 1)

    assert held.refuse(burning, held.cast.stranger) == Refusal("SignatureExpired", (deadline,))


def test_token__when_the_signer_does_not_hold_it__then_refused_even_if_approved(held: Clone) -> None:
    held.mint_batch(9, to=held.cast.alice)
    held.send(held.functions.approve(HOLDER.address, 9), held.cast.alice)
    transfer, burn = transfer_of(held, tokenId=9), burn_of(tokenId=9)
    alice = held.cast.alice.lower()
    wrong = Refusal("ERC721IncorrectOwner", (HOLDER.address.lower(), 9, alice))

    for call in (
        transfer_call(held, transfer, held.sign_typed("Transfer", transfer, HOLDER)),
        burn_call(held, burn, held.sign_typed("Burn", burn, HOLDER)),
    ):
        assert held.refuse(call, held.cast.stranger) == wrong


def test_collection__when_paused_or_soulbound__then_refused(factory: Factory, held: Clone) -> None:
    bound = factory.create("bound", soulbound=True)
    bound.mint_batch(1, to=HOLDER.address)
    message = transfer_of(bound)
    call = transfer_call(bound, message, bound.sign_typed("Transfer", message, HOLDER))
    assert bound.refuse(call, bound.cast.stranger) == Refusal("Soulbound", ())
    burn = burn_of()
    bound.send(burn_call(bound, burn, bound.sign_typed("Burn", burn, HOLDER)), bound.cast.stranger)

    held.send(held.functions.pause(), held.cast.relayer)
    for paused in (
        transfer_call(held, transfer_of(held), held.sign_typed("Transfer", transfer_of(held), HOLDER)),
        burn_call(held, burn, held.sign_typed("Burn", burn, HOLDER)),
    ):
        assert held.refuse(paused, held.cast.stranger) == Refusal("EnforcedPause", ())


def test_transfer__when_the_receiver_refuses_the_token__then_nothing_moves(
    held: Clone, refusing_receiver: Contract
) -> None:
    message = transfer_of(held, to=refusing_receiver.address)
    call = transfer_call(held, message, held.sign_typed("Transfer", message, HOLDER))

    assert held.refuse(call, held.cast.stranger).name == "ERC721InvalidReceiver"
    assert held.functions.nonces(HOLDER.address).call() == 0


def test_domain__when_read__then_the_clones_own(held: Clone) -> None:
    assert held.functions.eip712Domain().call()[1:5] == [
        "Mintline",
        "1",
        held.w3.eth.chain_id,
        held.contract.address,
    ]
