"""A factory with an implementation on a node, and collections of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress, HexStr
from web3 import Web3
from web3.contract import Contract
from web3.types import TxReceipt

from mintline.chain.collection import RELAYER_ROLE
from mintline.chain.compiled import Contract as CompiledContract
from mintline.chain.compiled import compiled
from mintline.clones import CloneArgs, clone_address, clone_salt, create_calldata
from tests.integration.collection.conftest import Cast, Collection, deploy

DIGEST = b"\xd1" * 32
SIGNED_TYPES = {
    "from": "address",
    "to": "address",
    "tokenId": "uint256",
    "nonce": "uint256",
    "deadline": "uint256",
}
BASE_URI = "https://nft.example/v1/metadata/"


CREATE_GAS = 2_000_000


@dataclass(frozen=True)
class Clone(Collection):
    """A collection of the factory."""

    def batch(self, *token_ids: int, to: ChecksumAddress | None = None) -> Any:
        """The call that mints tokens, to alice."""
        return self.functions.mintBatch([(number, to or self.cast.alice, DIGEST) for number in token_ids])

    def mint_batch(self, *token_ids: int, to: ChecksumAddress | None = None) -> TxReceipt:
        """Mint tokens by a relayer."""
        return self.send(self.batch(*token_ids, to=to), self.cast.relayer)

    def sign_typed(self, kind: str, message: dict[str, Any], signer: LocalAccount, **domain: Any) -> bytes:
        """Sign a `Transfer` or `Burn`, written out independently of the contract."""
        own = {
            "name": "Mintline",
            "version": "1",
            "chainId": self.w3.eth.chain_id,
            "verifyingContract": self.contract.address,
        }
        fields = [{"name": name, "type": SIGNED_TYPES[name]} for name in message]
        signed = signer.sign_typed_data(own | domain, {kind: fields}, message)
        return bytes(signed.signature)


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

    def create(self, operation: str = "one", **changes: Any) -> Clone:
        """Create a collection by a relayer."""
        args, salt = self.args(**changes), clone_salt("client", operation)
        assert self.send_create(salt, args)["status"] == 1
        return self.at(self.address(args, salt))

    def send_create(self, salt: bytes, args: CloneArgs) -> TxReceipt:
        """Send the calldata that services send."""
        sent = self.w3.eth.send_transaction(
            {
                "from": self.cast.relayer,
                "to": self.contract.address,
                "data": HexStr("0x" + create_calldata(self.implementation.address, salt, args).hex()),
                "gas": CREATE_GAS,
            }
        )
        return self.w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.005)

    def at(self, address: str) -> Clone:
        """The collection at an address."""
        abi = compiled("MintlineClone")["abi"]
        contract = self.w3.eth.contract(address=Web3.to_checksum_address(address), abi=abi)
        return Clone(self.w3, contract, self.cast, abi)


def deploy_factory(w3: Web3, code: CompiledContract = "MintlineClone") -> Factory:
    """Deploy a factory with an implementation, and make the cast's relayer one."""
    cast = Cast(*w3.eth.accounts[1:9], *(Account.from_key(Web3.keccak(text=name)) for name in ("a", "b")))
    contract = deploy(w3, dict(compiled("MintlineFactory")), cast.admin, BASE_URI)
    implementation = deploy(w3, dict(compiled(code)), contract.address)
    # With the implementation's errors, which come through the factory.
    refusals = [entry for entry in compiled(code)["abi"] if entry["type"] == "error"]
    abi = [*compiled("MintlineFactory")["abi"], *refusals]
    factory = Factory(w3, contract, cast, abi, implementation)
    factory.send(contract.functions.addImplementation(implementation.address), cast.admin)
    factory.send(contract.functions.grantRole(RELAYER_ROLE, cast.relayer), cast.admin)
    return factory


@pytest.fixture(scope="session")
def deployed_factory(w3: Web3) -> Factory:
    """The factory; for the snapshotting fixture only."""
    return deploy_factory(w3)


@pytest.fixture
def factory(deployed_factory: Factory) -> Iterator[Factory]:
    """The factory as first deployed; the test's traces on the chain are undone afterwards."""
    with deployed_factory.undone():
        yield deployed_factory


@pytest.fixture
def clone(factory: Factory) -> Clone:
    """A plain collection of it."""
    return factory.create()


@pytest.fixture
def refusing_receiver(factory: Factory, receivers: dict[str, dict[str, Any]]) -> Contract:
    """A contract that knows nothing of ERC-721."""
    return deploy(factory.w3, receivers["SilentContract"])
