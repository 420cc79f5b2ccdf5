"""DynamoDB as typed items and changes: what comes in together goes out together.

======================  =============================  =====================================
Call                    Rides in                       Fails
======================  =============================  =====================================
`get`                   BatchGetItem (100)             alone
`write`, plain          BatchWriteItem (25)            alone
`write`, conditional    BatchExecuteStatement (25)     alone, with ConditionFailed
`write`, the rest       one PutItem, UpdateItem, …     alone, with ConditionFailed
`write_each`            as `write`, by full requests   alone: its error is returned
`transact`              TransactWriteItems             as a whole, with TransactionCancelled
======================  =============================  =====================================

An item that has the attribute `gone` is a marker that there is none: no read returns it.
A write whose item DynamoDB refuses for what it holds, such as its size, raises Unwritable, and alone.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mintline.aws import changes
from mintline.aws.changes import Change, Check, Clause, Delete, Put, Update
from mintline.aws.errors import error_code, refuses_record, translated, writing
from mintline.aws.items import Item, Value, decode_item, encode_item, encode_value
from mintline.aws.outcomes import ConditionFailed, Contended, Page, Reason, TransactionCancelled
from mintline.aws.partition_reads import PARTITIONS, QUERIES_AT_ONCE, read_partitions
from mintline.aws.throttles import THROTTLES
from mintline.aws.writes import ATTEMPTS, BackOff, Writes
from mintline.batcher import Batcher
from mintline.errors import Throttled, Unavailable, Unwritable
from mintline.resource_types import Index, Table

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

__all__ = [
    "Change",
    "Check",
    "Clause",
    "ConditionFailed",
    "Contended",
    "Delete",
    "Dynamo",
    "Item",
    "Page",
    "Put",
    "Reason",
    "TransactionCancelled",
    "Update",
    "Value",
    "decode_item",
    "encode_item",
]

READ_BATCH = 100
READS_AT_ONCE = 4
"""Full requests of one call of `get_each`: as many as callers of `get` have in flight."""
GONE = "gone"
"""The attribute of an item that stands for one that was deleted: a late write must not bring that back."""
TRANSACTION_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class _Key:
    table: Table
    key: Item

    def __post_init__(self) -> None:
        if "" in self.key.values():
            raise ValueError(f"an empty key of {self.table.name}")  # for it DynamoDB refuses the whole batch

    @property
    def id(self) -> tuple[Any, ...]:
        return changes.item_id(self.table, self.key)


class Dynamo:
    """The tables of one deployment, named by `prefix`.

    `linger` (seconds) is how long a request may wait for company while others are in flight.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        prefix: str,
        *,
        linger: float = 0.02,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._back_off = BackOff(sleep, rng or random.Random())  # noqa: S311 - jitter, not a secret
        self._gets: Batcher[_Key, Item | None] = Batcher(self._get_batch, max_items=READ_BATCH, linger=linger)
        self._writes = Writes(client, prefix, linger=linger, back_off=self._back_off)

    async def get(self, table: Table, key: Item) -> Item | None:
        """Return an item as of now (a consistent read), or None."""
        return await self._gets.submit(_Key(table, key))

    async def get_each(self, table: Table, keys: Sequence[Item]) -> list[Item | None]:
        """Return items as of now, in the order of their keys: as `get`, full requests without waiting."""
        named = [_Key(table, key) for key in keys]
        full = len(named) - len(named) % READ_BATCH
        places = asyncio.Semaphore(READS_AT_ONCE)

        async def read(batch: Sequence[_Key]) -> Sequence[Item | BaseException | None]:
            async with places:
                return await self._get_batch(batch)

        batches = (read(named[start : start + READ_BATCH]) for start in range(0, full, READ_BATCH))
        rest, *parts = await asyncio.gather(asyncio.gather(*map(self._gets.submit, named[full:])), *batches)
        items: list[Item | None] = []
        for part in (*parts, rest):
            for item in part:
                if isinstance(item, BaseException):
                    raise item
                items.append(item)
        return items

    async def write(self, change: Put | Update | Delete) -> None:
        """Carry out one change; ConditionFailed, with the item as it was, if a clause does not hold."""
        await self._writes.write(change)

    async def write_each(self, batch: Sequence[Put | Update | Delete]) -> Sequence[BaseException | None]:
        """Carry out changes of different items, each by itself; return what each failed with, or None."""
        return await self._writes.write_each(batch)

    async def insert(self, put: Put) -> None:
        """Create an item; ConditionFailed, with the one that is there, if its key exists.

        Alone in its request, and with no more than the permission to insert, which overwrites nothing.
        """
        await self._writes.insert(put)

    async def update_returning(self, update: Update) -> Item:
        """Carry out an update and return the whole item as it is afterwards."""
        response = await self._writes.alone(update, ReturnValues="ALL_NEW")
        return decode_item(response["Attributes"])

    async def transact(self, batch: Sequence[Change], *, token: str | None = None) -> None:
        """Carry out up to 100 changes of different items, or none of them.

        Raises TransactionCancelled if a clause does not hold, Contended if other writers kept interfering,
        Throttled if DynamoDB still throttled one of its items, Unwritable for what an item holds, naming the
        changes if DynamoDB does.
        The same `token` (≤ 36 characters) within ten minutes makes a repetition harmless.
        """
        items: list[Any] = [
            {type(change).__name__ if not isinstance(change, Check) else "ConditionCheck": entry}
            for change, entry in zip(batch, changes.expressions(batch, self._prefix), strict=True)
        ]
        arguments: dict[str, Any] = {"TransactItems": items}
        if token is not None:
            arguments["ClientRequestToken"] = token
        throttle: str | None = None
        for attempt in range(TRANSACTION_ATTEMPTS):
            if throttle is None:
                await self._back_off.pause(attempt)
            elif not await self._back_off.before(attempt):
                break
            try:
                with writing():
                    await self._client.transact_write_items(**arguments)
            except ClientError as error:
                throttle = _throttle(error)
            else:
                self._back_off.succeeded()
                return
        if throttle is not None:
            raise Throttled(f"TransactWriteItems: {throttle}")
        raise Contended("the transaction kept meeting other writers")

    async def query(
        self,
        table: Table,
        *,
        index: Index | None = None,
        partition: Value,
        sort_begins: str | None = None,
        sort_from: Value | None = None,
        sort_between: tuple[Value, Value] | None = None,
        forward: bool = True,
        limit: int,
        start: Item | None = None,
    ) -> Page:
        """Return one page of a partition in sort-key order, consistent unless read from an index.

        `sort_from` leaves out what sorts before it, `sort_between` what is outside its first and last.
        """
        source = index or table
        names = {"#p": source.partition.name}
        values = {":p": encode_value(partition)}
        condition = "#p = :p"
        if sort_begins is not None and source.sort is not None:
            names["#s"] = source.sort.name
            values[":s"] = encode_value(sort_begins)
            condition += " AND begins_with(#s, :s)"
        if sort_from is not None and source.sort is not None:
            names["#s"] = source.sort.name
            values[":f"] = encode_value(sort_from)
            condition += " AND #s >= :f"
        if sort_between is not None and source.sort is not None:
            names["#s"] = source.sort.name
            values |= {":a": encode_value(sort_between[0]), ":z": encode_value(sort_between[1])}
            condition += " AND #s BETWEEN :a AND :z"
        arguments: dict[str, Any] = {
            "TableName": table.table_name(self._prefix),
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": forward,
            "Limit": limit,
            "ConsistentRead": index is None,
        }
        if index is not None:
            arguments["IndexName"] = index.name
        if start is not None:
            arguments["ExclusiveStartKey"] = encode_item(start)
        items: list[Item] = []
        while True:
            with translated():
                response = await self._client.query(**arguments)
            present = _present(response["Items"])
            items += present
            last = response.get("LastEvaluatedKey")
            if not last or len(present) == len(response["Items"]):
                return Page(items, decode_item(last) if last else None)
            # Markers took the place of items: what is missing of the page follows them.
            arguments |= {"Limit": limit - len(items), "ExclusiveStartKey": last}

    async def query_sparse(
        self, table: Table, *, index: Index, partitions: Sequence[Value], limit: int
    ) -> list[Item]:
        """Return all items of mostly empty partitions of an index, in no order.

        A partition that holds many is read by queries of `limit` items.
        """
        places = asyncio.Semaphore(READS_AT_ONCE)
        query_places = asyncio.Semaphore(QUERIES_AT_ONCE)

        async def whole(partition: Value) -> list[Item]:
            async with query_places:
                page = await self.query(table, index=index, partition=partition, limit=limit)
                items = page.items
                while (start := page.next) is not None:
                    page = await self.query(table, index=index, partition=partition, limit=limit, start=start)
                    items += page.items
            return items

        async def read(part: Sequence[Value]) -> list[Item]:
            async with places:
                items = await read_partitions(self._client, self._prefix, table, index=index, partitions=part)
            if items is None:
                return [item for items in await asyncio.gather(*map(whole, part)) for item in items]
            return items

        parts = (partitions[start : start + PARTITIONS] for start in range(0, len(partitions), PARTITIONS))
        return [item for items in await asyncio.gather(*map(read, parts)) for item in items]

    async def count(
        self, table: Table, *, index: Index, partition: Value, sort_begins: str, most: int
    ) -> tuple[int, bool]:
        """Return how many items of an index's partition have a sort key that begins so, at most `most`.

        With it comes whether there may be more. What is counted is read, and paid for, all the same.
        """
        assert index.sort is not None
        counted = 0
        start: dict[str, Any] = {}
        while counted < most:
            arguments: dict[str, Any] = {
                "TableName": table.table_name(self._prefix),
                "IndexName": index.name,
                "KeyConditionExpression": "#p = :p AND begins_with(#s, :s)",
                "ExpressionAttributeNames": {"#p": index.partition.name, "#s": index.sort.name},
                "ExpressionAttributeValues": {":p": encode_value(partition), ":s": encode_value(sort_begins)},
                "Select": "COUNT",
                "Limit": most - counted,
            }
            if start:
                arguments["ExclusiveStartKey"] = start
            with translated():
                response = await self._client.query(**arguments)
            counted += response["Count"]
            start = dict(response.get("LastEvaluatedKey") or {})
            if not start:
                return counted, False
        return counted, True

    async def scan(self, table: Table, *, limit: int, start: Item | None = None) -> Page:
        """Return one page of a whole table, in no order, by consistent reads."""
        arguments: dict[str, Any] = {
            "TableName": table.table_name(self._prefix),
            "Limit": limit,
            "ConsistentRead": True,
        }
        if start is not None:
            arguments["ExclusiveStartKey"] = encode_item(start)
        with translated():
            response = await self._client.scan(**arguments)
        last = response.get("LastEvaluatedKey")
        return Page(_present(response["Items"]), decode_item(last) if last else None)

    async def exists(self, table: Table) -> bool:
        """Tell whether there is such a table."""
        with translated():
            try:
                await self._client.describe_table(TableName=table.table_name(self._prefix))
            except ClientError as error:
                if error_code(error) != "ResourceNotFoundException":
                    raise
                return False
        return True

    async def ping(self, table: Table) -> None:
        """Check that DynamoDB answers and that the table is active: a readiness check."""
        with translated():
            described = await self._client.describe_table(TableName=table.table_name(self._prefix))
        if described["Table"]["TableStatus"] not in ("ACTIVE", "UPDATING"):
            raise Unavailable(f"table {table.name} is {described['Table']['TableStatus']}")

    async def aclose(self) -> None:
        """Send what is pending and wait for what is in flight."""
        await asyncio.gather(self._gets.aclose(), self._writes.aclose())

    async def _get_batch(self, keys: Sequence[_Key]) -> Sequence[Item | BaseException | None]:
        """Read each distinct key once; DynamoDB refuses a batch that names one twice."""
        requests: dict[str, Any] = {}
        for key in {key.id: key for key in keys}.values():
            table = requests.setdefault(
                key.table.table_name(self._prefix), {"Keys": [], "ConsistentRead": True}
            )
            table["Keys"].append(encode_item(key.key))
        tables = {key.table.table_name(self._prefix): key.table for key in keys}
        by_id: dict[tuple[Any, ...], Any] = {}
        for attempt in range(ATTEMPTS):
            if not await self._back_off.before(attempt):
                break
            with translated():
                response = await self._client.batch_get_item(RequestItems=requests)
            for name, items in response["Responses"].items():
                for attributes in items:
                    by_id[_id(tables[name], attributes)] = attributes
            requests = dict(response.get("UnprocessedKeys") or {})
            if not requests:
                self._back_off.succeeded()
                return [_decoded(by_id.get(key.id)) for key in keys]
        left = {_id(tables[name], key) for name, request in requests.items() for key in request["Keys"]}
        throttled = Throttled("BatchGetItem: unprocessed keys")
        return [throttled if key.id in left else _decoded(by_id.get(key.id)) for key in keys]


def _id(table: Table, attributes: Any) -> tuple[Any, ...]:
    return changes.item_id(table, decode_item(changes.key_of(table, attributes)))


def _decoded(attributes: Any) -> Item | None:
    # Once for each caller: items are mutable, and callers of one key must not share theirs.
    return decode_item(attributes) if attributes is not None and GONE not in attributes else None


def _present(items: Sequence[Any]) -> list[Item]:
    return [decode_item(attributes) for attributes in items if GONE not in attributes]


def _throttle(error: ClientError) -> str | None:
    """Return the code by which items of a transaction were throttled, None if others were writing them.

    Raises what became of a transaction that is not to be tried again.
    """
    if error_code(error) != "TransactionCanceledException":
        raise error
    reasons = _reasons(error)
    if any(reason.code == "ConditionalCheckFailed" for reason in reasons):
        raise TransactionCancelled(reasons) from None
    refused = [place for place, why in enumerate(reasons) if refuses_record(why.code, why.message)]
    if refused:
        raise Unwritable(f"TransactWriteItems: {reasons[refused[0]].message}", refused) from None
    codes = {reason.code for reason in reasons} - {"None", "TransactionConflict"}
    if not codes <= THROTTLES:
        raise error
    return min(codes, default=None)


def _reasons(error: ClientError) -> tuple[Reason, ...]:
    response: Any = error.response
    return tuple(
        Reason(
            reason.get("Code", "None"),
            decode_item(reason["Item"]) if reason.get("Item") else None,
            reason.get("Message") or "",
        )
        for reason in response.get("CancellationReasons", [])
    )
