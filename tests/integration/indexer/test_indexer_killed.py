"""The real process, killed again and again while blocks come in and are undone."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from typing import Any

import pytest

from mintline.states import MintStatus

pytestmark = pytest.mark.integration

ROUNDS = 6
MINTS = 60


async def start(line: Any, endpoint: str, rpc_url: str) -> asyncio.subprocess.Process:
    settings = {
        "MINTLINE_AWS_ENDPOINT_URL": endpoint,
        "MINTLINE_RESOURCE_PREFIX": line.prefix,
        "MINTLINE_RPC_URLS": json.dumps([rpc_url]),
        "MINTLINE_CHAIN_ID": "31337",
        "MINTLINE_POLL_INTERVAL": "0.02",
        "MINTLINE_INSTANCE": "only",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mintline_indexer",
        env=os.environ | settings,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def progress_at(line: Any, head: int, finalized: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        progress = await line.store.load()
        # Before the collection is followed, the head may be there while its backfill is still being settled.
        followed = progress is not None and bool(progress.collections)
        if followed and (progress.head.number, progress.finalized.number) == (head, finalized):
            return
        assert time.monotonic() < deadline, progress
        await asyncio.sleep(0.05)


async def test_process__when_killed_at_any_moment__then_indexes_every_mint_once(
    line: Any, ministack: str, anvil_automine: str
) -> None:
    await line.register()
    rng = random.Random(7)
    for attempt in range(ROUNDS):
        process = await start(line, ministack, anvil_automine)
        try:
            for number in range(attempt * MINTS, (attempt + 1) * MINTS):
                await line.submitted(await line.mint([number], line.accounts[1], gas=130_000), f"m{number}")
            await line.mine()
            if attempt == ROUNDS // 2:
                # The transactions of the undone block are dropped, and stay submitted.
                await line.rpc.call("anvil_reorg", [1, []])
            await asyncio.sleep(rng.uniform(0.0, 1.5))
        finally:
            process.kill()
            await process.wait()
    undone = set(range(ROUNDS // 2 * MINTS, (ROUNDS // 2 + 1) * MINTS))
    process = await start(line, ministack, anvil_automine)
    try:
        await line.mine(4)
        finalized = await line.node.block("finalized")
        await progress_at(line, await line.node.block_number(), finalized.number)
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
    tokens = [int(item["token_id"]["S"]) for item in await line.every("tokens")]
    assert sorted(tokens) == sorted(set(range(ROUNDS * MINTS)) - undone)
    assert len(await line.every("transfers")) == len(tokens)
    mints = await line.store.operations([f"m{number}" for number in range(ROUNDS * MINTS)])
    assert {mints[f"m{number}"].status for number in undone} == {MintStatus.SUBMITTED}
    assert {mints[f"m{number}"].status for number in tokens} == {MintStatus.FINALIZED}
