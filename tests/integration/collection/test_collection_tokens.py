"""What holders and marketplaces see: burning, pausing, URIs, royalties, announced interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.collection.conftest import Collection

pytestmark = pytest.mark.integration

ZERO_ADDRESS = "0x0000000000000000000000000000000000000000"


def test_burn__when_owner_burns__then_token_is_gone_but_stays_marked(collection: Collection) -> None:
    collection.mint(1)

    receipt = collection.send(collection.functions.burn(1), collection.cast.alice)

    assert collection.events(receipt) == [
        ("Transfer", {"from": collection.cast.alice, "to": ZERO_ADDRESS, "tokenId": 1})
    ]
    assert collection.functions.balanceOf(collection.cast.alice).call() == 0
    assert collection.functions.isMinted(1).call() is True


@pytest.mark.parametrize("whole_wallet", [True, False], ids=["operator", "approved"])
def test_burn__when_caller_is_approved__then_burned(collection: Collection, *, whole_wallet: bool) -> None:
    collection.mint(1)
    bob = collection.cast.bob
    functions = collection.functions
    approval = (
        functions.setApprovalForAll(operator=bob, approved=True)
        if whole_wallet
        else functions.approve(bob, 1)
    )
    collection.send(approval, collection.cast.alice)

    collection.send(collection.functions.burn(1), bob)

    assert collection.functions.balanceOf(collection.cast.alice).call() == 0


def test_burn__when_caller_is_not_approved__then_refused(collection: Collection) -> None:
    collection.mint(1)

    for outsider in (collection.cast.bob, collection.cast.admin):
        refusal = collection.refuse(collection.functions.burn(1), outsider)
        assert (refusal.name, refusal.args) == ("ERC721InsufficientApproval", (outsider.lower(), 1))


def test_burn__when_token_does_not_exist__then_refused(collection: Collection) -> None:
    refusal = collection.refuse(collection.functions.burn(1), collection.cast.alice)

    assert (refusal.name, refusal.args) == ("ERC721NonexistentToken", (1,))


def test_pause__when_paused__then_minting_transfers_and_burning_are_refused(collection: Collection) -> None:
    collection.mint(1)
    alice, bob = collection.cast.alice, collection.cast.bob
    collection.send(collection.functions.pause(), collection.cast.pauser)

    refused = [
        (collection.redeeming(collection.voucher(2)), alice),
        (collection.functions.mintBatch([(2, alice, bytes(32))]), collection.cast.relayer),
        (collection.functions.transferFrom(alice, bob, 1), alice),
        (collection.functions.safeTransferFrom(alice, bob, 1), alice),
        (collection.functions.burn(1), alice),
    ]

    assert [collection.refuse(call, sender).name for call, sender in refused] == ["EnforcedPause"] * 5


def test_pause__when_paused__then_approvals_roles_and_metadata_can_be_changed(collection: Collection) -> None:
    collection.mint(1)
    collection.send(collection.functions.pause(), collection.cast.pauser)

    collection.send(collection.functions.approve(collection.cast.bob, 1), collection.cast.alice)
    collection.send(collection.functions.approve(ZERO_ADDRESS, 1), collection.cast.alice)
    collection.send(collection.functions.setBaseURI("ipfs://other/"), collection.cast.metadata)
    collection.send(
        collection.functions.revokeRole(
            collection.functions.ISSUER_ROLE().call(), collection.cast.issuer.address
        ),
        collection.cast.admin,
    )

    assert collection.functions.paused().call() is True


def test_unpause__when_unpaused__then_a_voucher_from_before_is_redeemed(collection: Collection) -> None:
    voucher = collection.voucher()
    collection.send(collection.functions.pause(), collection.cast.pauser)
    collection.send(collection.functions.unpause(), collection.cast.pauser)

    collection.send(collection.redeeming(voucher), collection.cast.alice)

    assert collection.functions.ownerOf(1).call() == collection.cast.alice


def test_token_uri__when_token_exists__then_base_and_decimal_id(collection: Collection) -> None:
    collection.mint(2**128)

    uri = collection.functions.tokenURI(2**128).call()

    assert uri == f"https://nft.example/metadata/{2**128}"


def test_token_uri__when_token_does_not_exist__then_refused(collection: Collection) -> None:
    refusal = collection.refuse(collection.functions.tokenURI(1), collection.cast.alice)

    assert (refusal.name, refusal.args) == ("ERC721NonexistentToken", (1,))


def test_set_base_uri__when_changed__then_every_token_is_announced(collection: Collection) -> None:
    collection.mint(1)

    receipt = collection.send(collection.functions.setBaseURI("ipfs://base/"), collection.cast.metadata)

    assert collection.functions.tokenURI(1).call() == "ipfs://base/1"
    assert collection.events(receipt) == [
        ("BatchMetadataUpdate", {"_fromTokenId": 0, "_toTokenId": 2**256 - 1})
    ]


def test_refresh_metadata__when_token_exists__then_announced(collection: Collection) -> None:
    collection.mint(1)

    receipt = collection.send(collection.functions.refreshMetadata(1), collection.cast.metadata)

    assert collection.events(receipt) == [("MetadataUpdate", {"_tokenId": 1})]


def test_refresh_metadata__when_token_does_not_exist__then_refused(collection: Collection) -> None:
    refusal = collection.refuse(collection.functions.refreshMetadata(1), collection.cast.metadata)

    assert (refusal.name, refusal.args) == ("ERC721NonexistentToken", (1,))


def test_contract_uri__when_changed__then_announced(collection: Collection) -> None:
    before = collection.functions.contractURI().call()

    receipt = collection.send(
        collection.functions.setContractURI("ipfs://collection"), collection.cast.metadata
    )

    assert before == "https://nft.example/collection.json"
    assert collection.functions.contractURI().call() == "ipfs://collection"
    assert collection.events(receipt) == [("ContractURIUpdated", {})]


def test_royalty__when_read_and_changed__then_in_basis_points_of_the_price(collection: Collection) -> None:
    assert collection.functions.royaltyInfo(1, 10_000).call() == [collection.cast.royalties, 500]

    collection.send(
        collection.functions.setDefaultRoyalty(collection.cast.bob, 10_000), collection.cast.admin
    )

    assert collection.functions.royaltyInfo(1, 777).call() == [collection.cast.bob, 777]


def test_royalty__when_above_the_price__then_refused(collection: Collection) -> None:
    refusal = collection.refuse(
        collection.functions.setDefaultRoyalty(collection.cast.bob, 10_001), collection.cast.admin
    )

    assert (refusal.name, refusal.args) == ("ERC2981InvalidDefaultRoyalty", (10_001, 10_000))


def test_owner__when_the_admin_changes_it__then_marketplaces_are_told(collection: Collection) -> None:
    before = collection.functions.owner().call()

    receipt = collection.send(collection.functions.setOwner(collection.cast.alice), collection.cast.admin)

    assert before == collection.cast.admin
    assert collection.functions.owner().call() == collection.cast.alice
    changed = {"previousOwner": before, "newOwner": collection.cast.alice}
    assert collection.events(receipt) == [("OwnershipTransferred", changed)]


@pytest.mark.parametrize(
    ("interface_id", "supported"),
    [
        ("0x01ffc9a7", True),  # ERC-165
        ("0x80ac58cd", True),  # ERC-721
        ("0x5b5e139f", True),  # ERC-721 Metadata
        ("0x2a55205a", True),  # ERC-2981
        ("0x49064906", True),  # ERC-4906
        ("0x8da5cb5b", True),  # ERC-5313
        ("0x7965db0b", True),  # AccessControl
        ("0x780e9d63", False),  # ERC-721 Enumerable
        ("0xd9b67a26", False),  # ERC-1155
        ("0xffffffff", False),  # never, by ERC-165
    ],
)
def test_supports_interface__when_asked__then_as_documented(
    collection: Collection, interface_id: str, *, supported: bool
) -> None:
    assert collection.functions.supportsInterface(interface_id).call() is supported


def test_name_and_symbol__when_read__then_as_deployed(collection: Collection) -> None:
    assert (collection.functions.name().call(), collection.functions.symbol().call()) == (
        "Mintline Test",
        "MLT",
    )
