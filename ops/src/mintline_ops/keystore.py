"""An account whose key lies in a keystore file: geth's and every wallet's form of an encrypted key.

https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mintline.chain.node import Node
from mintline.chain.send_facts import SendFact
from mintline.chain.transport import load_web3
from mintline.errors import Misconfigured, Unavailable
from mintline.eth import keccak256
from mintline_ops.collection import Step

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

MIN_PRIORITY_FEE = 10**9
"""Wei per gas, where recent blocks say nothing."""
_SENT = frozenset({SendFact.ACCEPTED, SendFact.ALREADY_KNOWN})


def open_keystore(path: Path, password: str) -> LocalAccount:
    """Return the account of a keystore file; raises Misconfigured for a wrong password or another file."""
    accounts = load_web3().Account
    try:
        key = accounts.decrypt(path.read_text(), password)
        opened: LocalAccount = accounts.from_key(key)
    except (ValueError, TypeError, KeyError, NotImplementedError):
        # The cause may quote the file.
        raise Misconfigured(f"{path}: no keystore, or not its password") from None
    return opened


class KeystoreAccount:
    """Signs set-up transactions on one chain with a key that is held here, at twice the base fee at most."""

    def __init__(self, node: Node, account: LocalAccount, chain_id: int) -> None:
        self._node = node
        self._account = account
        self._chain_id = chain_id

    @property
    def address(self) -> str:
        return str(self._account.address)

    async def send(self, step: Step, nonce: int, gas: int) -> bytes:
        market = await self._node.fees()
        priority = max(market.priority_fee, MIN_PRIORITY_FEE)
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": nonce,
            "gas": gas,
            "maxFeePerGas": 2 * market.base_fee + priority,
            "maxPriorityFeePerGas": priority,
            "value": step.value,
            "data": step.data,
        }
        if step.to is not None:
            fields["to"] = step.to
        raw = bytes(self._account.sign_transaction(fields).raw_transaction)
        response = await self._node.send_raw(raw)
        if response.fact not in _SENT:
            raise Unavailable(f"the chain refused a set-up transaction: {response.message}")
        return keccak256(raw)
