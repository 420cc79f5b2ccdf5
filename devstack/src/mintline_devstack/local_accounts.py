"""The local chain's own accounts: one administers the contract, another has money to give."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc, RpcError
from mintline.errors import Unavailable
from mintline.eth import ETHER, to_checksum_address
from mintline_ops.collection import Deployer, Step

TREASURY_FUNDS = 5_000 * ETHER
RELAYER_FUNDS = 1_000 * ETHER
"""Wei that each is given when it holds less than a fifth of that; the account that gives begins with 10,000
ether."""


@dataclass(frozen=True, slots=True)
class NodeAccount:
    """An account that the node itself signs for, as anvil does for its development accounts."""

    rpc: Rpc
    address: str

    async def send(self, step: Step, nonce: int, gas: int) -> bytes:
        """Have the node sign and send."""
        transaction: dict[str, Any] = {
            "from": self.address,
            "nonce": hex(nonce),
            "gas": hex(gas),
            "data": "0x" + step.data.hex(),
            "value": hex(step.value),
        }
        if step.to is not None:
            transaction["to"] = step.to
        try:
            tx_hash: str = await self.rpc.call("eth_sendTransaction", [transaction])
        except RpcError as error:
            raise Unavailable(f"the chain refused a set-up transaction: {error}") from None
        return bytes.fromhex(tx_hash[2:])


@dataclass(frozen=True, slots=True)
class LocalAccounts:
    """The local chain's own accounts: one administers, another has money to give."""

    admin: Deployer
    bank: Deployer
    node: Node

    async def fund(self, *, treasury: str, relayers: Sequence[str]) -> None:
        """Give money to those that run low."""
        shares = {treasury: TREASURY_FUNDS, **dict.fromkeys(relayers, RELAYER_FUNDS)}
        balances = await asyncio.gather(*map(self.node.balance, shares))
        low = [
            Step(to=account, value=share)
            for (account, share), balance in zip(shares.items(), balances, strict=True)
            if balance < share // 5
        ]
        if low:
            await self.bank.send(*low)


async def open_local_accounts(rpc: Rpc, node: Node) -> LocalAccounts:
    """Return the first two development accounts, which the node signs for."""
    accounts = [
        NodeAccount(rpc, to_checksum_address(address)) for address in await rpc.call("eth_accounts", [])
    ]
    return LocalAccounts(Deployer(node, accounts[0]), Deployer(node, accounts[1]), node)
