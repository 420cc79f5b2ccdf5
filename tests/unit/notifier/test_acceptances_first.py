"""Nothing is told of a mint before its acceptance, however late the change that has it is read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mintline.aws.records import to_item
from mintline.errors import Unavailable
from mintline.messages.parts import KeyRef
from mintline.records.operations import Attempt, Mint
from mintline.records.transactions import Transaction
from mintline.resources import MINTS, TRANSACTIONS
from mintline.states import MintStatus, TransactionState
from mintline_notifier.acceptances import SKEW_MS
from mintline_notifier.changes import Read, Shard
from mintline_notifier.follower import Follower
from mintline_notifier.positions import CHILDLESS_MS, REFRESH_MS, SETTLED_MS
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notifier.followers import follower
from mintline_testkit.notifier.tables import MemoryCursors, MemoryTables
from mintline_testkit.records import make_mint, make_transaction

CLIENT = "client"
RELAYER = KeyRef(address="0x" + "3" * 40, subject="relayer", chain_id=1, secret_id="relayer")
BOTH = ["mint.accepted", "mint.submitted"]


class Late(MemoryTables):
    """Tables whose stream of mints can fail, show nothing of late, or hide its last shard."""

    failing = showing_nothing = hiding_a_shard = False

    async def shards(self) -> Sequence[Shard]:
        shards = list(await super().shards())
        last = [shard for shard in shards if shard.table is MINTS][-1]
        return [shard for shard in shards if not (self.hiding_a_shard and shard is last)]

    async def read(self, shard: Shard, after: str | None) -> Read:
        if shard.table is MINTS and self.failing:
            raise Unavailable("the stream did not answer")
        if shard.table is MINTS and self.showing_nothing:
            return Read((), ended=False)
        return await super().read(shard, after)


class Pipeline:
    """A mint, its transaction, and who reads of them."""

    def __init__(self) -> None:
        self.tables, self.log, self.cursors = Late(), MemoryEventLog(), MemoryCursors()
        self._readers = 0

    async def reader(self) -> Follower:
        """Return another reader, which has begun."""
        self._readers += 1
        reader = follower(self.tables, self.log, self.cursors, owner=str(self._readers))
        await reader.poll()
        return reader

    def accept(self, *, asked_at: int | None = None) -> Mint:
        """Write a mint, which was asked for now, or at a time."""
        at = self.tables.now if asked_at is None else asked_at
        mint = make_mint(sub=CLIENT, client_id=CLIENT, custody="sponsored", chain_id=1, token_id=1, at=at)
        self.tables.put(MINTS, to_item(mint))
        return mint

    def build(self, mint: Mint, *, behind: int = 0) -> Transaction:
        """Write that a transaction carries the mint, by a builder's clock that is behind, in milliseconds."""
        now = self.tables.now - behind
        self.tables.put(MINTS, to_item(mint.evolve(status=MintStatus.BUILT, sender=RELAYER, nonce=0)))
        reserved = make_transaction(RELAYER, 0, kind="batch", operations=(mint.mint_id,), at=now)
        self.tables.put(TRANSACTIONS, to_item(reserved))
        return reserved

    def submit(self, reserved: Transaction) -> Transaction:
        """Write that the transaction is signed."""
        now = self.tables.now
        attempt = Attempt(tx_hash=bytes(32), max_fee_per_gas=10, max_priority_fee_per_gas=1, at=now)
        submitted = reserved.evolve(
            state=TransactionState.SUBMITTED, attempts=(attempt,), submitted_at=now, updated_at=now
        )
        self.tables.put(TRANSACTIONS, to_item(submitted))
        return submitted

    def mine(self, submitted: Transaction) -> None:
        """Write that the transaction is in a block."""
        now = self.tables.now
        block = {"block_number": 1, "block_hash": bytes(32), "tx_hash": bytes(32), "mined_at": now}
        mined = submitted.evolve(state=TransactionState.MINED, outcome="succeeded", updated_at=now, **block)
        self.tables.put(TRANSACTIONS, to_item(mined))

    def types(self) -> list[str]:
        """Return the types of the events so far."""
        return [event.type for event in self.log.all(CLIENT)]


async def poll(reader: Follower, tables: MemoryTables, *, seconds: int) -> None:
    for _ in range(seconds):
        tables.now += 1_000
        await reader.poll()


async def test_transaction__when_its_mint_is_in_a_shard_that_is_not_listed_yet__then_waits() -> None:
    line = Pipeline()
    reader = await line.reader()
    line.tables.hiding_a_shard = True
    line.tables.split(MINTS)
    line.submit(line.build(line.accept()))
    await poll(reader, line.tables, seconds=CHILDLESS_MS // 1_000 - 10)
    assert line.types() == []
    line.tables.hiding_a_shard = False
    await poll(reader, line.tables, seconds=REFRESH_MS // 1_000)
    assert line.types() == BOTH


async def test_transaction__when_the_stream_of_mints_shows_nothing__then_waits_until_it_must_have() -> None:
    line = Pipeline()
    reader = await line.reader()
    line.tables.showing_nothing = True
    line.submit(line.build(line.accept()))
    await poll(reader, line.tables, seconds=SETTLED_MS // 1_000)
    assert line.types() == []
    line.tables.showing_nothing = False
    await reader.poll()
    assert line.types() == BOTH


async def test_transaction__when_the_shard_before_its_mints_ended_long_ago__then_waits_for_the_next() -> None:
    line = Pipeline()
    reader = await line.reader()
    line.tables.split(MINTS)
    line.submit(line.build(line.accept()))
    line.tables.now += 3 * SETTLED_MS
    await reader.poll()
    assert line.types() == []
    await reader.poll()
    assert line.types() == BOTH


async def test_transaction__when_a_reader_died_before_it_had_read_a_new_shard__then_waits() -> None:
    line = Pipeline()
    reader = await line.reader()
    line.tables.split(MINTS)
    await reader.poll()
    line.tables.now += 2_000
    line.submit(line.build(line.accept()))
    line.tables.now += 2 * SETTLED_MS
    line.tables.failing = True
    with pytest.raises(Unavailable):
        await reader.poll()
    await reader.step_down()
    line.tables.failing = False
    reader = await line.reader()
    assert line.types() == []
    await reader.poll()
    assert line.types() == BOTH


async def test_transaction__when_its_mint_was_written_long_after_it_was_asked_for__then_waits() -> None:
    line = Pipeline()
    await (await line.reader()).step_down()
    line.tables.now += 1_000
    line.tables.showing_nothing = True
    line.submit(line.build(line.accept(asked_at=line.tables.now - 60_000)))
    reader = await line.reader()
    assert line.types() == []
    line.tables.showing_nothing = False
    await reader.poll()
    assert line.types() == BOTH


async def test_transaction__when_its_builders_clock_is_as_wrong_as_aws_allows__then_waits() -> None:
    line = Pipeline()
    await (await line.reader()).step_down()
    line.tables.showing_nothing = True
    line.submit(line.build(line.accept(), behind=15 * 60_000))
    reader = await line.reader()
    # Until now all changes of mints were told of, as far as this reader knows.
    await poll(reader, line.tables, seconds=2)
    assert line.types() == []
    line.tables.showing_nothing = False
    await reader.poll()
    assert line.types() == BOTH


async def test_transaction__when_it_was_reserved_long_before_this_reader_began__then_is_told_of_at_once() -> (
    None
):
    line = Pipeline()
    reader = await line.reader()
    submitted = line.submit(line.build(line.accept()))
    await reader.poll()
    line.tables.now += SKEW_MS + SETTLED_MS
    await reader.poll()
    await reader.step_down()
    line.mine(submitted)
    await line.reader()
    assert line.types() == [*BOTH, "mint.mined"]


async def test_transaction__when_this_reader_read_a_later_change_of_its_mint__then_is_told_of_at_once() -> (
    None
):
    line = Pipeline()
    reader = await line.reader()
    mint = line.accept()
    await reader.poll()
    await reader.step_down()
    line.submit(line.build(mint))
    await line.reader()
    assert line.types() == BOTH


async def test_transaction__when_the_stream_of_mints_ended_for_good__then_is_told_of_in_the_end() -> None:
    line = Pipeline()
    mint = line.accept()
    line.tables.lose_streams()
    line.tables.split(MINTS)
    line.tables.hiding_a_shard = True
    reader = await line.reader()
    line.submit(line.build(mint))
    await poll(reader, line.tables, seconds=CHILDLESS_MS // 1_000 - 10)
    assert line.types() == []
    await poll(reader, line.tables, seconds=(CHILDLESS_MS + 2 * REFRESH_MS) // 1_000)
    assert line.types() == ["mint.submitted"]
