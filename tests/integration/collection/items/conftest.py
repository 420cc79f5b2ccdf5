"""ERC-1155 collections of a factory on a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from web3 import Web3

from mintline.chain.compiled import compiled
from mintline.clones import clone_salt
from tests.integration.collection.clones.conftest import DIGEST, Clone, Factory, deploy_factory

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from eth_typing import ChecksumAddress
    from web3.types import TxReceipt

SIGNED_TYPES = {"from": "address", "to": "address"}


@dataclass(frozen=True)
class Items(Clone):
    """An ERC-1155 collection of the factory."""

    def request(self, serial: int, item_id: int, quantity: int, to: ChecksumAddress | None = None) -> Any:
        """One mint of a batch, to alice."""
        return (serial, item_id, quantity, to or self.cast.alice, DIGEST)

    def minting(self, *requests: Any) -> Any:
        """The call that mints a batch."""
        return self.functions.mintBatch(list(requests))

    def mint_items(self, *requests: Any) -> TxReceipt:
        """Mint a batch by a relayer."""
        return self.send(self.minting(*requests), self.cast.relayer)

    def balance(self, holder: str, item_id: int) -> int:
        """How many tokens of an item an address holds."""
        held: int = self.functions.balanceOf(holder, item_id).call()
        return held

    def sign_typed(self, kind: str, message: dict[str, Any], signer: LocalAccount, **domain: Any) -> bytes:
        """Sign a `Transfer` or `Burn`, written out independently of the contract."""
        own = {
            "name": "Mintline",
            "version": "1",
            "chainId": self.w3.eth.chain_id,
            "verifyingContract": self.contract.address,
        }
        fields = [{"name": name, "type": SIGNED_TYPES.get(name, "uint256")} for name in message]
        return bytes(signer.sign_typed_data(own | domain, {kind: fields}, message).signature)


@dataclass(frozen=True)
class ItemsFactory(Factory):
    """A factory whose implementation is the multi-token's."""

    def at(self, address: str) -> Items:
        """The collection at an address."""
        abi = compiled("MintlineMultiToken")["abi"]
        contract = self.w3.eth.contract(address=Web3.to_checksum_address(address), abi=abi)
        return Items(self.w3, contract, self.cast, abi)

    def create_items(self, operation: str = "one", **changes: Any) -> Items:
        """Create a collection by a relayer."""
        args, salt = self.args(**changes), clone_salt("client", operation)
        assert self.send_create(salt, args)["status"] == 1
        return self.at(self.address(args, salt))


def deploy_items_factory(w3: Web3) -> ItemsFactory:
    """Deploy a factory of ERC-1155 collections, and make the cast's relayer one."""
    factory = deploy_factory(w3, "MintlineMultiToken")
    return ItemsFactory(factory.w3, factory.contract, factory.cast, factory.abi, factory.implementation)


@pytest.fixture(scope="session")
def deployed_items_factory(w3: Web3) -> ItemsFactory:
    """The factory; for the snapshotting fixture only."""
    return deploy_items_factory(w3)


@pytest.fixture
def factory(deployed_items_factory: ItemsFactory) -> Iterator[ItemsFactory]:
    """The factory as first deployed; the test's traces on the chain are undone afterwards."""
    with deployed_items_factory.undone():
        yield deployed_items_factory


@pytest.fixture
def items(factory: ItemsFactory) -> Items:
    """A plain collection of it."""
    return factory.create_items()
