"""Administering a clone: pause, royalties, announcements of metadata, and the freeze that ends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from eth_typing import HexStr
from web3.exceptions import ContractCustomError

from mintline import clones
from mintline.chain.collection import RELAYER_ROLE, decode_revert
from tests.integration.collection.conftest import Refusal

if TYPE_CHECKING:
    from web3.types import TxReceipt

    from tests.integration.collection.clones.conftest import Clone, Factory

pytestmark = pytest.mark.integration

ERC721, ERC721_METADATA, ERC2981, ERC4906, ERC5313 = (
    "0x80ac58cd",
    "0x5b5e139f",
    "0x2a55205a",
    "0x49064906",
    "0x8da5cb5b",
)


def send_data(clone: Clone, data: bytes) -> TxReceipt:
    """Send calldata as services do."""
    sent = clone.w3.eth.send_transaction(
        {"from": clone.cast.relayer, "to": clone.contract.address, "data": HexStr("0x" + data.hex())}
    )
    receipt = clone.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.005)
    assert receipt["status"] == 1
    return receipt


def test_calls__when_the_caller_is_no_relayer__then_refused(clone: Clone) -> None:
    functions, admin = clone.functions, clone.cast.admin
    calls = (
        functions.pause(),
        functions.unpause(),
        functions.setDefaultRoyalty(admin, 1),
        functions.refreshContractURI(),
        functions.refreshMetadata(0, 1),
        functions.freezeMetadata(),
    )

    for call in calls:
        assert clone.refuse(call, admin) == Refusal(
            "AccessControlUnauthorizedAccount", (admin.lower(), RELAYER_ROLE)
        )


def test_pause__when_paused__then_nothing_moves_until_it_ends(clone: Clone) -> None:
    clone.mint_batch(1)
    alice, bob = clone.cast.alice, clone.cast.bob

    send_data(clone, clones.pause_calldata())

    assert clone.functions.paused().call() is True
    for call, sender in (
        (clone.batch(2), clone.cast.relayer),
        (clone.functions.transferFrom(alice, bob, 1), alice),
        (clone.functions.burn(1), alice),
        (clone.functions.pause(), clone.cast.relayer),
    ):
        assert clone.refuse(call, sender) == Refusal("EnforcedPause", ())
    clone.send(clone.functions.approve(bob, 1), alice)
    send_data(clone, clones.unpause_calldata())
    clone.send(clone.functions.transferFrom(alice, bob, 1), alice)
    clone.mint_batch(2)


def test_royalty__when_changed__then_instead_of_the_arguments(factory: Factory, clone: Clone) -> None:
    assert clone.functions.royaltyInfo(1, 10_000).call() == [clone.cast.royalties, 500]

    receipt = send_data(clone, clones.set_royalty_calldata(clone.cast.bob, 0))

    assert clone.events(receipt) == [("DefaultRoyaltyChanged", {"receiver": clone.cast.bob, "royaltyBps": 0})]
    assert clone.functions.royaltyInfo(1, 10_000).call() == [clone.cast.bob, 0]
    too_much = clone.refuse(clone.functions.setDefaultRoyalty(clone.cast.bob, 10_001), clone.cast.relayer)
    assert too_much.name == "ERC2981InvalidDefaultRoyalty"
    none = factory.create("free", royalty_receiver=None, royalty_bps=0)
    assert none.functions.royaltyInfo(1, 10_000).call() == ["0x" + "00" * 20, 0]


def test_metadata__when_frozen__then_no_change_is_announced_but_minting_goes_on(clone: Clone) -> None:
    refreshed = send_data(clone, clones.refresh_contract_uri_calldata())
    tokens = clone.send(clone.functions.refreshMetadata(1, 9), clone.cast.relayer)
    assert clone.events(refreshed) == [("ContractURIUpdated", {})]
    assert clone.events(tokens) == [("BatchMetadataUpdate", {"_fromTokenId": 1, "_toTokenId": 9})]
    assert clone.functions.frozen().call() is False

    frozen = send_data(clone, clones.freeze_calldata())

    assert clone.events(frozen) == [("MetadataFrozen", {})]
    assert clone.functions.frozen().call() is True
    functions = clone.functions
    for call in (functions.refreshContractURI(), functions.refreshMetadata(1, 9), functions.freezeMetadata()):
        assert clone.refuse(call, clone.cast.relayer) == Refusal("Frozen", ())
    clone.mint_batch(1)


def test_interfaces__when_asked__then_those_of_the_standards(clone: Clone) -> None:
    for interface in (ERC721, ERC721_METADATA, ERC2981, ERC4906, ERC5313):
        assert clone.functions.supportsInterface(interface).call() is True, interface
    assert clone.functions.supportsInterface("0xffffffff").call() is False


def test_implementation__when_called_itself__then_it_is_no_collection(factory: Factory) -> None:
    implementation = factory.at(factory.implementation.address)

    refusal = implementation.refuse(implementation.batch(1), factory.cast.relayer)

    assert refusal == Refusal("NotAClone", ())


def test_revert__when_services_decode_it__then_by_its_name(clone: Clone) -> None:
    clone.send(clone.functions.freezeMetadata(), clone.cast.relayer)

    with pytest.raises(ContractCustomError) as caught:
        clone.functions.freezeMetadata().call({"from": clone.cast.relayer})

    assert str(decode_revert(bytes.fromhex(str(caught.value.data)[2:]))) == "Frozen()"
