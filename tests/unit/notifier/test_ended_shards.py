"""A shard that ends is followed by others, which are read at once."""

from __future__ import annotations

import pytest

from mintline.aws.records import to_item
from mintline.errors import Unavailable
from mintline.resources import MINTS, WALLETS
from mintline_notifier.changes import Read, Shard
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notifier.followers import follower
from mintline_testkit.notifier.tables import MemoryCursors, MemoryTables
from mintline_testkit.records import make_mint

ADDRESS = "0x" + "2" * 40


class Failing(MemoryTables):
    failing = False

    async def read(self, shard: Shard, after: str | None) -> Read:
        if self.failing and shard.table is WALLETS:
            raise Unavailable("a stream did not answer")
        return await super().read(shard, after)


async def test_children__when_the_round_that_read_their_parent_failed__then_are_read_in_the_next() -> None:
    tables, log = Failing(), MemoryEventLog()
    reader = follower(tables, log, MemoryCursors(), owner="one")
    await reader.poll()
    tables.split(MINTS)
    mint = make_mint(
        "mint_1",
        sub="user",
        client_id="client",
        chain_id=1,
        contract=ADDRESS,
        to=ADDRESS,
        custody="sponsored",
        token_id=1,
        at=tables.now,
    )
    tables.put(MINTS, to_item(mint))
    tables.failing = True
    with pytest.raises(Unavailable):
        await reader.poll()
    tables.failing = False
    await reader.poll()
    assert [event.type for event in log.all("client")] == ["mint.accepted"]
