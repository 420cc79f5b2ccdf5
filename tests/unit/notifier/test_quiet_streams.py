"""Streams in which nothing happens are seldom asked, and what they lost is looked for once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

from mintline.aws.items import Item
from mintline.aws.records import to_item
from mintline.messages.parts import KeyRef
from mintline.records.transactions import Transaction, TransactionKey
from mintline.records.wallets import Wallet
from mintline.resource_types import Table
from mintline.resources import MINTS, TRANSACTIONS, WALLETS
from mintline_notifier.changes import SOURCES, Read, Shard
from mintline_notifier.follower import Follower
from mintline_notifier.positions import LIVELY, QUIET_AMID_MS, QUIET_LOOKS, QUIET_MS
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notifier.followers import follower
from mintline_testkit.notifier.tables import MemoryCursors, MemoryTables
from mintline_testkit.records import make_mint, make_transaction

ALICE = KeyRef(address="0x" + "2" * 40, subject="alice", chain_id=1, secret_id="alice")


class CountedTables(MemoryTables):
    """Tables that count how often each is read."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: Counter[str] = Counter()
        self.scans: Counter[str] = Counter()
        self.reads: Counter[TransactionKey] = Counter()

    async def read(self, shard: Shard, after: str | None) -> Read:
        self.looks[shard.table.name] += 1
        return await super().read(shard, after)

    async def every(self, table: Table) -> AsyncIterator[Item]:
        self.scans[table.name] += 1
        async for item in super().every(table):
            yield item

    async def transaction(self, place: TransactionKey) -> Transaction | None:
        self.reads[place] += 1
        return await super().transaction(place)


async def _quiet(tables: CountedTables, log: MemoryEventLog) -> Follower:
    """Return a follower of streams in which nothing has happened for a while."""
    reader = follower(tables, log, MemoryCursors(), owner="one")
    for _ in range(QUIET_LOOKS):
        tables.now += 250
        await reader.poll()
    tables.looks.clear()
    return reader


async def test_idle_streams__when_time_passes__then_the_lively_alone_are_asked_each_time() -> None:
    tables = CountedTables()
    reader = await _quiet(tables, MemoryEventLog())
    looks = QUIET_MS // 250
    for _ in range(looks):
        tables.now += 250
        await reader.poll()
    lively = {table.name for table in LIVELY}
    assert tables.looks == {table.name: looks if table.name in lively else 1 for table in SOURCES}


async def test_quiet_stream__when_something_is_new_in_another__then_it_is_read_sooner() -> None:
    tables, log = CountedTables(), MemoryEventLog()
    reader = await _quiet(tables, log)
    wallet = Wallet(
        wallet_id="1#alice",
        sub="alice",
        chain_id=1,
        address=ALICE.address,
        secret_id="alice",
        ready=True,
        created_at=tables.now,
    )
    tables.put(WALLETS, to_item(wallet))
    tables.now += 250
    assert not await reader.poll()
    assert log.all("alice") == []
    tables.put(MINTS, to_item(make_mint("mint_1", sub="alice", at=tables.now)))
    tables.now += QUIET_AMID_MS
    assert await reader.poll()
    assert {event.type for event in log.all("alice")} == {"wallet.created", "mint.accepted"}


async def test_streams__when_all_are_lost_at_once__then_records_are_compared_once() -> None:
    tables, log, cursors = CountedTables(), MemoryEventLog(), MemoryCursors()
    reader = follower(tables, log, cursors, owner="one")
    transaction = make_transaction(ALICE, 0, operations=("mint_0", "mint_1", "mint_2"), at=tables.now)
    tables.put(TRANSACTIONS, to_item(transaction))
    for number in range(3):
        mint = make_mint(f"mint_{number}", sub="alice", sender=ALICE, nonce=0, at=tables.now)
        tables.put(MINTS, to_item(mint))
    await reader.poll()
    await reader.step_down()
    tables.now += 1_000
    tables.put(MINTS, to_item(make_mint("mint_3", sub="alice", at=tables.now)))
    tables.lose_streams()
    tables.reads.clear()
    reader = follower(tables, log, cursors, owner="two")
    await reader.poll()
    assert "mint_3" in {event.resource.id for event in log.all("alice")}
    assert set(tables.scans.values()) == {1}
    assert tables.reads == {transaction.key: 1}
