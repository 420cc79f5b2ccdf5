"""Pages of lists, and passes of the sweep, over tables of some size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from mintline.admin import process_registry
from mintline.aws.dynamo import Dynamo, Item
from mintline.aws.items import encode_item
from mintline.clock import unix_ms
from mintline.records.keys import token_key
from mintline.resource_types import Table
from mintline.resources import COLLECTIONS, MINTS, TABLES, TOKENS
from mintline_api.features.collections.store import DynamoCollections
from mintline_api.features.mints.store import DynamoMints
from mintline_api.features.pipeline.store import DynamoPipeline
from mintline_api.features.pipeline.use_cases import OLDEST
from mintline_api.features.tokens.store import DynamoIndex
from mintline_broadcaster.config import Patience
from mintline_broadcaster.dynamo import DynamoTransactionStore
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.sweep import Sweeper
from mintline_broadcaster.sweep_operations import RESTING_SECONDS
from mintline_harness.growth.costs import Cost, Meter
from mintline_harness.growth.ordered_tables import OrderedTables
from mintline_harness.growth.records import CONTRACT, HOUR, collections, tokens, vouchers

CHAIN_ID = 31337
PAGE = 100
PREFIX = "growth"
OWNER = "0x0001" + "0a" * 18
SUB = "user"
CREATOR = "client"
WRITTEN_AT_ONCE = 1_000
PER_COLLECTION = 100
"""Tokens for each collection of the client."""


async def filled(size: int) -> OrderedTables:
    """Return tables with so many tokens of an owner and open mints, and collections of a client."""
    tables = OrderedTables(TABLES, PREFIX)
    now = unix_ms()
    await _write(tables, TOKENS, tokens(OWNER, size, chain_id=CHAIN_ID))
    await _write(tables, COLLECTIONS, collections(CREATOR, max(1, size // PER_COLLECTION), chain_id=CHAIN_ID))
    await _write(tables, MINTS, vouchers(SUB, size, chain_id=CHAIN_ID, now=now, age=24 * HOUR))
    return tables


async def _write(tables: OrderedTables, table: Table, items: Iterable[Item]) -> None:
    name = table.table_name(PREFIX)
    requests: list[Any] = []
    for item in items:
        requests.append({"PutRequest": {"Item": encode_item(item)}})
        if len(requests) == WRITTEN_AT_ONCE:
            await tables.batch_write_item(RequestItems={name: requests})
            requests = []
    await tables.batch_write_item(RequestItems={name: requests})


async def pages(tables: OrderedTables, size: int) -> list[Cost]:
    """Return what pages of lists cost, first, in the middle and last."""
    dynamo, meter = Dynamo(cast("Any", tables), PREFIX), Meter(tables)
    index = DynamoIndex(dynamo, chain_id=CHAIN_ID)
    mints = DynamoMints(dynamo)
    created_by = DynamoCollections(dynamo, index, chain_id=CHAIN_ID)
    pipeline = DynamoPipeline(dynamo, chain_id=CHAIN_ID)

    async def owned(after: int) -> None:
        key = f"{CONTRACT}#{token_key(after)}" if after else None
        page = await index.tokens_of(OWNER, contract=None, limit=PAGE, after=key)
        assert len(page.items) == min(PAGE, size - after)

    async def created() -> None:
        page = await created_by.made_by(CREATOR, limit=PAGE, after=None)
        assert len(page.items) == min(PAGE, max(1, size // PER_COLLECTION))

    return [
        await meter.page("an owner's tokens, first page", lambda: owned(0)),
        await meter.page("an owner's tokens, in the middle", lambda: owned(size // 2)),
        await meter.page("an owner's tokens, last page", lambda: owned(size - PAGE)),
        await meter.page("a user's mints, first page", lambda: mints.ids_of(SUB, limit=PAGE, after=None)),
        await meter.page("a client's collections, first page", created),
        await meter.page(
            "the newest open mints (token ids)", lambda: mints.highest_token_id(CONTRACT, range(1, 1_000_000))
        ),
        await meter.page("the pipeline's oldest operations", lambda: pipeline.oldest_operations(OLDEST)),
    ]


class _NoMonitor:
    """There are no transactions to check."""

    async def check(self, *_: object, **__: object) -> None:
        raise AssertionError("no transaction is open")


async def sweeps(tables: OrderedTables, *, hours: float) -> list[Cost]:
    """Return what the sweep costs on its first pass, and in the hours that follow, by the hour."""
    clock = [int(unix_ms())]
    dynamo, meter = Dynamo(cast("Any", tables), PREFIX), Meter(tables)

    def sweeper() -> Sweeper:
        return Sweeper(
            store=DynamoTransactionStore(dynamo, chain_id=CHAIN_ID),
            chain=cast("Any", None),
            monitor=cast("Any", _NoMonitor()),
            outbox=cast("Any", None),
            chain_id=CHAIN_ID,
            patience=Patience(check_after=60, replace_after=3, stage_deadline=60),
            metrics=Metrics(process_registry()),
            now=lambda: clock[0],
        )

    measured = sweeper()

    async def later() -> None:
        for _ in range(int(hours * 3600 / RESTING_SECONDS)):
            clock[0] += RESTING_SECONDS * 1000
            await measured.sweep()

    first = await meter.once("the sweep, first pass", measured.sweep)
    after = await meter.once("the sweep, an hour after that", later, parts=hours)
    held = await meter.once("", sweeper().sweep, traced=True)
    return [Cost(first.name, first.requests, first.items_read, first.cpu_ms, held.peak_mb), after]


async def measure(sizes: Sequence[int], *, hours: float) -> dict[int, list[Cost]]:
    """Return the costs by how many records there are."""
    costs = {}
    for size in sorted(sizes):
        tables = await filled(size)
        costs[size] = [*await pages(tables, size), *await sweeps(tables, hours=hours)]
    return costs
