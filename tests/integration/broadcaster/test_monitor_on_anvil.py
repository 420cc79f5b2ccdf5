"""The running service against a real node that loses what it was given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mintline.messages import SignMint, decode
from mintline.resources import SIGN
from mintline_broadcaster.service import run

pytestmark = pytest.mark.integration


@asynccontextmanager
async def sweeping(line: Any) -> AsyncIterator[None]:
    """Run the service with the patience of a chain of one block a second; sign what it asks for."""
    quick = {"sweep_interval": 0.2, "look_after": 1.0, "stage_deadline": 3.0, "replace_after": 3}
    stop = asyncio.Event()
    service = asyncio.create_task(run(line.settings.model_copy(update=quick), stop))
    signer = asyncio.create_task(signing(line))
    try:
        yield
    finally:
        stop.set()
        signer.cancel()
        await service


async def signing(line: Any) -> None:
    while True:
        for received in await line.queues.receive(SIGN, wait=1):
            intent: Any = decode(received.body)
            await line.enqueue(line.sign(intent))
            await line.queues.delete(received)


async def submitted(line: Any, intents: list[SignMint]) -> None:
    """Put mints on record with their transactions, and nothing into the pool."""
    now = time.time_ns() // 1_000_000
    for intent in intents:
        await line.built(intent, created_at=now, updated_at=now)
        await line.broadcast(line.sign(intent), now=now)


async def test_watch__when_the_node_drops_its_pool__then_everything_is_mined_all_the_same(
    line: Any, eventually: Callable[..., Any]
) -> None:
    wallet = await line.wallet()
    intents = [line.mint_intent(wallet, nonce) for nonce in range(5)]
    await line.rpc.call("evm_setIntervalMining", [0])
    try:
        await submitted(line, intents)
        await line.rpc.call("anvil_dropAllTransactions", [])
    finally:
        await line.rpc.call("evm_setIntervalMining", [1])
    assert await line.node.transaction_count(wallet.address) == 0

    async def mined() -> bool:
        return bool(await line.node.transaction_count(wallet.address) == len(intents))

    async with sweeping(line):
        await eventually(mined)
    for intent in intents:
        [attempt] = (await line.mint(intent)).attempts
        assert await line.node.receipt(attempt.tx_hash) is not None


async def test_watch__when_a_nonce_was_lost_for_good__then_a_noop_lets_the_later_ones_in(
    line: Any, eventually: Callable[..., Any]
) -> None:
    wallet = await line.wallet()
    later = line.mint_intent(wallet, 2)
    await submitted(line, [later])

    async def mined() -> bool:
        return bool(await line.node.transaction_count(wallet.address) == 3)

    async with sweeping(line):
        await eventually(mined, 30)
    assert len((await line.mint(later)).attempts) == 1


async def test_watch__when_the_market_leaves_a_transaction_behind__then_a_dearer_one_is_mined(
    line: Any, eventually: Callable[..., Any]
) -> None:
    wallet = await line.wallet()
    intent = line.mint_intent(wallet, 0)
    await line.rpc.call("evm_setIntervalMining", [0])
    try:
        await submitted(line, [intent])
        await line.rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(40 * 10**9)])
        await line.rpc.call("anvil_mine", ["0x1"])
    finally:
        await line.rpc.call("evm_setIntervalMining", [1])
    assert await line.node.transaction_count(wallet.address) == 0

    async def mined() -> bool:
        return bool(await line.node.transaction_count(wallet.address) == 1)

    try:
        async with sweeping(line):
            await eventually(mined, 30)
    finally:
        # The chain is shared with tests that offer less.
        await line.rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(10**9)])
    attempts = (await line.mint(intent)).attempts
    assert len(attempts) >= 2
    receipts = [await line.node.receipt(attempt.tx_hash) for attempt in attempts]
    assert sum(receipt is not None for receipt in receipts) == 1
    assert await line.node.receipt(attempts[0].tx_hash) is None
