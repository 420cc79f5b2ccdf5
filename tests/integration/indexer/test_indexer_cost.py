"""What following costs: DynamoDB's requests for a mint, and the pace of a backfill."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from mintline.states import MintStatus

pytestmark = pytest.mark.integration

BLOCKS = 5
MINTS = 200


async def test_requests__when_blocks_hold_two_hundred_mints__then_stay_near_a_tenth_a_mint(
    line: Any,
) -> None:
    await line.register()
    indexer = line.indexer()
    while await indexer.poll():
        pass
    for block in range(BLOCKS):
        numbers = range(1 + block * MINTS, 1 + (block + 1) * MINTS)
        sent = [await line.mint([number], line.accounts[1], gas=130_000) for number in numbers]
        records = zip(sent, numbers, strict=True)
        await asyncio.gather(*(line.submitted(tx_hash, f"mint_{number}") for tx_hash, number in records))
        await line.mine()
    # More blocks than finality takes, so that what is counted includes finalizing every mint.
    before = Counter(line.calls.counts())
    for _ in range(BLOCKS):
        await line.mine()
        await indexer.poll()
    requests = Counter(line.calls.counts()) - before
    mints = await line.store.operations([f"mint_{number}" for number in range(1, 1 + BLOCKS * MINTS)])
    assert {mint.status for mint in mints.values()} == {MintStatus.FINALIZED}
    per_mint = requests.total() / (BLOCKS * MINTS)
    # A hundredth of them reads each mint's record, another its transaction's: by what both say the mint ends.
    assert per_mint <= 0.115, requests


@pytest.mark.parametrize("whole", [0, 5_000])
async def test_backfill__when_blocks_are_many__then_reads_hundreds_a_second(line: Any, whole: int) -> None:
    await line.mint(list(range(1, 101)), line.accounts[1], gas=20_000_000)
    for _ in range(10):
        await line.mine(100)
    await line.register()
    indexer = line.indexer(whole=whole)
    started = time.perf_counter()
    while await indexer.poll():
        pass
    spent = time.perf_counter() - started
    progress = await line.store.load()
    assert progress is not None
    assert progress.collections == (line.contract,)
    pace = progress.finalized.number / spent
    assert pace > 100
