"""A deployment's contracts: deployed from the account that administers them, and kept up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eth_abi.abi import decode, encode

from mintline.chain import collection, factory
from mintline.chain.calls import Call
from mintline.chain.gas import GasBound
from mintline.chain.node import Node
from mintline.errors import Rejected, Unavailable
from mintline.eth import keccak256, selector, to_checksum_address
from mintline.rlp import rlp_encode, to_big_endian

NAME, SYMBOL = "Mintline", "MINT"
ROYALTY_BPS = 500
"""5 % of a sale, in 1/10,000."""
MAX_GAS = 30_000_000
"""The highest gas limit of a set-up transaction by default: a deployment takes 18 million on Amsterdam."""
GAS = GasBound("--max-gas", MAX_GAS)
RECEIPT_POLL_SECONDS = 0.1
ADMIN_ROLES = (collection.PAUSER_ROLE, collection.METADATA_ROLE)
"""Granted to the account that deploys; the issuer's role comes with the constructor."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A collection on the chain."""

    contract: str
    block: int
    factory: DeployedFactory | None = None
    """What was deployed with it, if asked for."""


@dataclass(frozen=True, slots=True)
class DeployedFactory:
    """A factory of collections on the chain, and the code of its collections."""

    address: str
    implementation: str
    multi_token: str
    """The code of its ERC-1155 collections."""

    @property
    def implementations(self) -> tuple[str, str]:
        """All code that it makes collections of."""
        return self.implementation, self.multi_token


def base_uri(api_url: str, contract: str) -> str:
    """Return what stands before the id in a token's URI."""
    return f"{contract_uri(api_url, contract)}/"


def contract_uri(api_url: str, contract: str) -> str:
    """Return the URI of the collection's own metadata (ERC-7572)."""
    return f"{api_url}/v1/metadata/{contract}"


def created_address(sender: str, nonce: int) -> str:
    """Return the address of the contract that a transaction creates: Keccak of RLP [sender, nonce]."""
    return to_checksum_address(keccak256(rlp_encode([bytes.fromhex(sender[2:]), to_big_endian(nonce)]))[12:])


@dataclass(frozen=True, slots=True)
class Step:
    """One set-up transaction; `to` is None for a deployment, `value` in wei."""

    to: str | None
    data: bytes = b""
    value: int = 0


@dataclass(frozen=True, slots=True)
class CollectionTerms:
    """What a collection is called, and what its sales owe; royalties in 1/10,000 of the price (ERC-2981)."""

    name: str = NAME
    symbol: str = SYMBOL
    royalty_bps: int = ROYALTY_BPS


LOCAL = CollectionTerms()


class Account(Protocol):
    """An account that set-up transactions come from."""

    @property
    def address(self) -> str:
        """Return its address."""

    async def send(self, step: Step, nonce: int, gas: int) -> bytes:
        """Sign and send a transaction, and return its hash; raises Unavailable when the node refuses it."""


class Deployer:
    """Sends set-up transactions from one account; waits up to `patience` seconds for each to be mined.

    `gas` bounds the gas limit of each.
    """

    def __init__(self, node: Node, account: Account, *, patience: float = 30.0, gas: GasBound = GAS) -> None:
        self._node = node
        self._account = account
        self._gas = gas
        self._polls = round(patience / RECEIPT_POLL_SECONDS)

    @property
    def admin(self) -> str:
        """Return the account that administers what is deployed."""
        return self._account.address

    async def deploy(
        self,
        *,
        issuer: str,
        relayers: Sequence[str],
        api_url: str,
        terms: CollectionTerms = LOCAL,
        with_factory: bool = False,
    ) -> Deployed:
        """Deploy a collection whose URIs lead to the api, and grant the admin's and the relayers' roles.

        With a factory, if asked for, in the same blocks.
        """
        nonce = await self._node.transaction_count(self.admin)
        contract = created_address(self.admin, nonce)
        code = collection.creation_code(
            name=terms.name,
            symbol=terms.symbol,
            base_uri=base_uri(api_url, contract),
            contract_uri=contract_uri(api_url, contract),
            admin=self.admin,
            issuer=issuer,
            royalty_receiver=self.admin,
            royalty_bps=terms.royalty_bps,
        )
        grants = [(role, self.admin) for role in ADMIN_ROLES]
        grants += [(collection.RELAYER_ROLE, relayer) for relayer in relayers]
        later = [_grant(contract, role, account) for role, account in grants]
        deployed_factory, steps = self._factory(nonce + 1, api_url) if with_factory else (None, [])
        block, *_ = await self.send(Step(to=None, data=code), *steps)
        if deployed_factory is not None:
            later += [
                _implementation_added(deployed_factory.address, code)
                for code in deployed_factory.implementations
            ]
            later += _relayers_granted(deployed_factory.address, relayers)
        # Only now: no node can estimate a call of what is not deployed yet.
        await self.send(*later)
        return Deployed(contract=contract, block=block, factory=deployed_factory)

    async def deploy_factory(self, *, api_url: str) -> DeployedFactory:
        """Deploy a factory and the code of its collections; `complete_factory` makes it usable."""
        deployed, steps = self._factory(await self._node.transaction_count(self.admin), api_url)
        await self.send(*steps)
        return deployed

    async def deploy_multi_token(self, address: str) -> str:
        """Deploy the code of the ERC-1155 collections of a factory that has none; return its address."""
        multi_token = created_address(self.admin, await self._node.transaction_count(self.admin))
        await self.send(Step(to=None, data=factory.multi_token_code(address)))
        return multi_token

    async def complete_factory(self, deployed: DeployedFactory, relayers: Sequence[str]) -> list[str]:
        """Add the implementations, and let relayers use the factory; return those that could not before.

        What was done before is left alone, so this continues a set-up that was cut off.
        """
        for code in deployed.implementations:
            if not await self._asks(deployed.address, factory.is_implementation_calldata(code)):
                await self.send(_implementation_added(deployed.address, code))
        return await self.grant_relayers(deployed.address, relayers)

    def _factory(self, nonce: int, api_url: str) -> tuple[DeployedFactory, list[Step]]:
        address, *implementations = (created_address(self.admin, nonce + offset) for offset in range(3))
        codes = (
            factory.factory_code(self.admin, factory.factory_base_uri(api_url)),
            factory.implementation_code(address),
            factory.multi_token_code(address),
        )
        return DeployedFactory(address, *implementations), [Step(to=None, data=code) for code in codes]

    async def grant_relayers(self, contract: str, relayers: Sequence[str]) -> list[str]:
        """Give accounts the relayers' role at a collection or a factory; return those that had it not."""
        calls = (_role_call("hasRole", collection.RELAYER_ROLE, relayer) for relayer in relayers)
        known = await asyncio.gather(*(self._asks(contract, call) for call in calls))
        new = [relayer for relayer, had in zip(relayers, known, strict=True) if not had]
        await self.send(*_relayers_granted(contract, new))
        return new

    async def set_base_uri(self, contract: str, api_url: str) -> None:
        """Make the collection's URIs lead to an api at another address."""
        steps = (
            ("setBaseURI(string)", base_uri(api_url, contract)),
            ("setContractURI(string)", contract_uri(api_url, contract)),
        )
        await self.send(
            *(Step(to=contract, data=selector(setter) + encode(["string"], [uri])) for setter, uri in steps),
        )

    async def set_factory_uri(self, address: str, api_url: str) -> None:
        """Make the URIs of all collections of a factory lead to an api at another address."""
        data = factory.set_base_uri_calldata(factory.factory_base_uri(api_url))
        await self.send(Step(to=address, data=data))

    async def _asks(self, contract: str, data: bytes) -> bool:
        result = await self._node.call(Call(sender=self.admin, to=contract, data=data))
        return bool(decode(["bool"], result)[0])

    async def send(self, *steps: Step) -> list[int]:
        """Send transactions in order, usually into one block; return the blocks that mined them.

        Each is estimated on its own, so none may need what another does. Raises Unavailable when the node
        refuses one, or one reverts, and GasAboveBound, with nothing sent, when one needs too much gas.
        """
        limits = await asyncio.gather(*(self._limit(step) for step in steps))
        first = await self._node.transaction_count(self.admin)
        hashes = [
            await self._account.send(step, first + offset, gas)
            for offset, (step, gas) in enumerate(zip(steps, limits, strict=True))
        ]
        return [await self._mined(tx_hash) for tx_hash in hashes]

    async def _limit(self, step: Step) -> int:
        call = Call(sender=self.admin, to=step.to, data=step.data, value=step.value)
        try:
            needed = await self._node.estimate_gas(call)
        except Rejected as refusal:
            raise Unavailable(f"the chain would refuse a set-up transaction: {refusal.reason}") from refusal
        return self._gas.limit(needed, "A set-up transaction")

    async def _mined(self, tx_hash: bytes) -> int:
        for _ in range(self._polls):
            receipt = await self._node.receipt(tx_hash)
            if receipt is not None:
                if not receipt.status:
                    raise Unavailable(f"a set-up transaction reverted: 0x{tx_hash.hex()}")
                return receipt.block_number
            await asyncio.sleep(RECEIPT_POLL_SECONDS)
        raise Unavailable(f"a set-up transaction was not mined: 0x{tx_hash.hex()}")


def _grant(contract: str, role: bytes, account: str) -> Step:
    return Step(to=contract, data=_role_call("grantRole", role, account))


def _relayers_granted(contract: str, relayers: Sequence[str]) -> list[Step]:
    return [_grant(contract, collection.RELAYER_ROLE, relayer) for relayer in relayers]


def _implementation_added(address: str, implementation: str) -> Step:
    return Step(to=address, data=factory.add_implementation_calldata(implementation))


def _role_call(function: str, role: bytes, account: str) -> bytes:
    return selector(f"{function}(bytes32,address)") + encode(["bytes32", "address"], [role, account])
