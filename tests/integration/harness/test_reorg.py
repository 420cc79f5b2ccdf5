"""A reorg of the emulated chain, at the worst moments of its miner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mintline.chain.rpc import Rpc
from mintline.errors import Unavailable
from mintline_harness.chaos.reorg import ChainTorn, reorganise

MADE_MEANWHILE = 3
"""Blocks that the miner may add between the count and its rest: without room for them `first` would stay."""


@pytest.fixture
async def rpc(busy_anvil: str) -> AsyncIterator[Rpc]:
    rpc = Rpc([busy_anvil])
    await reach(rpc, 10)
    yield rpc
    await rpc.aclose()


async def number(rpc: Rpc) -> int:
    return int(await rpc.call("eth_blockNumber", []), 16)


async def reach(rpc: Rpc, height: int) -> None:
    for _ in range(200):
        if await number(rpc) >= height:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"no block {height} within 10 s")


@pytest.mark.parametrize("depth", [1, 3, 5])
async def test_reorganise__when_the_miner_is_busy__then_no_block_is_lost_and_the_chain_goes_on(
    rpc: Rpc, depth: int
) -> None:
    first = await number(rpc)
    before = await rpc.call("eth_getBlockByNumber", [hex(first), False])
    await reorganise(rpc, depth + MADE_MEANWHILE + (await number(rpc)) - first)
    after = await number(rpc)
    await reach(rpc, after + 1)
    blocks = [await rpc.call("eth_getBlockByNumber", [hex(height), False]) for height in range(after + 2)]
    assert None not in blocks
    assert [block["parentHash"] for block in blocks[1:]] == [block["hash"] for block in blocks[:-1]]
    assert blocks[first]["hash"] != before["hash"]


async def test_reorganise__when_it_takes_blocks_back__then_the_miner_rests(
    rpc: Rpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race itself is too rare to wait for."""
    heights: list[int] = []
    call = rpc.call

    async def slow(method: str, params: list[Any], **options: Any) -> Any:
        if method != "anvil_reorg":
            return await call(method, params, **options)
        begun = await number(rpc)
        await asyncio.sleep(0.3)
        heights.append(await number(rpc) - begun)
        return await call(method, params)

    monkeypatch.setattr(rpc, "call", slow)
    await reorganise(rpc, 3)
    assert heights == [0]


async def test_reorganise__when_the_emulator_loses_a_block__then_says_that_its_chain_is_torn(
    rpc: Rpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: set[str] = set()
    call = rpc.call

    async def forgetful(method: str, params: list[Any], **options: Any) -> Any:
        if method == "anvil_reorg":
            lost.add(hex(await number(rpc) - 1))
        if method == "eth_getBlockByNumber" and params[0] in lost:
            return None
        return await call(method, params, **options)

    monkeypatch.setattr(rpc, "call", forgetful)
    with pytest.raises(ChainTorn, match="has lost"):
        await reorganise(rpc, 3)


async def test_reorganise__when_the_reorg_fails__then_the_miner_works_again(
    rpc: Rpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = rpc.call

    async def failing(method: str, params: list[Any]) -> Any:
        if method == "anvil_reorg":
            raise Unavailable("no answer")
        return await call(method, params)

    monkeypatch.setattr(rpc, "call", failing)
    with pytest.raises(Unavailable):
        await reorganise(rpc, 3)
    await reach(rpc, await number(rpc) + 1)
