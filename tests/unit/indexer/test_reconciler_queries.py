"""How many partitions a pass of the reconciler reads, which docs/aws-costs.md counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mintline.aws.dynamo import Item, Page
from mintline.clock import UnixSeconds
from mintline.resource_types import Index, Table
from mintline_indexer.chain_port import Ref
from mintline_indexer.reconciler.reading import Range, Reader
from mintline_indexer.store_port import Progress
from mintline_testkit.constants import CHAIN_ID


class EmptyTables:
    """A DynamoDB without items that counts the partitions of each index that are read, and one by one."""

    def __init__(self) -> None:
        self.partitions: Counter[str] = Counter()
        self.queries: Counter[str] = Counter()

    async def query(self, table: Table, *, index: Index, **_asked: Any) -> Page:
        self.partitions[f"{table.name}/{index.name}"] += 1
        self.queries[f"{table.name}/{index.name}"] += 1
        return Page([], None)

    async def query_sparse(
        self, table: Table, *, index: Index, partitions: Sequence[str], **_asked: Any
    ) -> list[Item]:
        self.partitions[f"{table.name}/{index.name}"] += len(set(partitions))
        return []


async def test_pass__when_its_blocks_are_empty__then_every_shard_of_two_tables_is_read() -> None:
    tables, nobody = EmptyTables(), object()
    dynamo: Any = tables
    chain: Any = nobody
    final = Ref(100, bytes(32), 0)
    progress = Progress(revision=1, writer="", head=final, finalized=final)

    reader = Reader(dynamo=dynamo, chain=chain, chain_id=CHAIN_ID, patience=9)
    async for _ in reader.books(progress, Range(41, 100), now=UnixSeconds(0)):
        pass

    assert tables.partitions == {
        "mints/in_block": 60 * 8,
        "transactions/in_block": 60 * 8,
        "mints/open": 8,
        "transactions/open": 8,
    }
    assert tables.queries == {"mints/open": 8, "transactions/open": 8}
