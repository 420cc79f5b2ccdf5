"""Self-custody on the whole stack, by a wallet library from npm: link, mint, sign, finalized."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mintline.chain.calls import Call
from mintline.chain.collection import ISSUER_ROLE
from mintline.eth import address_word, selector, to_checksum_address

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).parent / "wallet" / "wallet.mjs"
CONTRACT_WALLETS = ROOT / "tests/integration/api/wallets/Wallets.sol"


async def run_node(*arguments: str) -> Any:
    """Run a script by Node, from PATH or from the environment, and return the JSON that it prints."""
    node = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert node is not None
    process = await asyncio.create_subprocess_exec(
        node, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return json.loads(output)


@dataclass(frozen=True, slots=True)
class ViemWallet:
    """A key in its user's hands, used by viem alone."""

    key: str = field(default_factory=lambda: "0x" + secrets.token_hex(32))

    async def do(self, command: str, **arguments: Any) -> Any:
        return await run_node(str(SCRIPT), command, json.dumps({"key": self.key, **arguments}))

    async def address(self) -> str:
        return str(await self.do("address"))


async def linked(harness: Harness, user: User, wallet: ViemWallet, *, ether: int = 1) -> str:
    """Link the wallet by a message that viem composed, fund it, and return its address."""
    address = await wallet.address()
    challenge = await user.client.wallets.challenge({"address": address})
    signed = await wallet.do("signIn", challenge=challenge)
    assert signed["message"] != challenge["message"]
    assert (await user.client.wallets.link(signed))["address"] == address
    await harness.rpc.call("anvil_setBalance", [address, hex(ether * 10**18)])
    return address


async def issued(user: User, name: str, **fields: Any) -> Any:
    """Ask for a mint by self-custody; one call gets the voucher."""
    body = {"metadata": {"name": name, "image": "https://example.com/1.png"}, "custody": "self", **fields}
    response = await user.call("POST", "/v1/mints", body, idempotency_key=name, prefer="wait=10")
    assert response.status == 202, response
    mint = response.body
    if mint["status"] != "issued":
        mint = await user.until(mint["mint_id"], "issued")
    return mint


async def test_self_custody__when_posted__then_viem_signs_what_the_api_gives_and_the_token_is_final(
    harness: Harness, user: User
) -> None:
    wallet = ViemWallet()
    address = await linked(harness, user, wallet)
    assert [item["address"] for item in (await user.client.wallets.links())["items"]] == [address]

    mint = await issued(user, "by my own wallet")
    own = mint["self_custody"]
    assert (mint["custody"], mint["to"], own["transaction"]["from"]) == ("self", address, address)
    issuer = await wallet.do("issuer", typedData=own["typed_data"], signature=own["voucher"]["signature"])
    calldata = selector("hasRole(bytes32,address)") + ISSUER_ROLE + address_word(issuer)
    assert int.from_bytes(await harness.node.call(Call(address, mint["contract"], calldata)), "big") == 1

    raw = await wallet.do("signTransaction", transaction=own["transaction"])
    path = f"/v1/mints/{mint['mint_id']}/transaction"
    posted = await user.call("POST", path, {"raw": raw}, prefer="wait=10")
    assert posted.status == 202, posted
    assert posted.body["status"] in {"submitted", "mined", "finalized"}

    final = await user.until(mint["mint_id"], "finalized")
    assert [attempt["tx_hash"] for attempt in final["attempts"]] == [final["tx_hash"]]
    token: Any = await user.client.tokens.get(mint["contract"], mint["token_id"])
    assert (token["owner"], token["mint"]["mint_id"]) == (address, mint["mint_id"])
    assert token["metadata_verified"] is True
    assert await harness.node.transaction_count(address) == 1


async def test_self_custody__when_the_wallet_sends_it_on_its_own__then_it_is_noticed(
    harness: Harness, user: User
) -> None:
    wallet = ViemWallet()
    address = await linked(harness, user, wallet)
    mint = await issued(user, "straight to the chain")

    tx_hash = await wallet.do(
        "send", transaction=mint["self_custody"]["transaction"], rpcUrl=harness.info["rpc_url"]
    )

    final = await user.until(mint["mint_id"], "finalized")
    assert (final["tx_hash"], final["attempts"]) == (tx_hash, [])
    assert final["timeline"]["submitted_at"] is None
    token: Any = await user.client.tokens.get(mint["contract"], mint["token_id"])
    assert (token["owner"], token["mint"]["mint_id"]) == (address, mint["mint_id"])


async def test_self_custody__when_the_wallet_is_empty__then_the_user_reads_why_and_can_try_again(
    harness: Harness, user: User
) -> None:
    wallet = ViemWallet()
    address = await linked(harness, user, wallet, ether=0)
    mint = await issued(user, "with no ether yet")
    raw = await wallet.do("signTransaction", transaction=mint["self_custody"]["transaction"])
    path = f"/v1/mints/{mint['mint_id']}/transaction"

    refused = await user.call("POST", path, {"raw": raw}, prefer="wait=10")
    assert (refused.status, refused.body["status"]) == (202, "issued")
    assert refused.body["problem"]["code"] == "insufficient_funds"

    await harness.rpc.call("anvil_setBalance", [address, hex(10**18)])
    current: Any = await user.client.mints.get(mint["mint_id"])
    fresh = current["self_custody"]["transaction"]
    higher = fresh | {"maxFeePerGas": hex(2 * int(fresh["maxFeePerGas"], 16))}
    again = await wallet.do("signTransaction", transaction=higher)
    await user.client.mints.hand_over(mint["mint_id"], again)
    final = await user.until(mint["mint_id"], "finalized")
    assert final["problem"] is None
    assert len(final["attempts"]) == 2


async def test_self_custody__when_the_wallet_is_a_contract__then_its_owner_links_it_and_anyone_redeems(
    harness: Harness, user: User
) -> None:
    owner = ViemWallet()
    compiled = await run_node("contracts/build.mjs", "--compile", str(CONTRACT_WALLETS))
    (code,) = (entry["bytecode"] for entry in compiled if entry["contractName"] == "OwnedWallet")
    stranger = (await harness.rpc.call("eth_accounts", []))[5]
    creation = {"from": stranger, "data": code + address_word(await owner.address()).hex()}
    receipt = await mined(harness, await harness.rpc.call("eth_sendTransaction", [creation]))
    address = to_checksum_address(receipt["contractAddress"])

    response = await user.call("POST", "/v1/wallet/links/challenges", {"address": address})
    assert response.status == 201, response
    challenge = response.body
    signature = await owner.do("personalSign", message=challenge["message"])
    stolen = await ViemWallet().do("personalSign", message=challenge["message"])
    refused = await user.call(
        "POST", "/v1/wallet/links", {"message": challenge["message"], "signature": stolen}
    )
    assert (refused.status, refused.body["code"]) == (422, "not-the-wallets-signature")
    link = await user.call(
        "POST", "/v1/wallet/links", {"message": challenge["message"], "signature": signature}
    )
    assert (link.status, link.body["kind"]) == (201, "contract"), link

    mint = await issued(user, "for a contract wallet")
    transaction = mint["self_custody"]["transaction"]
    assert "from" not in transaction
    call = {"from": stranger, "to": transaction["to"], "data": transaction["data"]}
    await mined(harness, await harness.rpc.call("eth_sendTransaction", [call]))
    await user.until(mint["mint_id"], "finalized")
    token: Any = await user.client.tokens.get(mint["contract"], mint["token_id"])
    assert token["owner"] == address


async def test_self_custody__when_another_users_wallet_signs__then_nothing_is_sent(
    harness: Harness, user: User
) -> None:
    await linked(harness, user, ViemWallet())
    mint = await issued(user, "not yours to send")
    raw = await ViemWallet().do("signTransaction", transaction=mint["self_custody"]["transaction"])

    response = await user.call("POST", f"/v1/mints/{mint['mint_id']}/transaction", {"raw": raw})

    assert (response.status, response.body["code"]) == (422, "transaction-mismatch")
    assert (await user.client.mints.get(mint["mint_id"]))["attempts"] == []


async def mined(harness: Harness, tx_hash: str) -> Any:
    for _ in range(100):
        receipt = await harness.rpc.call("eth_getTransactionReceipt", [tx_hash])
        if receipt is not None:
            assert receipt["status"] == "0x1"
            return receipt
        await asyncio.sleep(0.1)
    raise AssertionError(f"{tx_hash} was not mined")
