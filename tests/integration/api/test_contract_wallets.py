"""EIP-1271 against compiled contracts on a real node."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.eth import address_word, to_checksum_address
from mintline_api.chain import is_contract
from mintline_api.features.links.signatures import contract_accepts, personal_hash
from mintline_testkit.user_pool import OwnWallet

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
OWNER = OwnWallet(7)
DIGEST = personal_hash(b"a sign-in message")


@pytest.fixture(scope="module")
def compiled() -> dict[str, dict[str, Any]]:
    """The contracts of wallets/Wallets.sol, by name."""
    beside_python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    node = shutil.which("node", path=beside_python)
    assert node is not None
    source = Path(__file__).parent / "wallets" / "Wallets.sol"
    command = [node, str(ROOT / "contracts" / "build.mjs"), "--compile", str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=120)
    return {entry["contractName"]: entry for entry in json.loads(built.stdout)}


@dataclass(frozen=True, slots=True)
class Chain:
    rpc: Rpc
    node: Node

    async def deploy(self, contract: dict[str, Any], arguments: bytes = b"") -> str:
        """Deploy from anvil's first account and return the address."""
        (sender, *_) = await self.rpc.call("eth_accounts", [])
        data = contract["bytecode"] + arguments.hex()
        tx_hash = await self.rpc.call("eth_sendTransaction", [{"from": sender, "data": data}])
        # The block follows the answer to the send, however closely.
        for _ in range(1_000):
            receipt = await self.rpc.call("eth_getTransactionReceipt", [tx_hash])
            if receipt is not None:
                return to_checksum_address(receipt["contractAddress"])
            await asyncio.sleep(0.01)
        raise AssertionError("the contract was not deployed")


@pytest.fixture
async def chain(anvil_automine: str) -> AsyncIterator[Chain]:
    rpc = Rpc([anvil_automine])
    yield Chain(rpc, Node(rpc))
    await rpc.aclose()


async def test_contract_wallet__when_its_owner_signed__accepts_that_signature_alone(
    chain: Chain, compiled: dict[str, dict[str, Any]]
) -> None:
    address = await chain.deploy(compiled["OwnedWallet"], address_word(OWNER.address))
    signature = OWNER.sign(DIGEST)

    assert is_contract(await chain.node.code(address))
    assert await contract_accepts(chain.node, address, DIGEST, signature)
    assert not await contract_accepts(chain.node, address, personal_hash(b"another"), signature)
    assert not await contract_accepts(chain.node, address, DIGEST, OwnWallet(8).sign(DIGEST))
    assert not await contract_accepts(chain.node, address, DIGEST, b"")
    assert not await contract_accepts(chain.node, address, DIGEST, bytes(1000))


@pytest.mark.parametrize("name", ["TruthfulWallet", "GreedyWallet", "MuteContract"])
async def test_contract__when_it_does_not_answer_by_the_eip__accepts_nothing(
    chain: Chain, compiled: dict[str, dict[str, Any]], name: str
) -> None:
    address = await chain.deploy(compiled[name])

    assert not await contract_accepts(chain.node, address, DIGEST, OWNER.sign(DIGEST))


async def test_account__when_it_has_no_code__accepts_nothing(chain: Chain) -> None:
    assert not is_contract(await chain.node.code(OWNER.address))
    assert not await contract_accepts(chain.node, OWNER.address, DIGEST, OWNER.sign(DIGEST))
