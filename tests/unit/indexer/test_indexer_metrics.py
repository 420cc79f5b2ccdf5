from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mintline.states import MintStatus
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import Attempted
from mintline_testkit.indexer.harness import Harness
from mintline_testkit.indexer.store import MemoryStore


class TimedStore(MemoryStore):
    """Attempts were written down at 1 s."""

    async def attempts(self, tx_hashes: Sequence[bytes]) -> dict[bytes, Attempted]:
        attempts = await super().attempts(tx_hashes)
        return {tx_hash: replace(attempt, at=1_000) for tx_hash, attempt in attempts.items()}


async def until_idle(indexer: Indexer) -> None:
    while await indexer.poll():
        pass


def counted(harness: Harness) -> tuple[Indexer, CollectorRegistry]:
    registry = CollectorRegistry()
    indexer = harness.start(store=harness.like(TimedStore))
    indexer._metrics = Metrics(registry)
    return indexer, registry


async def test_stages__when_a_mint_is_mined_and_final__time_each_from_the_one_before(
    harness: Harness,
) -> None:
    harness.record("mint_1", MintStatus.SUBMITTED)
    indexer, registry = counted(harness)
    harness.chain.mine()
    await until_idle(indexer)
    harness.chain.mine([harness.mint(1, mint_id="mint_1")])
    harness.time = 4.0
    await until_idle(indexer)
    for _ in range(5):
        harness.chain.mine()
    harness.time = 10.0
    await until_idle(indexer)
    await until_idle(indexer)

    def seconds(status: str) -> float | None:
        return registry.get_sample_value("mintline_stage_seconds_sum", {"status": status})

    assert seconds("mined") == 3.0
    assert seconds("finalized") == 6.0
    assert registry.get_sample_value("mintline_mints_total", {"status": "finalized"}) == 1


async def test_reorgs__when_blocks_are_read_again_for_a_new_contract__are_not_counted(
    harness: Harness,
) -> None:
    indexer, registry = counted(harness)
    with capture_logs() as logs:
        for _ in range(3):
            harness.chain.mine()
            await until_idle(indexer)
        harness.collections.deployed["0x" + "4" * 40] = harness.chain.mined[-1].block.number - 1
        harness.time += 10
        harness.chain.mine()
        await until_idle(indexer)
    assert [entry for entry in logs if entry["event"] == "blocks_undone"]
    assert registry.get_sample_value("mintline_indexer_reorg_depth_count") == 0


async def test_reopened__when_a_reorg_takes_a_mint_back__counts_it(harness: Harness) -> None:
    harness.record("mint_1", MintStatus.SUBMITTED)
    indexer, registry = counted(harness)
    harness.chain.mine()
    await until_idle(indexer)
    harness.chain.mine([harness.mint(1, mint_id="mint_1")])
    await until_idle(indexer)
    harness.chain.drop(1)
    harness.chain.mine()
    harness.chain.mine()
    await until_idle(indexer)
    assert registry.get_sample_value("mintline_indexer_reopened_mints_total") == 1
    assert registry.get_sample_value("mintline_indexer_reorg_depth_count") == 1


async def test_ages__when_the_chain_stands_still__grow_by_the_clock_and_are_logged_each_minute(
    harness: Harness,
) -> None:
    for _ in range(5):
        harness.chain.mine()
    harness.time = 1_010.0
    indexer = harness.start()

    def ages() -> list[float]:
        gauges = (indexer._metrics.head_age, indexer._metrics.finalized_age)
        return [next(iter(gauge.collect())).samples[0].value for gauge in gauges]

    assert ages() == [0, 0]
    with capture_logs() as logs:
        for _ in range(2):
            await until_idle(indexer)
            await until_idle(indexer)
            # The genesis is of second 1,000, a block follows each second, and three make one final.
            assert ages() == [harness.time - 1_005, harness.time - 1_002]
            harness.time += 70
    entries = [entry for entry in logs if entry["event"] == "index_position"]
    assert [(entry["lag_blocks"], entry["head_age"], entry["finalized_age"]) for entry in entries] == [
        (0, 5, 8),
        (0, 75, 78),
    ]
