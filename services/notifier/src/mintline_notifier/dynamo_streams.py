"""DynamoDB Streams as `ChangeStreams`.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html: each change is in its stream
once, changes of one item in the order of its writes, for 24 hours. A shard ends after some hours, and others
follow it, which name it as their parent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mintline.aws.dynamo import GONE, Item, decode_item
from mintline.aws.errors import error_code, translated
from mintline.errors import Unavailable
from mintline.resource_types import Table
from mintline.resources import MINTS
from mintline_notifier.changes import SOURCES, Change, Read, Shard, Trimmed
from mintline_notifier.deriving.operations import STEPPING, is_silent

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_dynamodbstreams import DynamoDBStreamsClient

PAGE = 1000
MORE = 100
"""Changes in one answer after which there are likely others: no answer says that it was the last."""
_TELLING = (*STEPPING, GONE)
_GONE = ("TrimmedDataAccessException", "ResourceNotFoundException")


class DynamoStreams:
    """The streams of the tables of one deployment, named by `prefix`."""

    def __init__(self, client: DynamoDBStreamsClient, tables: DynamoDBClient, prefix: str) -> None:
        self._client = client
        self._tables = tables
        self._prefix = prefix
        self._arns: dict[str, str] = {}
        self._iterators: dict[str, tuple[str | None, str]] = {}

    async def shards(self) -> Sequence[Shard]:
        """Return all shards; a table without a stream has none."""
        shards_by_table = await asyncio.gather(*(self._shards_of(table) for table in SOURCES))
        return [shard for shards in shards_by_table for shard in shards]

    async def read(self, shard: Shard, after: str | None) -> Read:
        """Return up to a thousand changes, or a megabyte of them."""
        position, iterator = self._iterators.pop(shard.name, (None, ""))
        if not iterator or position != after:
            iterator = await self._iterator(shard, after)
        try:
            with translated():
                response = await self._client.get_records(ShardIterator=iterator, Limit=PAGE)
        except ClientError as error:
            code = error_code(error)
            if code in _GONE:
                raise Trimmed(f"{shard.name}: {code}") from None
            if code == "ExpiredIteratorException":
                raise Unavailable(f"{shard.name}: {code}") from None
            raise
        changes = [_change(shard.table, record) for record in response["Records"]]
        following = response.get("NextShardIterator")
        if following:
            self._iterators[shard.name] = (changes[-1].number if changes else after, following)
        return Read(changes, ended=not following, more=len(changes) >= MORE)

    async def _iterator(self, shard: Shard, after: str | None) -> str:
        arguments: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if after is not None:
            arguments = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": after}
        try:
            with translated():
                response = await self._client.get_shard_iterator(
                    StreamArn=self._arns[shard.table.name], ShardId=shard.shard_id, **arguments
                )
        except ClientError as error:
            if error_code(error) in _GONE:
                raise Trimmed(f"{shard.name}: {error_code(error)}") from None
            raise
        return response["ShardIterator"]

    async def _shards_of(self, table: Table) -> list[Shard]:
        with translated():
            described = await self._tables.describe_table(TableName=table.table_name(self._prefix))
        # The latest: a table that lost its stream may have got another one since.
        arn = described["Table"].get("LatestStreamArn")
        if arn is None:
            return []
        if self._arns.get(table.name) != arn:
            self._arns[table.name] = arn
            self._iterators = {
                key: iterator for key, iterator in self._iterators.items() if not _of(key, table)
            }
        shards: dict[str, Shard] = {}
        start: dict[str, Any] = {}
        while True:
            with translated():
                response = await self._client.describe_stream(StreamArn=arn, **start)
            description = response["StreamDescription"]
            for shard in description["Shards"]:
                shards[shard["ShardId"]] = Shard(table, shard["ShardId"], shard.get("ParentShardId"))
            last = description.get("LastEvaluatedShardId")
            if not last:
                return _in_order(shards)
            start = {"ExclusiveStartShardId": last}


def _of(name: str, table: Table) -> bool:
    return name.startswith(f"{table.name}#")


def _in_order(shards: Mapping[str, Shard]) -> list[Shard]:
    """Return shards with parents before their children; a parent that is gone counts for none."""
    placed: dict[str, Shard] = {}

    def place(shard: Shard) -> None:
        if shard.shard_id in placed:
            return
        parent = shards.get(shard.parent or "")
        if parent is not None:
            place(parent)
        placed[shard.shard_id] = Shard(shard.table, shard.shard_id, parent.shard_id if parent else None)

    for shard in shards.values():
        place(shard)
    return list(placed.values())


def _change(table: Table, record: Any) -> Change:
    body = record["dynamodb"]
    old, new = body.get("OldImage"), body.get("NewImage")
    return Change(
        table=table,
        number=body["SequenceNumber"],
        at=int(body["ApproximateCreationDateTime"] * 1000),
        old=_item(_needed(old, new) if table is MINTS and old and new else old),
        new=_item(new),
    )


def _needed(old: Any, new: Any) -> Any:
    """Return what of an operation's image before a change is needed: half of the changes are no steps."""
    before, after = ({name: image[name] for name in _TELLING if name in image} for image in (old, new))
    return before if is_silent(decode_item(before), decode_item(after)) else old


def _item(image: Any) -> Item | None:
    """Return an item of a change; one that is marked as gone is none."""
    item = decode_item(image) if image else None
    return None if item is None or GONE in item else item
