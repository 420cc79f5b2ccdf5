"""What DynamoDB bills for writing, in write units: measured from the items themselves, before and after.

The rules are those of the developer guide: "DynamoDB item sizes and formats", "DynamoDB read and write
operations", "Provisioned throughput considerations for Global Secondary Indexes", and "Capacity
management for transactions". A write takes a unit for each kilobyte of the larger of the item before and
after, even if its condition fails, and twice as much within a transaction. An index whose entry changes is
written on its own, after the transaction.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

from aiohttp import web

from mintline.resource_types import Index, Key, Table
from mintline.resources import TABLES
from mintline_harness.chaos.proxy import FaultProxy, Weather, refusal

Attributes: TypeAlias = Mapping[str, Any]
"""An item, or its key, in DynamoDB's JSON."""

KILOBYTE = 1024
_NESTED = 3
"""Bytes of a list or map itself; each of its members takes one more."""
_TARGET = "DynamoDB_20120810."
_THROTTLED = "ProvisionedThroughputExceededException"
_SINGLE = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_TABLE_OF_STATEMENT = re.compile(r'(?:INTO|UPDATE|FROM) "([^"]+)"')
_INSERTED = re.compile(r"'([^']+)': \?")


def item_size(attributes: Attributes) -> int:
    """Return an item's size in bytes: of its attributes' names and values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in attributes.items())


def _value_size(attribute: Any) -> int:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            text: str = value
            return len(text.encode())
        case "N":
            digits: str = value.lstrip("-")
            return math.ceil(len(digits) / 2) + 1
        case "B":
            return len(base64.b64decode(value))
        case "M":
            return _NESTED + item_size(value) + len(value)
        case "L":
            return _NESTED + sum(_value_size(member) + 1 for member in value)
        case "BOOL" | "NULL":
            return 1
    raise ValueError(f"the size of a {kind} is not known here")


def units(size: int) -> int:
    """Return the write units of so many bytes: an item that is absent takes one too."""
    return max(1, math.ceil(size / KILOBYTE))


@dataclass(frozen=True, slots=True)
class KeyWrite:
    """What one write costs one partition key."""

    name: str
    """The table's, or `table/index`."""
    partition: str
    """The partition key's value."""
    units: int


def cost(
    table: Table, before: Attributes | None, after: Attributes | None, *, transactional: bool = False
) -> Counter[str]:
    """Return what one write costs, by the table's name, and `table/index` for each index that it changes."""
    units: Counter[str] = Counter()
    for write in key_writes(table, before or after or {}, before, after, transactional=transactional):
        units[write.name] += write.units
    return units


def key_writes(
    table: Table,
    key: Attributes,
    before: Attributes | None,
    after: Attributes | None,
    *,
    transactional: bool = False,
) -> Iterator[KeyWrite]:
    """Yield what one write of an item costs each partition key: the table's, and those of its indexes."""
    size = max(item_size(before or {}), item_size(after or {}))
    yield KeyWrite(table.name, _value(key, table.partition), units(size) * (2 if transactional else 1))
    for index in table.indexes:
        for entry, written in _index_entries(table, index, before, after):
            yield KeyWrite(f"{table.name}/{index.name}", _value(entry, index.partition), units(written))


def _value(attributes: Attributes, key: Key) -> str:
    return str(next(iter(attributes[key.name].values()))) if key.name in attributes else ""


def _index_entries(
    table: Table, index: Index, before: Attributes | None, after: Attributes | None
) -> Iterator[tuple[Attributes, int]]:
    """Yield the entries of an index that are written, and how many bytes each write has."""
    old, new = _entry(table, index, before), _entry(table, index, after)
    if old == new:
        return
    keys = (index.partition.name, *((index.sort.name,) if index.sort else ()))
    if old is not None and new is not None and all(old[key] == new[key] for key in keys):
        yield new, max(item_size(old), item_size(new))
        return
    for entry in (old, new):
        if entry is not None:
            yield entry, item_size(entry)


def _entry(table: Table, index: Index, item: Attributes | None) -> Attributes | None:
    """Return an item's entry in an index; None if it has none, as it lacks one of the index's keys."""
    keys = [key.name for key in (index.partition, index.sort) if key is not None]
    if item is None or any(key not in item for key in keys):
        return None
    if not index.keys_only:
        return item
    keys += [key.name for key in (table.partition, table.sort) if key is not None]
    return {name: item[name] for name in keys}


class WriteMeter(FaultProxy):
    """Passes requests on to an AWS emulator, and counts the write units of those that write.

    Writes go one at a time, so that what is read before and after each of them is what it did.
    """

    def __init__(self, upstream: str, *, prefix: str) -> None:
        super().__init__(upstream, Weather())
        self._tables = {table.table_name(prefix): table for table in TABLES}
        self._writing = asyncio.Lock()
        self.units: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        """How many writes there were of each table."""

    async def _through(self, request: web.Request) -> web.StreamResponse:
        target = request.headers.get("x-amz-target", "")
        if not target.startswith(_TARGET):
            return await super()._through(request)
        body = json.loads(await request.read())
        written = list(written_by(target.removeprefix(_TARGET), body, self._tables))
        if not written:
            return await super()._through(request)
        transactional = target == f"{_TARGET}TransactWriteItems"
        async with self._alone(written):
            before = [await self._read(request, table, key) for table, key in written]
            throttled = self._throttled(written, before)
            if any(throttled):
                return _cancelled(throttled) if transactional else refusal(400, _THROTTLED)
            response = await super()._through(request)
            for (table, key), old in zip(written, before, strict=True):
                new = await self._read(request, table, key)
                self.writes[table.name] += 1
                for write in key_writes(table, key, old, new, transactional=transactional):
                    self._count(write)
        return response

    def _alone(self, _written: Sequence[tuple[Table, Attributes]]) -> AbstractAsyncContextManager[Any]:
        """Return what keeps other writes out while some items are written."""
        return self._writing

    def _throttled(
        self, written: Sequence[tuple[Table, Attributes]], _before: Sequence[Attributes | None]
    ) -> Sequence[bool]:
        """Tell for which of its writes a request is throttled instead of passed on; none is."""
        return [False] * len(written)

    def _count(self, write: KeyWrite) -> None:
        self.units[write.name] += write.units

    async def _read(self, request: web.Request, table: Table, key: Attributes) -> Attributes | None:
        """Read an item with the credentials of the request that writes it."""
        names = {of_prefix: name for name, of_prefix in self._tables.items()}
        headers = {
            name: request.headers[name] for name in ("authorization", "x-amz-date") if name in request.headers
        }
        headers |= {"x-amz-target": f"{_TARGET}GetItem", "content-type": "application/x-amz-json-1.0"}
        body = json.dumps({"TableName": names[table], "Key": key, "ConsistentRead": True})
        async with self._session.post(self.upstream, headers=headers, data=body) as response:
            response.raise_for_status()
            item: Attributes | None = (await response.json(content_type=None)).get("Item")
        return item


def _cancelled(throttled: Sequence[bool]) -> web.Response:
    """Return DynamoDB's error of a transaction of which some items are throttled, in a table on demand."""
    codes = ["ThrottlingError" if it_is else "None" for it_is in throttled]
    text = json.dumps(
        {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": f"Transaction cancelled, please refer cancellation reasons for specific reasons "
            f"[{', '.join(codes)}]",
            "CancellationReasons": [{"Code": code} for code in codes],
        }
    )
    return web.Response(status=400, text=text, content_type="application/x-amz-json-1.0")


def written_by(operation: str, body: Any, tables: Mapping[str, Table]) -> Iterator[tuple[Table, Attributes]]:
    """Yield the table and key of each item that a request writes."""
    if operation in _SINGLE:
        yield _keyed(tables[body["TableName"]], body.get("Key") or body["Item"])
    elif operation == "BatchWriteItem":
        for name, requests in body["RequestItems"].items():
            for (change,) in (request.values() for request in requests):
                yield _keyed(tables[name], change.get("Key") or change["Item"])
    elif operation == "TransactWriteItems":
        for (change,) in (item.values() for item in body["TransactItems"]):
            yield _keyed(tables[change["TableName"]], change.get("Key") or change["Item"])
    elif operation == "BatchExecuteStatement":
        for statement in body["Statements"]:
            yield from _named(statement, tables)
    elif operation == "ExecuteStatement":
        yield from _named(body, tables)


def _named(statement: Any, tables: Mapping[str, Table]) -> Iterator[tuple[Table, Attributes]]:
    """Yield the item that a PartiQL statement of ours writes, none if it reads."""
    text, parameters = statement["Statement"], statement.get("Parameters", [])
    if text.startswith("SELECT"):
        return
    matched = _TABLE_OF_STATEMENT.search(text)
    assert matched is not None
    table = tables[matched[1]]
    if text.startswith("INSERT"):
        yield _keyed(table, dict(zip(_INSERTED.findall(text), parameters, strict=True)))
        return
    begin = text.index(" WHERE ")
    values = {}
    for name in _key_names(table):
        place = text.index(f'"{name}" = ?', begin)
        values[name] = parameters[text.count("?", 0, place)]
    yield _keyed(table, values)


def _keyed(table: Table, attributes: Attributes) -> tuple[Table, Attributes]:
    return table, {name: attributes[name] for name in _key_names(table)}


def _key_names(table: Table) -> list[str]:
    return [key.name for key in (table.partition, table.sort) if key is not None]
