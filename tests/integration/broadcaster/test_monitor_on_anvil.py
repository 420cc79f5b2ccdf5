"""The running service against a real node that loses what it was given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mintline.messages.codec import decode
from mintline.messages.intents import SignMint
from mintline.resources import SIGN
from mintline_broadcaster.service import run

if TYPE_CHECKING:
    from tests.integration.broadcaster.conftest import Eventually, Harness

pytestmark = pytest.mark.integration


@asynccontextmanager
async def sweeping(harness: Harness) -> AsyncIterator[None]:
    """Run the service with the patience of a chain of one block a second; sign what it asks for."""
    quick = {"sweep_interval": 0.2, "look_after": 1.0, "stage_deadline": 3.0, "replace_after": 3}
    stop = asyncio.Event()
    service = asyncio.create_task(run(harness.settings.model_copy(update=quick), stop))
    signer = asyncio.create_task(signing(harness))
    try:
        yield
    finally:
        stop.set()
        signer.cancel()
        await service


async def signing(harness: Harness) -> None:
    while True:
        for received in await harness.queues.receive(SIGN, wait=1):
            intent: Any = decode(received.body)
            await harness.enqueue(harness.sign(intent))
            await harness.queues.delete(received)


async def submitted(harness: Harness, intents: list[SignMint]) -> None:
    """Put mints on record with their transactions, and nothing into the pool."""
    now = time.time_ns() // 1_000_000
    for intent in intents:
        await harness.built(intent, created_at=now, updated_at=now)
        await harness.broadcast(harness.sign(intent), now=now)


async def test_watch__when_the_node_drops_its_pool__then_everything_is_mined_all_the_same(
    harness: Harness, eventually: Eventually
) -> None:
    wallet = await harness.wallet()
    intents = [harness.mint_intent(wallet, nonce) for nonce in range(5)]
    await harness.rpc.call("evm_setIntervalMining", [0])
    try:
        await submitted(harness, intents)
        await harness.rpc.call("anvil_dropAllTransactions", [])
    finally:
        await harness.rpc.call("evm_setIntervalMining", [1])
    assert await harness.node.transaction_count(wallet.address) == 0

    async def mined() -> bool:
        return bool(await harness.node.transaction_count(wallet.address) == len(intents))

    async with sweeping(harness):
        await eventually(mined)
    for intent in intents:
        [attempt] = (await harness.mint(intent)).attempts
        assert await harness.node.receipt(attempt.tx_hash) is not None


async def test_watch__when_a_nonce_was_lost_for_good__then_a_noop_lets_the_later_ones_in(
    harness: Harness, eventually: Eventually
) -> None:
    wallet = await harness.wallet()
    later = harness.mint_intent(wallet, 2)
    await submitted(harness, [later])

    async def mined() -> bool:
        return bool(await harness.node.transaction_count(wallet.address) == 3)

    async with sweeping(harness):
        await eventually(mined, 30)
    assert len((await harness.mint(later)).attempts) == 1


async def test_watch__when_the_market_leaves_a_transaction_behind__then_one_with_higher_fees_is_mined(
    harness: Harness, eventually: Eventually
) -> None:
    wallet = await harness.wallet()
    intent = harness.mint_intent(wallet, 0)
    await harness.rpc.call("evm_setIntervalMining", [0])
    try:
        await submitted(harness, [intent])
        await harness.rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(40 * 10**9)])
        await harness.rpc.call("anvil_mine", ["0x1"])
    finally:
        await harness.rpc.call("evm_setIntervalMining", [1])
    assert await harness.node.transaction_count(wallet.address) == 0

    async def mined() -> bool:
        return bool(await harness.node.transaction_count(wallet.address) == 1)

    try:
        async with sweeping(harness):
            await eventually(mined, 30)
    finally:
        # The chain is shared with tests that offer less.
        await harness.rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(10**9)])
    attempts = (await harness.mint(intent)).attempts
    assert len(attempts) >= 2
    receipts = [await harness.node.receipt(attempt.tx_hash) for attempt in attempts]
    assert sum(receipt is not None for receipt in receipts) == 1
    assert await harness.node.receipt(attempts[0].tx_hash) is None
