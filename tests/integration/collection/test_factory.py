"""The factory on anvil: addresses that are known before, who may create, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from web3 import Web3

from mintline.clones import clone_salt, encode_args
from tests.integration.collection.factory import Factory, deploy_factory

pytestmark = pytest.mark.integration

CREATE_GAS = 2_000_000


@pytest.fixture(scope="session")
def deployed_factory(w3: Web3) -> Factory:
    return deploy_factory(w3)


@pytest.fixture
def factory(deployed_factory: Factory) -> Iterator[Factory]:
    with deployed_factory.undone():
        yield deployed_factory


def test_create__when_sent_with_our_calldata__then_the_collection_is_at_the_predicted_address(
    factory: Factory,
) -> None:
    collection = factory.create()

    assert factory.w3.eth.get_code(collection.contract.address)
    assert collection.functions.name().call() == "Clone Test"
    assert collection.functions.owner().call() == factory.cast.admin


def test_address__when_predicted_by_the_factory__then_the_same(factory: Factory) -> None:
    args, salt = factory.args(name="Ünïcode", supply_cap=5, soulbound=True), clone_salt("client", "x")
    predicted = factory.functions.collectionAddress(
        factory.implementation.address, salt, encode_args(args)
    ).call()

    assert predicted == factory.address(args, salt)
