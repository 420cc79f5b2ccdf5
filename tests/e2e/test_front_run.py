"""A stranger who sees a custodial mint in the pool and redeems its voucher first, at a higher fee."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from mintline.eth import GWEI, REDEEM_SELECTOR

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def seen_in_pool(harness: Harness, sender: str) -> Any:
    """Return the redemption of a wallet's that waits in the node's pool."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        pool = await harness.rpc.call("txpool_content", [])
        for address, waiting in pool["pending"].items():
            if address.lower() == sender.lower():
                for transaction in waiting.values():
                    if transaction["input"].startswith("0x" + REDEEM_SELECTOR.hex()):
                        return transaction
        await asyncio.sleep(0.01)
    raise AssertionError("the mint was never seen in the pool")


async def test_custodial_mint__when_a_stranger_redeems_its_voucher_first__then_the_user_has_the_token(
    harness: Harness, user: User
) -> None:
    await user.until((await user.mint("fills the wallet"))["mint_id"], "finalized")
    wallet = (await user.client.wallets.get())["address"]
    stranger = (await harness.rpc.call("eth_accounts", []))[6]
    await harness.rpc.call("evm_setIntervalMining", [0])
    try:
        accepted = await user.mint("watched in the pool")
        victim = await seen_in_pool(harness, wallet)
        copy = {
            "from": stranger,
            "to": victim["to"],
            "data": victim["input"],
            "gas": victim["gas"],
            "maxFeePerGas": hex(500 * GWEI),
            "maxPriorityFeePerGas": hex(100 * GWEI),
        }
        tx_hash = await harness.rpc.call("eth_sendTransaction", [copy])
        await harness.rpc.call("evm_mine", [])
    finally:
        await harness.rpc.call("evm_setIntervalMining", [1])

    receipts = [
        await harness.rpc.call("eth_getTransactionReceipt", [tx_hash])
        for tx_hash in (tx_hash, victim["hash"])
    ]
    assert [receipt["status"] for receipt in receipts] == ["0x1", "0x0"]
    final = await user.until(accepted["mint_id"], "finalized")
    assert (final["tx_hash"], final["problem"]) == (tx_hash, None)
    token: Any = await user.client.tokens.get(final["contract"], final["token_id"])
    assert (token["owner"], token["mint"]["mint_id"]) == (wallet, accepted["mint_id"])
