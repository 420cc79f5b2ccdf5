"""How many queries a pass of the reconciler makes, which docs/aws-costs.md counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mintline.aws.dynamo import Page
from mintline.clock import UnixSeconds
from mintline.resource_types import Index, Table
from mintline_indexer.chain_port import Ref
from mintline_indexer.reconciler.reading import Range, Reader
from mintline_indexer.store_port import Progress
from mintline_testkit.constants import CHAIN_ID


class EmptyTables:
    """A DynamoDB without items that counts the queries of each index."""

    def __init__(self) -> None:
        self.queries: Counter[str] = Counter()

    async def query(self, table: Table, *, index: Index, **_asked: Any) -> Page:
        self.queries[f"{table.name}/{index.name}"] += 1
        return Page([], None)


async def test_pass__when_its_blocks_are_empty__then_each_takes_a_query_for_every_shard_of_two_tables() -> (
    None
):
    tables, nobody = EmptyTables(), object()
    dynamo: Any = tables
    chain: Any = nobody
    final = Ref(100, bytes(32), 0)
    progress = Progress(revision=1, writer="", head=final, finalized=final)

    reader = Reader(dynamo=dynamo, chain=chain, chain_id=CHAIN_ID, patience=9)
    async for _ in reader.books(progress, Range(41, 100), now=UnixSeconds(0)):
        pass

    assert tables.queries == {
        "mints/in_block": 60 * 8,
        "transactions/in_block": 60 * 8,
        "mints/open": 8,
        "transactions/open": 8,
    }
