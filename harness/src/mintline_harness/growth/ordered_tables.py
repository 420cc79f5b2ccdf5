"""DynamoDB's tables in this process, in the order of their keys: a page costs what is on it, as on AWS.

The emulator of the local stack looks at a whole partition for each page of it, so that with 100,000 items it
would measure itself. This speaks as much of the client as reading pages and records takes; it checks nothing.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from mintline.resource_types import Index, Table

PAGE_BYTES = 1_000_000
"""A page ends where it has so many bytes, whatever its limit (AWS's guide, "Paginating results")."""

Attributes: TypeAlias = Mapping[str, Mapping[str, Any]]
Position: TypeAlias = tuple[Any, ...]


class _Partitions:
    """A table or an index: the positions of its items, by partition, in order."""

    def __init__(self) -> None:
        self._places: defaultdict[Any, list[Position]] = defaultdict(list)
        self._unordered: set[Any] = set()

    def add(self, partition: Any, position: Position) -> None:
        """Put a position into a partition."""
        self._places[partition].append(position)
        self._unordered.add(partition)

    def remove(self, partition: Any, position: Position) -> None:
        """Take a position out of a partition."""
        self._places[partition].remove(position)

    def of(self, partition: Any) -> list[Position]:
        """Return the positions of a partition, in order."""
        if partition in self._unordered:
            self._places[partition].sort()
            self._unordered.discard(partition)
        return self._places.get(partition, [])


class OrderedTables:
    """A client of DynamoDB with tables of its own; counts requests, and the items that they read."""

    def __init__(self, tables: Iterable[Table], prefix: str) -> None:
        self._tables = {table.table_name(prefix): table for table in tables}
        self._items: dict[str, dict[Position, Attributes]] = {name: {} for name in self._tables}
        self._sources: dict[tuple[str, str | None], _Partitions] = {
            (name, index): _Partitions()
            for name, table in self._tables.items()
            for index in (None, *(index.name for index in table.indexes))
        }
        self.requests = 0
        self.items_read = 0

    async def batch_write_item(self, *, RequestItems: Mapping[str, Sequence[Any]]) -> dict[str, Any]:  # noqa: N803 - the client's own
        """Put items."""
        self.requests += 1
        for name, requests in RequestItems.items():
            for request in requests:
                self._put(name, request["PutRequest"]["Item"])
        return {}

    async def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803 - the client's own
        """Return items by their keys."""
        self.requests += 1
        responses: dict[str, list[Attributes]] = {}
        for name, request in RequestItems.items():
            places = [_position(self._tables[name], key) for key in request["Keys"]]
            there = self._items[name]
            responses[name] = [there[place] for place in places if place in there]
            self.items_read += len(responses[name])
        return {"Responses": responses}

    async def query(self, **arguments: Any) -> dict[str, Any]:
        """Return a page of a partition; of conditions it knows those that `Dynamo` writes."""
        self.requests += 1
        table = self._tables[arguments["TableName"]]
        index = None if "IndexName" not in arguments else table.index(arguments["IndexName"])
        places = self._between(arguments, table, index)
        items: list[Attributes] = []
        size = 0
        for place in places:
            items.append(self._items[arguments["TableName"]][_own(place, table)])
            size += len(json.dumps(items[-1], default=str))
            if len(items) == arguments["Limit"] or size > PAGE_BYTES:
                break
        self.items_read += len(items)
        shown = [_projected(item, table, index) for item in items]
        page: dict[str, Any] = {"Items": shown, "Count": len(shown)}
        if items and (len(items) == arguments["Limit"] or size > PAGE_BYTES):
            page["LastEvaluatedKey"] = _keys(items[-1], table, index)
        return page

    def _between(self, arguments: Mapping[str, Any], table: Table, index: Index | None) -> Sequence[Position]:
        values = {name: _value(value) for name, value in arguments["ExpressionAttributeValues"].items()}
        source = self._sources[arguments["TableName"], index.name if index else None]
        places = source.of(values.pop(":p"))
        first, last = 0, len(places)
        if ":s" in values:
            first = bisect_left(places, (values[":s"],))
            last = bisect_left(places, (values.pop(":s") + "\U0010ffff",))
        if ":f" in values:
            first = bisect_left(places, (values.pop(":f"),))
        if ":a" in values:
            first = bisect_left(places, (values.pop(":a"),))
            last = bisect_right(places, values.pop(":z"), key=lambda place: place[0])
        assert not values, f"a condition that is not known: {arguments['KeyConditionExpression']}"
        start = arguments.get("ExclusiveStartKey")
        if arguments["ScanIndexForward"]:
            if start is not None:
                first = max(first, bisect_right(places, _place(table, index, start)))
            return _Slice(places, range(first, last))
        if start is not None:
            last = min(last, bisect_left(places, _place(table, index, start)))
        return _Slice(places, range(last - 1, first - 1, -1))

    def _put(self, name: str, item: Attributes) -> None:
        table = self._tables[name]
        own = _position(table, item)
        before = self._items[name].get(own)
        self._items[name][own] = item
        for index in (None, *table.indexes):
            source = self._sources[name, index.name if index else None]
            for kept, change in ((before, source.remove), (item, source.add)):
                if kept is not None and _belongs(kept, index or table):
                    change(_value(kept[(index or table).partition.name]), _place(table, index, kept))


class _Slice(Sequence[Position]):
    """Some places of a partition, which are not copied."""

    def __init__(self, places: Sequence[Position], numbers: range) -> None:
        self._places = places
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, number: Any) -> Any:
        return self._places[self._numbers[number]]


def _value(attribute: Mapping[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    return int(value) if kind == "N" else value


def _belongs(item: Attributes, source: Table | Index) -> bool:
    return source.partition.name in item and (source.sort is None or source.sort.name in item)


def _position(table: Table, item: Attributes) -> Position:
    """Return what is an item's own: its partition and sort key."""
    return tuple(_value(item[key.name]) for key in (table.partition, table.sort) if key is not None)


def _place(table: Table, index: Index | None, item: Attributes) -> Position:
    """Return where an item is within its partition: by the sort key, and by its own key behind that."""
    sort = (index or table).sort
    return (*(() if sort is None else (_value(item[sort.name]),)), *_position(table, item))


def _own(place: Position, table: Table) -> Position:
    return place[-(1 if table.sort is None else 2) :]


def _keys(item: Attributes, table: Table, index: Index | None) -> dict[str, Any]:
    keys = [table.partition, table.sort, *((index.partition, index.sort) if index else ())]
    return {key.name: item[key.name] for key in keys if key is not None}


def _projected(item: Attributes, table: Table, index: Index | None) -> Attributes:
    return _keys(item, table, index) if index is not None and index.keys_only else item
