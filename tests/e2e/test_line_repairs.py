"""The chain forgets, reorganises, or meets a user's change of mind: every mint still has one true end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mintline.chain.collection import decode_minted

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def minted(harness: Harness, mint: Any) -> int:
    """Return how many tokens the chain has of a mint's metadata."""
    head = await harness.node.block_number()
    logs = await harness.node.logs_range(0, head, [harness.info["contract"]])
    events = [event for log in logs if (event := decode_minted(log)) is not None]
    digests = ["0x" + event.metadata_digest.hex() for event in events]
    return digests.count(mint["metadata_digest"])


@asynccontextmanager
async def no_blocks(harness: Harness) -> AsyncIterator[None]:
    """Keep the chain where it is: what is sent stays in the node's pool."""
    await harness.rpc.call("evm_setIntervalMining", [0])
    try:
        yield
    finally:
        await harness.rpc.call("evm_setIntervalMining", [1])


async def pooled(harness: Harness, wallet: str, nonce: int) -> dict[str, Any]:
    """Return the transaction that waits in the node's pool under a nonce of a wallet."""
    pending = (await harness.rpc.call("txpool_content", []))["pending"]
    by_nonce = {sender.lower(): transactions for sender, transactions in pending.items()}[wallet]
    transaction: dict[str, Any] = by_nonce[str(nonce)]
    return transaction


async def test_mints__when_the_node_forgets_its_pool__are_sent_again_and_minted_once(
    harness: Harness, user: User
) -> None:
    first = await user.until((await user.mint("pays for the gas"))["mint_id"], "finalized")
    async with no_blocks(harness):
        accepted = [await user.mint(f"forgotten {number}") for number in range(5)]
        for mint in accepted:
            await user.until(mint["mint_id"], "submitted")
        await harness.rpc.call("anvil_dropAllTransactions", [])
    ended = [await user.until(mint["mint_id"], "finalized") for mint in accepted]
    assert [await minted(harness, mint) for mint in (first, *ended)] == [1] * 6
    assert [len(mint["attempts"]) for mint in ended] == [1] * 5


async def known_to_node(harness: Harness, tx_hash: str) -> None:
    """Wait until the node has a transaction, which is on record before it is sent."""
    async with asyncio.timeout(60):
        while True:
            if await harness.rpc.call("eth_getTransactionByHash", [tx_hash]) is not None:
                return
            await asyncio.sleep(0.1)


async def test_mint__when_a_reorg_drops_it__is_sent_again_under_the_same_nonce(
    harness: Harness, user: User
) -> None:
    await user.until((await user.mint("pays for it too"))["mint_id"], "finalized")
    async with no_blocks(harness):
        accepted = await user.mint("dropped by a reorg")
        before = await user.until(accepted["mint_id"], "submitted")
        await known_to_node(harness, before["tx_hash"])
        await harness.rpc.call("anvil_mine", ["0x1"])
        mined = await user.until(accepted["mint_id"], "mined")
        await harness.rpc.call("anvil_reorg", [1, []])
        await harness.rpc.call("anvil_dropAllTransactions", [])
        await user.until(accepted["mint_id"], "submitted")
    ended = await user.until(accepted["mint_id"], "finalized")
    assert await minted(harness, ended) == 1
    assert (ended["nonce"], ended["tx_hash"]) == (before["nonce"], mined["tx_hash"])
    assert ended["block_hash"] != mined["block_hash"]


async def test_mint__when_its_key_is_used_elsewhere__gets_another_nonce_and_keeps_its_token(
    harness: Harness, user: User
) -> None:
    await user.until((await user.mint("pays first"))["mint_id"], "finalized")
    wallet = (await user.client.wallets.get())["address"]
    async with no_blocks(harness):
        accepted = await user.mint("overtaken by a stranger")
        before = await user.until(accepted["mint_id"], "submitted")
        await harness.rpc.call("anvil_dropAllTransactions", [])
        await harness.rpc.call("anvil_impersonateAccount", [wallet])
        stranger = {"from": wallet, "to": wallet, "nonce": hex(before["nonce"]), "gas": hex(21_000)}
        await harness.rpc.call("eth_sendTransaction", [stranger])
        await harness.rpc.call("anvil_mine", ["0x1"])
        await harness.rpc.call("anvil_stopImpersonatingAccount", [wallet])
    ended = await user.until(accepted["mint_id"], "finalized")
    assert await minted(harness, ended) == 1
    assert (ended["nonce"], ended["token_id"]) == (before["nonce"] + 1, before["token_id"])


async def test_cancel__when_it_was_sent__ends_as_what_was_mined(harness: Harness, user: User) -> None:
    await user.until((await user.mint("pays as well"))["mint_id"], "finalized")
    async with no_blocks(harness):
        accepted = await user.mint("thought better of")
        submitted = await user.until(accepted["mint_id"], "submitted")
        response = await user.call("POST", f"/v1/mints/{accepted['mint_id']}/cancel")
        assert (response.status, response.body["status"]) == (202, "submitted")
        # The no-op, from the wallet to itself, takes the mint's place in the pool before the next block.
        wallet = (await user.client.wallets.get())["address"].lower()
        async with asyncio.timeout(30):
            while (await pooled(harness, wallet, submitted["nonce"]))["to"].lower() != wallet:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.1)
    ended = await user.until(accepted["mint_id"])
    assert (ended["status"], ended["problem"]["code"]) == ("rejected", "cancelled")
    assert await minted(harness, ended) == 0
    # The wallet goes on behind it.
    after = await user.until((await user.mint("but not of this one"))["mint_id"], "finalized")
    assert after["nonce"] == ended["nonce"] + 1
    late = await user.call("POST", f"/v1/mints/{after['mint_id']}/cancel")
    assert (late.status, late.body["code"]) == (409, "not-cancellable")


async def test_cancel__when_posted_amid_a_burst__leaves_every_mint_with_one_true_end(
    harness: Harness, user: User
) -> None:
    async def one(number: int) -> Any:
        accepted = await user.mint(f"cancelled at once {number}")
        await asyncio.sleep(0.05 * (number % 8))
        response = await user.call("POST", f"/v1/mints/{accepted['mint_id']}/cancel")
        assert response.status in (200, 202, 409), response
        ended = await user.until(accepted["mint_id"])
        assert ended["status"] == {200: "rejected", 409: "finalized"}.get(response.status, ended["status"])
        return ended

    ended = await asyncio.gather(*(one(number) for number in range(24)))
    for mint in ended:
        assert await minted(harness, mint) == (1 if mint["status"] == "finalized" else 0)
    last = await user.until((await user.mint("after all that"))["mint_id"], "finalized")
    wallet = (await user.client.wallets.get())["address"]
    assert await harness.node.transaction_count(wallet) == last["nonce"] + 1
