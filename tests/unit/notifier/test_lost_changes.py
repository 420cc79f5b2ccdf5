"""What a stream lost is looked for until that succeeds; what could not be asked is not taken as read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mintline.aws.items import Item
from mintline.aws.records import to_item
from mintline.errors import Unavailable
from mintline.resource_types import Table
from mintline.resources import MINTS
from mintline_notifier.changes import Shard
from mintline_notifier.dynamo_streams import DynamoStreams
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notifier.followers import follower
from mintline_testkit.notifier.tables import MemoryCursors, MemoryTables
from mintline_testkit.records import make_mint


class Failing(MemoryTables):
    failing = False

    async def every(self, table: Table) -> AsyncIterator[Item]:
        if self.failing:
            raise Unavailable("the table did not answer")
        async for item in super().every(table):
            yield item


async def test_comparison__when_it_fails__then_is_made_again() -> None:
    tables, log = Failing(), MemoryEventLog()
    reader = follower(tables, log, MemoryCursors(), owner="one")
    tables.put(MINTS, to_item(make_mint("mint_1", sub="user", client_id="client", at=tables.now)))
    await reader.poll()
    tables.put(MINTS, to_item(make_mint("mint_2", sub="user", client_id="client", at=tables.now)))
    tables.lose_streams()
    tables.failing = True
    with pytest.raises(Unavailable):
        await reader.poll()
    tables.failing = False
    await reader.poll()
    assert [event.resource.id for event in log.all("client")] == ["mint_1", "mint_2"]


class Expiring:
    """A stream whose iterators have expired, until one is asked for again."""

    def __init__(self) -> None:
        self.iterators = 0

    async def get_shard_iterator(self, **_: Any) -> dict[str, Any]:
        self.iterators += 1
        return {"ShardIterator": str(self.iterators)}

    async def get_records(self, **arguments: Any) -> dict[str, Any]:
        if arguments["ShardIterator"] == "1":
            raise ClientError({"Error": {"Code": "ExpiredIteratorException"}}, "GetRecords")
        return {"Records": [], "NextShardIterator": "next"}


async def test_reading__when_an_iterator_has_expired__then_fails_once_and_asks_for_another() -> None:
    client: Any = Expiring()
    streams = DynamoStreams(client, client, "prefix")
    streams._arns[MINTS.name] = "arn"
    shard = Shard(MINTS, "shard-0")
    with pytest.raises(Unavailable):
        await streams.read(shard, "1")
    assert (await streams.read(shard, "1")).ended is False
    assert client.iterators == 2
