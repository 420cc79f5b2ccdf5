"""The real process, killed again and again while blocks come in and are undone."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from typing import TYPE_CHECKING

import pytest

from mintline.states import MintStatus

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

pytestmark = pytest.mark.integration

ROUNDS = 6
MINTS = 60


async def start(harness: Harness, endpoint: str, rpc_url: str) -> asyncio.subprocess.Process:
    settings = {
        "MINTLINE_AWS_ENDPOINT_URL": endpoint,
        "MINTLINE_RESOURCE_PREFIX": harness.prefix,
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


async def progress_at(harness: Harness, head: int, finalized: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        progress = await harness.store.load()
        # Before the collection is followed, the head may be there while its backfill is still being settled.
        if (
            progress is not None
            and progress.collections
            and (progress.head.number, progress.finalized.number) == (head, finalized)
        ):
            return
        assert time.monotonic() < deadline, progress
        await asyncio.sleep(0.05)


async def test_process__when_killed_at_any_moment__then_indexes_every_mint_once(
    harness: Harness, ministack: str, anvil_automine: str
) -> None:
    await harness.register()
    rng = random.Random(7)
    for attempt in range(ROUNDS):
        process = await start(harness, ministack, anvil_automine)
        try:
            for number in range(attempt * MINTS, (attempt + 1) * MINTS):
                await harness.submitted(
                    await harness.mint([number], harness.accounts[1], gas=130_000), f"m{number}"
                )
            await harness.mine()
            if attempt == ROUNDS // 2:
                # The transactions of the undone block are dropped, and stay submitted.
                await harness.rpc.call("anvil_reorg", [1, []])
            await asyncio.sleep(rng.uniform(0.0, 1.5))
        finally:
            process.kill()
            await process.wait()
    undone = set(range(ROUNDS // 2 * MINTS, (ROUNDS // 2 + 1) * MINTS))
    process = await start(harness, ministack, anvil_automine)
    try:
        await harness.mine(4)
        finalized = await harness.node.block("finalized")
        assert finalized is not None
        await progress_at(harness, await harness.node.block_number(), finalized.number)
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
    tokens = [int(item["token_id"]["S"]) for item in await harness.every("tokens")]
    assert sorted(tokens) == sorted(set(range(ROUNDS * MINTS)) - undone)
    assert len(await harness.every("transfers")) == len(tokens)
    mints = await harness.store.operations([f"m{number}" for number in range(ROUNDS * MINTS)])
    assert {mints[f"m{number}"].status for number in undone} == {MintStatus.SUBMITTED}
    assert {mints[f"m{number}"].status for number in tokens} == {MintStatus.FINALIZED}
