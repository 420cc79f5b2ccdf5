"""What following costs: DynamoDB's requests for a mint, and the pace of a backfill."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from mintline.states import MintStatus

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

pytestmark = pytest.mark.integration

BLOCKS = 5
MINTS = 200


async def test_requests__when_blocks_hold_two_hundred_mints__then_stay_near_a_tenth_a_mint(
    harness: Harness,
) -> None:
    await harness.register()
    indexer = harness.indexer()
    while await indexer.poll():
        pass
    for block in range(BLOCKS):
        numbers = range(1 + block * MINTS, 1 + (block + 1) * MINTS)
        sent = [await harness.mint([number], harness.accounts[1], gas=130_000) for number in numbers]
        records = zip(sent, numbers, strict=True)
        await asyncio.gather(*(harness.submitted(tx_hash, f"mint_{number}") for tx_hash, number in records))
        await harness.mine()
    # More blocks than finality takes, so that what is counted includes finalizing every mint.
    before = Counter(harness.calls.counts())
    for _ in range(BLOCKS):
        await harness.mine()
        await indexer.poll()
    requests = Counter(harness.calls.counts()) - before
    mints = await harness.store.operations([f"mint_{number}" for number in range(1, 1 + BLOCKS * MINTS)])
    assert {mint.status for mint in mints.values()} == {MintStatus.FINALIZED}
    per_mint = requests.total() / (BLOCKS * MINTS)
    # A hundredth of them reads each mint's record, another its transaction's: by what both say the mint ends.
    assert per_mint <= 0.115, requests


@pytest.mark.parametrize("whole", [0, 5_000])
async def test_backfill__when_blocks_are_many__then_reads_hundreds_a_second(
    harness: Harness, whole: int
) -> None:
    await harness.mint(list(range(1, 101)), harness.accounts[1], gas=20_000_000)
    for _ in range(10):
        await harness.mine(100)
    await harness.register()
    indexer = harness.indexer(whole=whole)
    started = time.perf_counter()
    while await indexer.poll():
        pass
    spent = time.perf_counter() - started
    progress = await harness.store.load()
    assert progress is not None
    assert progress.collections == (harness.contract,)
    pace = progress.finalized.number / spent
    assert pace > 100
