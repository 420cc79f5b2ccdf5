"""The factory: addresses that are known before, who may create, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import encode
from web3.exceptions import ContractCustomError

from mintline.chain.answers import Log, checksummed
from mintline.chain.collection import DEFAULT_ADMIN_ROLE, RELAYER_ROLE
from mintline.chain.compiled import compiled
from mintline.clones import CloneArgs, clone_salt, encode_args
from mintline.eth import ZERO_ADDRESS, keccak256
from tests.integration.collection.clones.conftest import BASE_URI, CREATE_GAS
from tests.integration.collection.conftest import Refusal, deploy

if TYPE_CHECKING:
    from tests.integration.collection.clones.conftest import Factory

pytestmark = pytest.mark.integration

SALT = clone_salt("client", "one")
STRUCT = "(string,string,address,address,uint96,uint64,uint64,uint64,bool)"
ADDRESS = "0x000000000000000000000000000000000000dEaD"


def struct(args: CloneArgs) -> tuple[Any, ...]:
    """Return the members of the contract's struct: a commitment is behind it."""
    return tuple(value for name, value in dict(args).items() if name != "metadata_commitment")


def test_create__when_sent_with_our_calldata__then_the_collection_is_as_asked(factory: Factory) -> None:
    args = factory.args(name="Ünïcode", supply_cap=5, mint_start=1, mint_end=2**40, soulbound=True)
    predicted = factory.functions.collectionAddress(
        factory.implementation.address, SALT, encode_args(args)
    ).call()

    receipt = factory.send_create(SALT, args)

    assert predicted == factory.address(args, SALT)
    clone = factory.at(predicted)
    given = clone.functions.collectionArgs().call()
    assert given == struct(args)
    assert clone.functions.name().call() == "Ünïcode"
    assert clone.functions.symbol().call() == "CLT"
    assert clone.functions.owner().call() == factory.cast.admin
    assert clone.functions.factory().call() == factory.contract.address
    [event] = [
        Log(
            address=log["address"],
            topics=tuple(map(bytes, log["topics"])),
            data=bytes(log["data"]),
            block_number=log["blockNumber"],
            block_hash=bytes(log["blockHash"]),
            tx_hash=bytes(log["transactionHash"]),
            log_index=log["logIndex"],
            removed=False,
        )
        for log in receipt["logs"]
    ]
    assert event.topics[0] == keccak256(b"CollectionCreated(address,address,bytes32)")
    named = [checksummed("0x" + topic[12:].hex()) for topic in event.topics[1:]]
    assert (named, event.data) == ([predicted, factory.implementation.address], SALT)


def test_create__when_anything_differs__then_another_address(factory: Factory) -> None:
    args = factory.args()
    addresses = {
        factory.address(args, SALT),
        factory.address(args, clone_salt("other", "one")),
        factory.address(args, clone_salt("client", "two")),
        factory.address(factory.args(owner=factory.cast.bob), SALT),
    }

    assert len(addresses) == 4


def test_create__when_the_same_again__then_refused_by_its_address(factory: Factory) -> None:
    clone = factory.create()
    call = factory.functions.createCollection(
        factory.implementation.address, SALT, encode_args(factory.args())
    )

    refusal = factory.refuse(call, factory.cast.relayer, gas=CREATE_GAS)

    assert refusal == Refusal("AlreadyCreated", (clone.contract.address.lower(),))


@pytest.mark.parametrize(
    "changes",
    [
        {0: ""},
        {4: 10_001},
        {3: ZERO_ADDRESS},
        {6: 10, 7: 10},
        {6: 10, 7: 9},
    ],
    ids=["no name", "royalty above the price", "royalty without receiver", "empty window", "ends first"],
)
def test_create__when_the_arguments_make_no_sense__then_refused(
    factory: Factory, changes: dict[int, Any]
) -> None:
    values = [*struct(factory.args())]
    for position, value in changes.items():
        values[position] = value
    encoded = encode([STRUCT], [tuple(values)])

    call = factory.functions.createCollection(factory.implementation.address, SALT, encoded)

    assert factory.refuse(call, factory.cast.relayer, gas=CREATE_GAS) == Refusal("InvalidArgs", ())


def test_create__when_the_encoding_is_not_canonical__then_refused(factory: Factory) -> None:
    encoded = encode_args(factory.args())
    longer = factory.functions.createCollection(factory.implementation.address, SALT, encoded + bytes(32))
    garbage = factory.functions.createCollection(factory.implementation.address, SALT, bytes(64))

    assert factory.refuse(longer, factory.cast.relayer, gas=CREATE_GAS).name == "InvalidArgs"
    sent = garbage.transact({"from": factory.cast.relayer, "gas": CREATE_GAS})
    assert factory.w3.eth.wait_for_transaction_receipt(sent)["status"] == 0


def test_create__when_a_commitment_follows_the_arguments__then_the_collection_shows_it(
    factory: Factory,
) -> None:
    commitment = bytes(range(1, 33))
    clone = factory.create(metadata_commitment=commitment, supply_cap=3)
    plain = factory.create(operation="two")

    assert clone.functions.metadataCommitment().call() == commitment
    assert clone.functions.name().call() == "Clone Test"
    assert clone.functions.collectionArgs().call()[5] == 3
    clone.mint_batch(1)
    assert plain.functions.metadataCommitment().call() == bytes(32)
    for behind in (bytes(32), commitment[1:], commitment * 2, b"\1"):
        encoded = encode_args(factory.args()) + behind
        call = factory.functions.createCollection(factory.implementation.address, SALT, encoded)
        assert factory.refuse(call, factory.cast.relayer, gas=CREATE_GAS) == Refusal("InvalidArgs", ())


def test_create__when_the_implementation_was_removed__then_refused_and_collections_live(
    factory: Factory,
) -> None:
    clone, implementation = factory.create(), factory.implementation.address
    removed = factory.send(factory.functions.removeImplementation(implementation), factory.cast.admin)
    call = factory.functions.createCollection(implementation, bytes(32), encode_args(factory.args()))

    assert factory.events(removed) == [("ImplementationRemoved", {"implementation": implementation})]
    assert factory.refuse(call, factory.cast.relayer) == Refusal(
        "InvalidImplementation", (implementation.lower(),)
    )
    clone.mint_batch(1)


def test_implementation__when_it_is_not_of_this_factory__then_refused(factory: Factory) -> None:
    other = deploy(factory.w3, dict(compiled("MintlineClone")), ADDRESS)

    for address in (other.address, factory.cast.alice):
        refusal = factory.refuse(factory.functions.addImplementation(address), factory.cast.admin)
        assert refusal == Refusal("InvalidImplementation", (address.lower(),))


def test_calls__when_the_role_is_missing__then_refused(factory: Factory) -> None:
    functions, implementation, cast = factory.functions, factory.implementation.address, factory.cast
    calls = [
        (functions.createCollection(implementation, SALT, b""), RELAYER_ROLE, cast.admin),
        (functions.addImplementation(implementation), DEFAULT_ADMIN_ROLE, cast.relayer),
        (functions.removeImplementation(implementation), DEFAULT_ADMIN_ROLE, cast.relayer),
        (functions.setBaseURI("x"), DEFAULT_ADMIN_ROLE, cast.relayer),
        (functions.grantRole(RELAYER_ROLE, ADDRESS), DEFAULT_ADMIN_ROLE, cast.relayer),
    ]

    for call, role, nearest in calls:
        for sender in (nearest, cast.stranger):
            refusal = factory.refuse(call, sender)
            assert refusal == Refusal("AccessControlUnauthorizedAccount", (sender.lower(), role))


def test_base_uri__when_changed__then_every_collection_has_new_uris(factory: Factory) -> None:
    clone = factory.create()
    clone.mint_batch(7)
    address = clone.contract.address
    assert clone.functions.tokenURI(7).call() == f"{BASE_URI}{address}/7"
    assert clone.functions.contractURI().call() == f"{BASE_URI}{address}"

    receipt = factory.send(factory.functions.setBaseURI("ipfs://x/"), factory.cast.admin)

    assert factory.events(receipt) == [("BaseURIChanged", {"baseURI": "ipfs://x/"})]
    assert clone.functions.tokenURI(7).call() == f"ipfs://x/{address}/7"


def test_constructor__when_the_admin_is_zero__then_refused(factory: Factory) -> None:
    with pytest.raises(ContractCustomError):
        deploy(factory.w3, dict(compiled("MintlineFactory")), ZERO_ADDRESS, BASE_URI)
