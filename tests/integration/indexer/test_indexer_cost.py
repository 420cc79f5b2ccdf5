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
BATCH = 250
BATCHES = 4
MOST_CPU = 0.002
"""Seconds of a processor for a token: far above the 0.0007 that it took, since processors differ."""


async def test_requests__when_blocks_hold_two_hundred_mints__then_stay_near_a_fifth_a_mint(
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
    # Three hundredths read the attempt, the mint and its transaction; four times a 25th writes the token, the
    # transfer, and the transaction, when it is mined and when it is final. A transaction of 100 costs double.
    assert per_mint <= 0.235, requests


async def test_block__when_it_holds_hundreds_of_sponsored_mints__then_few_requests_follow_each_other(
    harness: Harness,
) -> None:
    """What the indexer's own process spends on a token, the emulators' time left out."""
    await harness.register()
    indexer = harness.indexer()
    while await indexer.poll():
        pass
    sent = []
    for first in range(1, 1 + BATCHES * BATCH, BATCH):
        mints = harness.sponsored(range(first, first + BATCH), harness.accounts[1])
        tokens = [mint.token_id for mint in mints if mint.token_id is not None]
        tx_hash = await harness.mint(tokens, harness.accounts[1], gas=14_000_000)
        sent.append((tx_hash, mints))
    for tx_hash, mints in sent:
        await harness.carried(tx_hash, "batch", *mints)
    await harness.mine(BATCHES)
    before = Counter(harness.calls.counts())
    started = time.process_time()
    await indexer.poll()
    spent = time.process_time() - started
    requests = Counter(harness.calls.counts()) - before
    operations = await harness.store.operations([mint.mint_id for _, mints in sent for mint in mints])
    assert {mint.status for mint in operations.values()} == {MintStatus.MINED}
    tokens_written = BATCHES * BATCH
    print(f"{spent / tokens_written * 1000:.3f} ms of CPU a token, {requests}")  # noqa: T201 - a measurement
    assert requests.total() / tokens_written <= 0.12, requests
    assert spent / tokens_written <= MOST_CPU


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
