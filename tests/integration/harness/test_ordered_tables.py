"""The tables of the measurement of growth give the same pages as the emulator's."""

from __future__ import annotations

from typing import Any, cast

from mintline.aws.dynamo import Dynamo, Item, Page, Put
from mintline.aws.provision import open_clients
from mintline.resource_types import Index, Table
from mintline.resources import MINTS, TABLES, TOKENS
from mintline.settings import ServiceSettings
from mintline_harness.growth.ordered_tables import OrderedTables
from mintline_harness.growth.records import CONTRACT, HOUR, tokens, vouchers

CHAIN = 31337
OWNER = "0x" + "0a" * 20
NOW = 1_790_000_000_000
OWNED, OPEN = TOKENS.index("by_owner"), MINTS.index("open")
ITEMS: list[tuple[Table, Item]] = [
    *((TOKENS, item) for item in tokens(OWNER, 12, chain_id=CHAIN)),
    *((MINTS, item) for item in vouchers("user", 24, chain_id=CHAIN, now=NOW, age=HOUR)),
]


async def walk(dynamo: Dynamo, table: Table, index: Index, partition: str, **options: Any) -> list[Page]:
    """Return all pages of five of a partition."""
    pages: list[Page] = []
    start: Item | None = None
    while not pages or pages[-1].next is not None:
        page = await dynamo.query(table, index=index, partition=partition, limit=5, start=start, **options)
        pages.append(page)
        start = page.next
    return pages


async def everything(dynamo: Dynamo) -> list[Any]:
    """Return what every kind of reading gives."""
    owner = f"{CHAIN}#{OWNER}"
    key = str(ITEMS[6][1]["owned_key"])
    ids = [{"mint_id": item["mint_id"]} for table, item in ITEMS if table is MINTS]
    return [
        await walk(dynamo, TOKENS, OWNED, owner),
        await walk(dynamo, TOKENS, OWNED, owner, forward=False),
        await walk(dynamo, TOKENS, OWNED, owner, sort_begins=f"{CONTRACT}#"),
        await walk(dynamo, TOKENS, OWNED, owner, sort_begins="0xno"),
        await walk(dynamo, TOKENS, OWNED, owner, sort_from=key),
        await walk(dynamo, TOKENS, OWNED, owner, sort_between=(str(ITEMS[2][1]["owned_key"]), key)),
        *[await walk(dynamo, MINTS, OPEN, str(shard)) for shard in range(8)],
        await dynamo.get_each(MINTS, [*ids[:3], {"mint_id": "none"}]),
    ]


async def test_ordered_tables__when_they_hold_the_same__then_their_pages_are_the_emulators(
    aws_settings: ServiceSettings, aws_prefix: str
) -> None:
    ordered = Dynamo(cast("Any", OrderedTables(TABLES, aws_prefix)), aws_prefix)
    async with open_clients(aws_settings) as clients:
        emulated = Dynamo(clients.dynamodb, aws_prefix)
        for dynamo in (ordered, emulated):
            for failed in await dynamo.write_each([Put(table, item) for table, item in ITEMS]):
                assert failed is None
        expected = await everything(emulated)
        assert await everything(ordered) == expected
        assert len(expected[0]) == 3
        await emulated.aclose()
