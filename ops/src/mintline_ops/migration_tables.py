"""The tables that a migration moves page by page, and the record of how far it has come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from mintline.aws.dynamo import Dynamo, Item, Put
from mintline.errors import Unreadable
from mintline.messages.parts import KeyRef
from mintline.resource_types import Table
from mintline.resources import CHECKPOINTS

PAGE = 500
"""Items that are read, and written, between two notes of how far a step has come."""
RECORD: Item = {"chain": "migrations"}


class MigratedTables:
    """The tables, and the record of the step in hand."""

    def __init__(self, dynamo: Dynamo, record: Item, treasury: KeyRef) -> None:
        self.dynamo = dynamo
        self.treasury = treasury
        self._record = record

    async def pages(self, table: Table, move: Callable[[Sequence[Item]], Awaitable[int]]) -> int:
        """Hand a table to `move` by pages, from where an interrupted step stood; return how many it moved."""
        moved = 0
        while True:
            start = self._record.get("after")
            page = await self.dynamo.scan(table, limit=PAGE, start=start if isinstance(start, dict) else None)
            moved += await move(page.items)
            if page.next is None:
                return moved
            await self.note({**self._record, "after": page.next})

    async def note(self, record: Item) -> None:
        """Record how far the steps have come."""
        self._record = record
        await self.dynamo.write(Put(CHECKPOINTS, RECORD | record))


Step = Callable[[MigratedTables], Awaitable[int]]


async def move_each(tables: MigratedTables, table: Table, move: Callable[[Item], Awaitable[int]]) -> int:
    """Move the items of a table one by one: several may be about one nonce."""

    async def moved(items: Sequence[Item]) -> int:
        return sum([await move(item) for item in items])

    return await tables.pages(table, moved)


async def move_readable(tables: MigratedTables, table: Table, move: Callable[[Item], Awaitable[int]]) -> int:
    """Move the items of a table, those of a page at once; one that cannot be read stays."""

    async def move_if_readable(item: Item) -> int:
        with suppress(Unreadable):
            return await move(item)
        return 0

    async def moved(items: Sequence[Item]) -> int:
        return sum(await asyncio.gather(*map(move_if_readable, items)))

    return await tables.pages(table, moved)
