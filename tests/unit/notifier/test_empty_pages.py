"""AWS returns empty pages in mid-shard: one of them does not say that a shard was read to its end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mintline.aws.records import to_item
from mintline.errors import Unavailable
from mintline.messages.parts import KeyRef
from mintline.records.operations import Attempt
from mintline.resources import MINTS, TRANSACTIONS
from mintline.states import TransactionState
from mintline_notifier.changes import SOURCES, Read, Shard
from mintline_notifier.cursors import Cursor
from mintline_notifier.follower import IDLE_SAVE_MS, Follower
from mintline_notifier.positions import SETTLED_MS, TIP_LOOKS, TIP_MS
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notifier.followers import follower
from mintline_testkit.notifier.tables import MemoryCursors, MemoryTables
from mintline_testkit.records import make_mint, make_transaction

CLIENT = "client"
RELAYER = KeyRef(address="0x" + "3" * 40, subject="relayer", chain_id=1, secret_id="relayer")
BOTH = ["mint.accepted", "mint.submitted"]
HOUR_MS = 3_600_000


class Streams(MemoryTables):
    """Tables whose streams count what is read of them; that of mints can fail, also after its empty pages."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = dict.fromkeys((table.name for table in SOURCES), 0)
        self.failing = self.failing_once = False

    async def read(self, shard: Shard, after: str | None) -> Read:
        self.looks[shard.table.name] += 1
        fails = shard.table is MINTS and not self.empty_pages[MINTS.name]
        if fails and (self.failing or self.failing_once):
            self.failing_once = False
            raise Unavailable("the stream did not answer")
        return await super().read(shard, after)


class Pipeline:
    """A client's mint and its transaction, and readers of their streams."""

    def __init__(self) -> None:
        self.tables, self.log, self.cursors = Streams(), MemoryEventLog(), MemoryCursors()
        self._readers = 0

    def reader(self) -> Follower:
        self._readers += 1
        return follower(self.tables, self.log, self.cursors, owner=str(self._readers))

    def accept(self, name: str = "mint_1") -> None:
        mint = make_mint(name, sub=CLIENT, client_id=CLIENT, custody="sponsored", at=self.tables.now)
        self.tables.put(MINTS, to_item(mint))

    def submit(self, name: str = "mint_1") -> None:
        now = self.tables.now
        attempt = Attempt(tx_hash=bytes(32), max_fee_per_gas=10, max_priority_fee_per_gas=1, at=now)
        reserved = make_transaction(RELAYER, 0, kind="batch", operations=(name,), at=now)
        submitted = reserved.evolve(
            state=TransactionState.SUBMITTED, attempts=(attempt,), submitted_at=now, updated_at=now
        )
        self.tables.put(TRANSACTIONS, to_item(submitted))

    def types(self, name: str = "mint_1") -> Sequence[str]:
        return [event.type for event in self.log.all(CLIENT) if event.resource.id == name]


@pytest.fixture
async def pipeline() -> Pipeline:
    """Return streams that were read until now, by a reader that has gone."""
    pipeline = Pipeline()
    pipeline.accept("mint_0")
    reader = pipeline.reader()
    for _ in range(TIP_LOOKS):
        pipeline.tables.now += 1_000
        await reader.poll()
    await reader.step_down()
    return pipeline


async def test_transaction__when_a_reader_is_back_and_meets_empty_pages__then_its_mint_comes_first(
    pipeline: Pipeline,
) -> None:
    pipeline.accept()
    pipeline.submit()
    pipeline.tables.now += HOUR_MS
    pipeline.tables.empty_pages[MINTS.name] = TIP_LOOKS - 1
    await pipeline.reader().poll()
    assert pipeline.types() == BOTH


async def test_transaction__when_a_reader_that_kept_up_could_not_read__then_its_mint_comes_first(
    pipeline: Pipeline,
) -> None:
    reader = pipeline.reader()
    await reader.poll()
    pipeline.accept()
    pipeline.submit()
    pipeline.tables.now += 2 * SETTLED_MS
    pipeline.tables.failing_once = True
    with pytest.raises(Unavailable):
        await reader.poll()
    pipeline.tables.empty_pages[MINTS.name] = TIP_LOOKS - 1
    await reader.poll()
    assert pipeline.types() == BOTH


async def test_transaction__when_a_reader_that_kept_up_was_paused__then_its_mint_comes_first(
    pipeline: Pipeline,
) -> None:
    reader = pipeline.reader()
    await reader.poll()
    pipeline.accept()
    pipeline.submit()
    pipeline.tables.now += TIP_MS + 1
    pipeline.tables.empty_pages[MINTS.name] = TIP_LOOKS - 1
    await reader.poll()
    assert pipeline.types() == BOTH


async def test_cursor__when_nothing_but_empty_pages_was_read__then_says_no_more_than_before(
    pipeline: Pipeline,
) -> None:
    name = f"{MINTS.name}#shard-0"
    before = pipeline.cursors.cursors[name]
    pipeline.accept()
    pipeline.tables.now += HOUR_MS
    pipeline.tables.empty_pages[MINTS.name] = TIP_LOOKS - 1
    pipeline.tables.failing = True
    reader = pipeline.reader()
    with pytest.raises(Unavailable):
        await reader.poll()
    pipeline.tables.now += IDLE_SAVE_MS
    await reader.step_down()
    assert pipeline.cursors.cursors[name] == before


async def test_transaction__when_a_cursor_claims_more_than_its_shard_had__then_its_mint_comes_first(
    pipeline: Pipeline,
) -> None:
    name = f"{MINTS.name}#shard-0"
    pipeline.tables.split(MINTS)
    pipeline.accept()
    pipeline.submit()
    pipeline.tables.now += HOUR_MS
    pipeline.cursors.cursors[name] = Cursor(pipeline.cursors.cursors[name].number, pipeline.tables.now)
    reader = pipeline.reader()
    await reader.poll()
    assert pipeline.types() == []
    await reader.poll()
    assert pipeline.types() == BOTH


async def test_idle_streams__when_a_reader_begins__then_each_is_read_a_few_times_and_once_from_then_on(
    pipeline: Pipeline,
) -> None:
    reader = pipeline.reader()
    pipeline.tables.now += HOUR_MS
    pipeline.tables.looks = dict.fromkeys(pipeline.tables.looks, 0)
    await reader.poll()
    assert set(pipeline.tables.looks.values()) == {TIP_LOOKS}
    pipeline.tables.now += 250
    await reader.poll()
    assert set(pipeline.tables.looks.values()) == {TIP_LOOKS + 1}


async def test_streams__when_a_reader_reads_what_is_new__then_it_reads_no_empty_pages_for_that(
    pipeline: Pipeline,
) -> None:
    reader = pipeline.reader()
    pipeline.accept()
    pipeline.tables.looks = dict.fromkeys(pipeline.tables.looks, 0)
    await reader.poll()
    pipeline.tables.now += 250
    await reader.poll()
    assert pipeline.tables.looks[MINTS.name] == 2
