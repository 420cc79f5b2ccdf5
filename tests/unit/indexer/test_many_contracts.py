"""However many contracts are followed, no write grows with their number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from mintline.clock import UnixMs
from mintline.eth import to_checksum_address
from mintline_indexer.backfill import RANGES
from mintline_indexer.chain_port import Ref
from mintline_indexer.dynamo_store import DynamoStore
from mintline_indexer.index_writer import IndexWriter
from mintline_indexer.indexer import COLLECTIONS_AGE
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import NO_CONTRACTS, Progress
from mintline_testkit.indexer.harness import Harness
from mintline_testkit.indexer.store import MemoryStore

CONTRACTS = [to_checksum_address(number.to_bytes(20, "big")) for number in range(1, 10_001)]
MOST = 100
"""DynamoDB's limit of a transaction."""
HEAD = Ref(9, b"\x07" * 32, 1)


class Recorder:
    """A Dynamo that keeps the transactions that it is asked for."""

    def __init__(self) -> None:
        self.transactions: list[list[Any]] = []

    async def transact(self, changes: list[Any]) -> None:
        self.transactions.append(changes)

    async def write(self, change: Any) -> None:
        self.transactions.append([change])


@dataclass(slots=True)
class RecordedStore(MemoryStore):
    """Tells a recorder what DynamoDB would have been asked for."""

    recorder: Any = field(default_factory=Recorder)

    async def commit(self, progress: Progress, contracts: Mapping[str, int | None] = NO_CONTRACTS) -> None:
        await super(RecordedStore, self).commit(progress, contracts)
        await DynamoStore(self.recorder, chain_id=1).commit(progress, contracts)


async def test_join__when_ten_thousand_contracts_join__then_each_transaction_has_room_for_its_part() -> None:
    store = RecordedStore()
    progress = Progress(revision=1, writer="w", head=HEAD, finalized=HEAD)
    await store.commit(progress)
    index_writer = await IndexWriter.open(
        store=store, progress=progress, metrics=Metrics(CollectorRegistry()), now=lambda: UnixMs(1)
    )

    await index_writer.join(CONTRACTS)

    assert (await store.load()) == index_writer.progress
    assert index_writer.progress.collections == tuple(sorted(CONTRACTS))
    transactions = store.recorder.transactions
    assert max(len(changes) for changes in transactions) <= MOST
    assert sum(len(changes) - 1 for changes in transactions) == len(CONTRACTS)
    assert max(len(repr(changes[0].item)) for changes in transactions) < 1_000


async def test_backfill__when_a_block_becomes_final_each_round__then_many_collections_are_followed() -> None:
    harness = Harness()
    indexer = harness.start("writer")
    for _ in range(20):
        harness.chain.mine()
    await indexer.poll()
    known = dict.fromkeys(CONTRACTS[: 3 * RANGES], 15)
    harness.collections.deployed.update(known)
    harness.time += COLLECTIONS_AGE

    for _ in range(20):
        harness.chain.mine()
        await indexer.poll()

    progress = await harness.store.load()
    assert progress is not None
    assert known.keys() <= set(progress.collections)
