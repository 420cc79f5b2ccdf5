"""Administering an ERC-1155 collection: URIs, royalties, the freeze, and its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mintline.chain.collection import RELAYER_ROLE
from mintline.clones import clone_salt, encode_args
from tests.integration.collection.clones.conftest import BASE_URI
from tests.integration.collection.conftest import Refusal

if TYPE_CHECKING:
    from tests.integration.collection.items.conftest import Items, ItemsFactory

pytestmark = pytest.mark.integration

ERC165, ERC1155, ERC1155_METADATA, ERC2981, ERC5313 = (
    "0x01ffc9a7",
    "0xd9b67a26",
    "0x0e89341c",
    "0x2a55205a",
    "0x8da5cb5b",
)
ERC721, ERC4906 = "0x80ac58cd", "0x49064906"


def test_calls__when_the_caller_is_no_relayer__then_refused(items: Items) -> None:
    functions, admin = items.functions, items.cast.admin

    for call in (
        functions.pause(),
        functions.unpause(),
        functions.setDefaultRoyalty(admin, 1),
        functions.refreshContractURI(),
        functions.refreshMetadata(0, 1),
        functions.freezeMetadata(),
    ):
        assert items.refuse(call, admin) == Refusal(
            "AccessControlUnauthorizedAccount", (admin.lower(), RELAYER_ROLE)
        )


def test_uri__when_asked__then_the_factorys_base_the_address_and_the_id(items: Items) -> None:
    address = items.contract.address

    assert items.functions.uri(7).call() == f"{BASE_URI}{address}/7"
    assert items.functions.contractURI().call() == f"{BASE_URI}{address}"


def test_metadata__when_refreshed__then_each_items_uri_is_announced_until_it_is_frozen(items: Items) -> None:
    functions, relayer = items.functions, items.cast.relayer
    uri = f"{BASE_URI}{items.contract.address}/"

    announced = items.send(functions.refreshMetadata(7, 8), relayer)
    last = items.send(functions.refreshMetadata(2**256 - 1, 2**256 - 1), relayer)
    frozen = items.send(functions.freezeMetadata(), relayer)

    assert items.events(announced) == [("URI", {"value": f"{uri}{item}", "id": item}) for item in (7, 8)]
    assert len(items.events(last)) == 1
    assert items.events(frozen) == [("MetadataFrozen", {})]
    assert functions.frozen().call() is True
    for call in (functions.refreshContractURI(), functions.refreshMetadata(1, 1), functions.freezeMetadata()):
        assert items.refuse(call, relayer) == Refusal("Frozen", ())
    items.mint_items(items.request(1, 7, 1))


def test_royalty__when_changed__then_instead_of_the_arguments(items: Items) -> None:
    assert items.functions.royaltyInfo(7, 10_000).call() == [items.cast.royalties, 500]

    items.send(items.functions.setDefaultRoyalty(items.cast.bob, 100), items.cast.relayer)

    assert items.functions.royaltyInfo(7, 10_000).call() == [items.cast.bob, 100]


def test_interfaces__when_asked__then_those_of_the_standards(items: Items) -> None:
    for interface in (ERC165, ERC1155, ERC1155_METADATA, ERC2981, ERC5313):
        assert items.functions.supportsInterface(interface).call() is True, interface
    for interface in (ERC721, ERC4906, "0xffffffff"):
        assert items.functions.supportsInterface(interface).call() is False, interface


def test_arguments__when_read__then_those_that_it_was_created_with(factory: ItemsFactory) -> None:
    commitment = b"\x0c" * 32
    items = factory.create_items(supply_cap=9, soulbound=True, metadata_commitment=commitment)
    functions = items.functions

    assert (functions.name().call(), functions.symbol().call()) == ("Clone Test", "CLT")
    assert functions.owner().call() == factory.cast.admin
    assert functions.metadataCommitment().call() == commitment
    assert functions.collectionArgs().call()[5:] == (9, 0, 0, True)
    assert factory.create_items("none").functions.metadataCommitment().call() == bytes(32)


def test_arguments__when_they_are_not_canonical__then_no_collection_is_made(factory: ItemsFactory) -> None:
    encoded, salt = encode_args(factory.args()), clone_salt("client", "odd")

    for odd in (encoded + bytes(32), encoded + b"\x01"):
        call = factory.functions.createCollection(factory.implementation.address, salt, odd)
        assert factory.refuse(call, factory.cast.relayer, gas=2_000_000) == Refusal("InvalidArgs", ())


def test_implementation__when_called_itself__then_it_is_no_collection(factory: ItemsFactory) -> None:
    implementation = factory.at(factory.implementation.address)

    refusal = implementation.refuse(
        implementation.minting(implementation.request(1, 7, 1)), factory.cast.relayer
    )

    assert refusal == Refusal("NotAClone", ())
