"""A factory with an implementation on a node, and collections of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_typing import HexStr
from web3 import Web3
from web3.contract import Contract

from mintline.chain.collection import RELAYER_ROLE
from mintline.chain.compiled import compiled
from mintline.clones import CloneArgs, clone_address, clone_salt, create_calldata
from tests.integration.collection.conftest import Cast, Collection, deploy

BASE_URI = "https://nft.example/v1/metadata/"


@dataclass(frozen=True)
class Factory(Collection):
    """A deployed factory, whose relayer and admin are the cast's; `contract` is the factory."""

    implementation: Contract

    def args(self, **changes: Any) -> CloneArgs:
        """Arguments of a plain collection."""
        plain = {"name": "Clone Test", "symbol": "CLT", "owner": self.cast.admin}
        royalty = {"royalty_receiver": self.cast.royalties, "royalty_bps": 500}
        return CloneArgs(**(plain | royalty | changes))

    def address(self, args: CloneArgs, salt: bytes) -> str:
        """The address of a collection, computed off chain."""
        return clone_address(self.contract.address, self.implementation.address, salt, args)

    def create(self, operation: str = "one", **changes: Any) -> Collection:
        """Create a collection by a relayer's raw calldata."""
        args, salt = self.args(**changes), clone_salt("client", operation)
        data = create_calldata(self.implementation.address, salt, args)
        sent = self.w3.eth.send_transaction(
            {
                "from": self.cast.relayer,
                "to": self.contract.address,
                "data": HexStr("0x" + data.hex()),
                "gas": 2_000_000,
            }
        )
        receipt = self.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.005)
        assert receipt["status"] == 1
        address = Web3.to_checksum_address(self.address(args, salt))
        abi = compiled("MintlineClone")["abi"]
        return Collection(self.w3, self.w3.eth.contract(address=address, abi=abi), self.cast, abi)


def deploy_factory(w3: Web3) -> Factory:
    """Deploy a factory with an implementation, and make the cast's relayer one."""
    cast = Cast(*w3.eth.accounts[1:9], *(Account.from_key(Web3.keccak(text=name)) for name in ("a", "b")))
    contract = deploy(w3, dict(compiled("MintlineFactory")), cast.admin, BASE_URI)
    implementation = deploy(w3, dict(compiled("MintlineClone")), contract.address)
    factory = Factory(w3, contract, cast, compiled("MintlineFactory")["abi"], implementation)
    factory.send(contract.functions.addImplementation(implementation.address), cast.admin)
    factory.send(contract.functions.grantRole(RELAYER_ROLE, cast.relayer), cast.admin)
    return factory
