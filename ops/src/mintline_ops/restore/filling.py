"""Puts back into tables what their copies have and they lack, and on request what differs."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from mintline.aws.dynamo import GONE, Item, decode_item
from mintline.aws.errors import translated, writing
from mintline.errors import Misconfigured, Unavailable
from mintline.resource_types import Table
from mintline.resources import COLLECTIONS
from mintline_ops.restore.copies import copy_name

BATCH = 25
"""Items of a BatchWriteItem."""
TRIES = 8
COUNTER = "next_token_id"

Raw = Mapping[str, Any]
"""An item in DynamoDB's own form: it is put back as it was."""
RawKey = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """How a table differed from its copy: items it lacked, that differed, and that only it has.

    `missing` were put back, and `differing` were replaced if that was asked for. `expired` were not put back.
    """

    table: Table
    missing: int
    differing: int
    newer: int
    expired: int
    replaced: bool

    @property
    def due(self) -> int:
        """Items that had to be written."""
        return self.missing + (self.differing if self.replaced else 0)


@dataclass(frozen=True, slots=True)
class Filler:
    """Fills the tables of a deployment from their copies of one moment.

    `head` is the chain's newest block: a record of a later one is another chain's. Counters of token ids are
    moved on by `skip_ids` from where the copy has them, and never back. `now` is in Unix seconds.
    """

    client: Any
    prefix: str
    at: datetime
    replacing: Collection[Table]
    head: int
    skip_ids: int
    now: int
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def fill(self, table: Table, *, dry_run: bool) -> Filled:
        """Compare a table with its copy, and put back what is due; repeating it continues it.

        A digest of each of the table's items is kept in memory, about 200 bytes an item.
        """
        target = table.table_name(self.prefix)
        stored: dict[RawKey, bytes] = {}
        counters: dict[RawKey, int] = {}
        async for item in self._items(target):
            stored[_key(table, item)] = _digest(table, item)
            if (counter := _number(item, COUNTER)) is not None:
                counters[_key(table, item)] = counter
        counts = Counter[str]()
        due: list[Raw] = []
        async for copied in self._items(copy_name(table, self.prefix, self.at)):
            key = _key(table, copied)
            state = self._state(table, copied, stored.pop(key, None))
            counts[state] += 1
            if dry_run or not (state == "missing" or (state == "differing" and table in self.replacing)):
                continue
            due.append(self._to_write(copied, counters.get(key, 0)))
            if len(due) == BATCH:
                await self._write(target, due)
                due = []
        if due:
            await self._write(target, due)
        return Filled(
            table,
            missing=counts["missing"],
            differing=counts["differing"],
            newer=len(stored),
            expired=counts["expired"],
            replaced=table in self.replacing,
        )

    async def check_blocks(self, tables: Sequence[Table]) -> None:
        """Raise Misconfigured if the copy of one of these tables has a block that the chain does not have."""
        later = {
            "FilterExpression": "block_number > :head",
            "ExpressionAttributeValues": {":head": {"N": str(self.head)}},
        }
        for table in tables:
            async for item in self._items(copy_name(table, self.prefix, self.at), **later):
                block = _number(item, "block_number")
                raise Misconfigured(
                    f"{table.name} has a record of block {block}, and the chain's newest is {self.head}: "
                    "pass a node of the deployment's chain that is in step"
                )

    async def after(self, table: Table) -> AsyncIterator[Item]:
        """Yield the items that a table will have once it is filled, but for what has expired.

        Their keys are kept in memory.
        """
        names = [table.table_name(self.prefix), copy_name(table, self.prefix, self.at)]
        if table in self.replacing:
            names.reverse()
        seen: set[RawKey] = set()
        for name in names:
            async for item in self._items(name):
                key = _key(table, item)
                if key not in seen and not _has_expired(table, item, self.now):
                    seen.add(key)
                    yield decode_item(item)

    def _state(self, table: Table, copied: Raw, kept: bytes | None) -> str:
        if kept is not None:
            return "same" if kept == _digest(table, copied) else "differing"
        return "expired" if _has_expired(table, copied, self.now) else "missing"

    async def _items(self, name: str, **only: Any) -> AsyncIterator[Raw]:
        with translated():
            pages = self.client.get_paginator("scan").paginate(TableName=name, ConsistentRead=True, **only)
            async for page in pages:
                for item in page["Items"]:
                    yield item

    def _to_write(self, copied: Raw, counter: int) -> Raw:
        counted = _number(copied, COUNTER)
        if counted is None:
            return copied
        return {**copied, COUNTER: {"N": str(max(counted + self.skip_ids, counter))}}

    async def _write(self, name: str, items: Sequence[Raw]) -> None:
        left: dict[str, Any] = {name: [{"PutRequest": {"Item": item}} for item in items]}
        for attempt in range(TRIES):
            with writing():
                response = await self.client.batch_write_item(RequestItems=left)
            left = response.get("UnprocessedItems") or {}
            if not left:
                return
            await self.sleep(0.1 * 2**attempt)
        raise Unavailable(f"{name} is throttled: run it again, it continues")


def _key(table: Table, item: Raw) -> RawKey:
    names = [key.name for key in (table.partition, table.sort) if key is not None]
    return tuple(json.dumps(item[name], default=bytes.hex) for name in names)


def _digest(table: Table, item: Raw) -> bytes:
    """Return what two items have in common that are the same, wherever a collection's counter stands."""
    kept = {name: value for name, value in item.items() if table is not COLLECTIONS or name != COUNTER}
    return blake2b(json.dumps(kept, sort_keys=True, default=bytes.hex).encode(), digest_size=16).digest()


def _number(item: Raw, name: str) -> int | None:
    value = item.get(name, {}).get("N")
    return None if value is None else int(value)


def _has_expired(table: Table, item: Raw, now: int) -> bool:
    if GONE in item:
        return True
    expires = None if table.ttl is None else _number(item, table.ttl)
    return expires is not None and expires <= now
