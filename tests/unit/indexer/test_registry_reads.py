"""How often all registered contracts are read: rarely when there are many, and soon after one was changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from mintline_indexer.indexer import COLLECTIONS_AGE, COLLECTIONS_PER_SECOND, Indexer
from mintline_testkit.indexer.harness import Harness
from mintline_testkit.indexer.store import MemoryCollectionRegistry
from tests.unit.indexer.test_clones import ADDRESS, FACTORY, sent_for
from tests.unit.indexer.test_many_contracts import CONTRACTS

PERIOD = 300


@dataclass
class CountedRegistry(MemoryCollectionRegistry):
    """Counts how often it is read."""

    reads: int = 0

    async def known(self, *, finalized: int) -> Mapping[str, int]:
        self.reads += 1
        return await super().known(finalized=finalized)


def registered(count: int) -> tuple[Harness, CountedRegistry]:
    """Return an index whose contracts, a factory among them, are deployed in blocks to come."""
    harness = Harness()
    registry = CountedRegistry({**dict.fromkeys(CONTRACTS[:count], 10**9), FACTORY: 1, ADDRESS: 1})
    harness.collections = registry
    return harness, registry


async def rounds(harness: Harness, indexer: Indexer, seconds: float) -> None:
    for _ in range(round(seconds)):
        harness.time += 1
        await indexer.poll()


@pytest.mark.parametrize("count", [3, 1_000])
async def test_registry__when_nothing_is_deployed__then_reads_are_bounded_by_the_number_of_contracts(
    count: int,
) -> None:
    harness, registry = registered(count)
    harness.chain.mine()
    indexer = harness.start()
    await rounds(harness, indexer, COLLECTIONS_AGE)
    before = registry.reads

    await rounds(harness, indexer, PERIOD)

    reads = registry.reads - before
    assert reads * count <= PERIOD * COLLECTIONS_PER_SECOND
    interval = math.ceil(max(COLLECTIONS_AGE, (count + 2) / COLLECTIONS_PER_SECOND))
    assert reads >= PERIOD / interval - 1


@pytest.mark.parametrize("kind", ["deploy", "administer"])
async def test_registry__when_a_collection_is_deployed_or_changed__then_it_is_read_at_once(kind: str) -> None:
    harness, registry = registered(2_000)
    for _ in range(8):
        harness.chain.mine()
    indexer = harness.start()
    await rounds(harness, indexer, 3 * COLLECTIONS_AGE)
    assert ADDRESS in harness.progress.collections
    before = registry.reads

    harness.chain.mine([sent_for(harness, "deploy" if kind == "deploy" else "administer")])
    await rounds(harness, indexer, COLLECTIONS_AGE + 1)
    assert registry.reads == before + 1
    await rounds(harness, indexer, 2 * COLLECTIONS_AGE)
    assert registry.reads == before + 1, "once is enough"

    harness.chain.drop(1)
    harness.chain.mine()
    harness.chain.mine()
    await rounds(harness, indexer, COLLECTIONS_AGE + 1)
    assert registry.reads == before + 2, "a reorg may take it back"
