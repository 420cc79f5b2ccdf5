"""The whole pipeline on a chain under Amsterdam's rules, which price new state (EIP-8037), over EthereumJS.

Deployment and mints are the line's own. Nothing of the line sends a relayer's batch or a transfer yet: their
calldata is the line's own, and is sent as set-up transactions are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from eth_abi.abi import encode

from mintline.chain.collection import RELAYER_ROLE
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.eth import keccak256, mint_batch_calldata, selector, to_checksum_address, transfer_calldata
from mintline_bench.users import sign_in_new
from mintline_devstack import emulators
from mintline_devstack.local_accounts import NodeAccount
from mintline_devstack.paths import CHECKOUT
from mintline_devstack.ports import HOST, Ports
from mintline_devstack.probes import chain_ready
from mintline_devstack.running_stack import running_stack
from mintline_devstack.state_folder import StateFolder
from mintline_devstack.supervisor import ChildSpec
from mintline_ops import reconcile
from mintline_ops.collection import Deployer, Step
from mintline_ops.deployments import target_of_local_stack
from tests.e2e.conftest import User
from tests.integration.conftest import node_binary

if TYPE_CHECKING:
    from mintline.chain.answers import Receipt

pytestmark = pytest.mark.e2e

NEW_ACCOUNT = 183_600
"""Gas for an account that did not exist (EIP-8037)."""
BATCH = 100


def amsterdam(
    state: StateFolder, ports: Ports, http: aiohttp.ClientSession, *, finality: int = emulators.FINALITY
) -> ChildSpec:
    """Return the chain: a block a second, final two blocks later."""
    assert finality == emulators.FINALITY
    script = str(CHECKOUT / "tests/integration/forks/node.mjs")
    return ChildSpec(
        name="anvil",
        argv=(
            *(node_binary(), script, "--port", str(ports.anvil)),
            *("--hardfork", "amsterdam", "--block-time", "1"),
        ),
        env=emulators.base_environment(state),
        cwd=CHECKOUT,
        ready=chain_ready(http, f"http://{HOST}:{ports.anvil}"),
        restart=False,
    )


@dataclass(frozen=True, slots=True)
class Harness:
    """A line, one of its users who never minted, and its chain."""

    info: dict[str, Any]
    user: User
    node: Node
    rpc: Rpc

    async def receipts(self) -> list[tuple[dict[str, Any], Receipt]]:
        """Return all transactions with their receipts, in the chain's order."""
        receipts = []
        for number in range(await self.node.block_number() + 1):
            block = await self.rpc.call("eth_getBlockByNumber", [hex(number), True])
            for sent in block["transactions"]:
                receipt = await self.node.receipt(bytes.fromhex(sent["hash"][2:]))
                assert receipt is not None
                receipts.append((sent, receipt))
        return receipts


@pytest.fixture
async def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Harness]:
    monkeypatch.setattr(emulators, "anvil", amsterdam)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(running_stack(tmp_path, ports="free"))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        # EthereumJS takes seconds to estimate a large batch, and more beside other tests.
        rpc = Rpc([running.info["rpc_url"]], timeout=60.0)
        stack.push_async_callback(rpc.aclose)
        (token,) = await sign_in_new(running.info, count=1)
        yield Harness(running.info, User(session, running.info["api_url"], token), Node(rpc), rpc)


async def test_line__when_the_chain_prices_new_state__then_a_new_user_mints_and_everything_else_works(
    harness: Harness,
) -> None:
    contract = harness.info["contract"]
    first = await harness.user.until((await harness.user.mint("the first"))["mint_id"], "finalized")
    second = await harness.user.until((await harness.user.mint("the second"))["mint_id"], "finalized")

    admin = Deployer(harness.node, NodeAccount(harness.rpc, harness.info["admin_address"]))
    await batch_and_transfer(admin, contract)

    _, reconciled = await reconcile.settled(target_of_local_stack(harness.info), patience=60)
    assert reconciled.differences == []
    sent = await harness.receipts()
    assert all(receipt.status for _, receipt in sent)
    wallet = first["to"].lower()
    collection, factory, implementation, multi_token = [
        receipt for body, receipt in sent if body["to"] is None
    ]
    [top_up] = [(body, receipt) for body, receipt in sent if body["to"] == wallet]
    redeemed = [r for body, r in sent if body["from"] == wallet and body["to"] == contract.lower()]
    assert implementation.gas_used > collection.gas_used > factory.gas_used > 6_000_000
    assert multi_token.gas_used > factory.gas_used
    assert int(top_up[0]["gas"], 16) > top_up[1].gas_used == 21_000 + NEW_ACCOUNT
    assert [r.gas_used > 150_000 for r in redeemed] == [True, True]
    assert first["token_id"] != second["token_id"]


async def batch_and_transfer(admin: Deployer, contract: str) -> None:
    """Mint to a hundred new holders and to the administrator, who sends a token on to a newcomer."""
    newcomers = [to_checksum_address(keccak256(b"%d" % number)[12:]) for number in range(BATCH)]
    first = 10**6
    mints = [(first + n, to, keccak256(b"%d" % n)) for n, to in enumerate([*newcomers, admin.admin])]
    grant = encode(["bytes32", "address"], [RELAYER_ROLE, admin.admin])
    await admin.send(Step(to=contract, data=selector("grantRole(bytes32,address)") + grant))
    await admin.send(Step(to=contract, data=mint_batch_calldata(mints)))
    stranger = to_checksum_address(keccak256(b"a stranger")[12:])
    data = transfer_calldata(sender=admin.admin, to=stranger, token_id=first + BATCH)
    await admin.send(Step(to=contract, data=data))
