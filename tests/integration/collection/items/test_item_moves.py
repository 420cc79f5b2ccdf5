"""Transfers and burns of an ERC-1155 collection's tokens, by their holders and by their signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth_account import Account
from eth_typing import Hash32, HexStr
from web3 import Web3

from mintline import item_calls
from mintline.eth import ZERO_ADDRESS
from mintline.holder_signatures import carried_signature
from tests.integration.collection.conftest import FAR_FUTURE, Refusal

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from tests.integration.collection.items.conftest import Items, ItemsFactory

pytestmark = pytest.mark.integration

HOLDER: LocalAccount = Account.from_key(Web3.keccak(text="holder"))
THIEF: LocalAccount = Account.from_key(Web3.keccak(text="thief"))
SHORT = Refusal("InsufficientBalance", ())


def transfer_of(items: Items, **changes: Any) -> dict[str, Any]:
    """A transfer of two of item 7 to bob."""
    plain = {
        "from": HOLDER.address,
        "to": items.cast.bob,
        "id": 7,
        "value": 2,
        "nonce": 0,
        "deadline": FAR_FUTURE,
    }
    return plain | changes


def burn_of(**changes: Any) -> dict[str, Any]:
    """A burn of two of item 7."""
    return {"from": HOLDER.address, "id": 7, "value": 2, "nonce": 0, "deadline": FAR_FUTURE} | changes


def transferring(items: Items, message: dict[str, Any], signature: bytes | None = None) -> Any:
    signed = items.sign_typed("Transfer", message, HOLDER) if signature is None else signature
    return items.functions.transferBySignature(*message.values(), signed)


def burning(items: Items, message: dict[str, Any], signature: bytes | None = None) -> Any:
    signed = items.sign_typed("Burn", message, HOLDER) if signature is None else signature
    return items.functions.burnBySignature(*message.values(), signed)


@pytest.fixture
def held(items: Items) -> Items:
    """A collection of which HOLDER, who has no ether, has three of item 7 and one of item 8."""
    items.mint_items(items.request(1, 7, 3, HOLDER.address), items.request(2, 8, 1, HOLDER.address))
    return items


def test_transfer__when_the_holder_signed__then_anyone_may_send_it_once(held: Items) -> None:
    call, stranger = transferring(held, transfer_of(held)), held.cast.stranger

    receipt = held.send(call, stranger)

    moved = {"operator": stranger, "from": HOLDER.address, "to": held.cast.bob, "id": 7, "amount": 2}
    assert held.events(receipt) == [("TransferSingle", moved)]
    assert (held.balance(HOLDER.address, 7), held.balance(held.cast.bob, 7)) == (1, 2)
    assert held.refuse(call, stranger) == Refusal("InvalidAccountNonce", (HOLDER.address.lower(), 1))


def test_burn__when_the_holder_signed__then_the_tokens_are_gone_and_stay_counted(held: Items) -> None:
    call = burning(held, burn_of())

    receipt = held.send(call, held.cast.stranger)

    [(name, args)] = held.events(receipt)
    assert (name, args["to"], args["id"], args["amount"]) == ("TransferSingle", ZERO_ADDRESS, 7, 2)
    assert (held.balance(HOLDER.address, 7), held.functions.minted(7).call()) == (1, 3)
    assert held.refuse(call, held.cast.stranger).name == "InvalidAccountNonce"


@pytest.mark.parametrize(
    "changed",
    [{"to": THIEF.address}, {"id": 8}, {"value": 3}, {"deadline": FAR_FUTURE + 1}],
    ids=lambda c: next(iter(c)),
)
def test_transfer__when_a_field_was_changed__then_refused(held: Items, changed: dict[str, Any]) -> None:
    signature = held.sign_typed("Transfer", transfer_of(held), HOLDER)

    refusal = held.refuse(transferring(held, transfer_of(held, **changed), signature), held.cast.stranger)

    assert refusal == Refusal("InvalidSignature", (HOLDER.address.lower(),))


def test_signature__when_it_is_of_another_kind_signer_chain_or_collection__then_refused(
    factory: ItemsFactory, held: Items
) -> None:
    message, refused = transfer_of(held), Refusal("InvalidSignature", (HOLDER.address.lower(),))
    good = held.sign_typed("Transfer", message, HOLDER)
    bad = (
        held.sign_typed("Burn", burn_of(), HOLDER),
        held.sign_typed("Transfer", message, THIEF),
        held.sign_typed("Transfer", message, HOLDER, chainId=1),
        factory.create_items("other").sign_typed("Transfer", message, HOLDER),
        good[:64],
        b"",
    )

    for signature in bad:
        assert held.refuse(transferring(held, message, signature), held.cast.stranger) == refused
    assert held.refuse(burning(held, burn_of(), good), held.cast.stranger) == refused


def test_signature__when_its_deadline_is_over__then_refused(held: Items) -> None:
    deadline = held.w3.eth.get_block("latest")["timestamp"] + 1_000
    held.rpc("evm_setNextBlockTimestamp", deadline + 1)

    refusal = held.refuse(burning(held, burn_of(deadline=deadline)), held.cast.stranger)

    assert refusal == Refusal("SignatureExpired", (deadline,))


def test_tokens__when_the_signer_holds_fewer__then_refused_even_if_approved(held: Items) -> None:
    held.mint_items(held.request(3, 9, 5, held.cast.alice))
    held.send(held.functions.setApprovalForAll(HOLDER.address, isApproved=True), held.cast.alice)

    for call in (
        transferring(held, transfer_of(held, id=9)),
        transferring(held, transfer_of(held, value=4)),
        burning(held, burn_of(id=9)),
        burning(held, burn_of(value=4)),
    ):
        assert held.refuse(call, held.cast.stranger) == SHORT


def test_tokens__when_a_stranger_or_relayer_moves_them__then_refused(held: Items) -> None:
    holder, functions = HOLDER.address, held.functions

    for caller in (held.cast.stranger, held.cast.relayer):
        for call in (
            functions.safeTransferFrom(holder, caller, 7, 1, b""),
            functions.safeBatchTransferFrom(holder, caller, [7, 8], [1, 1], b""),
            functions.burn(holder, 7, 1),
        ):
            assert held.refuse(call, caller) == Refusal("NotOwnerNorApproved", ())


def test_collection__when_paused_or_soulbound__then_nothing_is_transferred(
    factory: ItemsFactory, items: Items
) -> None:
    bound = factory.create_items("bound", soulbound=True)
    alice, bob = items.cast.alice, items.cast.bob
    for collection in (bound, items):
        collection.mint_items(collection.request(1, 7, 3, HOLDER.address), collection.request(2, 7, 2, alice))
    items.send(items.functions.pause(), items.cast.relayer)

    for collection, refused in ((bound, "Soulbound"), (items, "EnforcedPause")):
        functions = collection.functions
        for call, sender in (
            (functions.safeTransferFrom(alice, bob, 7, 1, b""), alice),
            (functions.safeBatchTransferFrom(alice, bob, [7], [1], b""), alice),
            (transferring(collection, transfer_of(collection)), bob),
        ):
            assert collection.refuse(call, sender) == Refusal(refused, ())
    for call, sender in (
        (burning(items, burn_of()), bob),
        (items.functions.burn(alice, 7, 1), alice),
        (items.minting(items.request(3, 7, 1)), items.cast.relayer),
    ):
        assert items.refuse(call, sender) == Refusal("EnforcedPause", ())
    bound.send(burning(bound, burn_of()), bob)
    bound.send(bound.functions.burn(alice, 7, 1), alice)


def test_hashes__when_services_make_them__then_their_calls_succeed(held: Items) -> None:
    common: dict[str, Any] = {
        "chain_id": held.w3.eth.chain_id,
        "contract": held.contract.address,
        "holder": HOLDER.address,
        "token_id": 7,
        "deadline": FAR_FUTURE,
    }
    to_bob = common | {"to": held.cast.bob, "quantity": 2, "counter": 0}
    burned = common | {"quantity": 1, "counter": 1}

    for call, arguments, digest in (
        (item_calls.transfer_item_calldata, to_bob, item_calls.item_transfer_hash(**to_bob)),
        (item_calls.burn_item_calldata, burned, item_calls.item_burn_hash(**burned)),
    ):
        signature = bytes(HOLDER.unsafe_sign_hash(Hash32(digest)).signature)
        fields = {name: value for name, value in arguments.items() if name not in ("chain_id", "contract")}
        data = call(**fields, signature=signature)
        sent = held.w3.eth.send_transaction(
            {"from": held.cast.stranger, "to": held.contract.address, "data": HexStr("0x" + data.hex())}
        )
        assert held.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.005)["status"] == 1
        assert carried_signature(data) == signature
    assert (held.balance(HOLDER.address, 7), held.balance(held.cast.bob, 7)) == (0, 2)
