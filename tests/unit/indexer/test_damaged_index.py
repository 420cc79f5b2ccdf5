"""A damaged checkpoint or undo record halts the index until it is repaired, and ends no process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from structlog.testing import capture_logs

from mintline.aws.dynamo import Item, Page
from mintline.errors import Unavailable
from mintline_indexer.dynamo_store import DynamoStore
from mintline_indexer.indexer import Indexer
from mintline_indexer.reconciler.reading import Reader
from mintline_indexer.store_port import Damaged, Progress, UndoRecord
from mintline_testkit.indexer.harness import Harness
from mintline_testkit.indexer.polling import catch_up
from mintline_testkit.indexer.store import MemoryStore

NAMED = "blocks 1/000000000003 is not valid: UndoRecord: hash: missing"


@dataclass(slots=True)
class DamagedStore(MemoryStore):
    """Cannot read its checkpoint, or its undo records, while they are `damaged`."""

    damaged: str = ""

    def _check(self, part: str) -> None:
        if self.damaged == part:
            raise Damaged(NAMED)

    async def load(self) -> Progress | None:
        self._check("checkpoint")
        return await super(DamagedStore, self).load()

    async def peek(self) -> Progress | None:
        self._check("checkpoint")
        return await super(DamagedStore, self).peek()

    async def undo_records(self) -> list[UndoRecord]:
        self._check("rows")
        return await super(DamagedStore, self).undo_records()

    async def undo_record(self, position: str) -> UndoRecord | None:
        self._check("row")
        return await super(DamagedStore, self).undo_record(position)


async def followed(harness: Harness) -> tuple[DamagedStore, Indexer]:
    """Return a store with some blocks that are not final, and the indexer that wrote it."""
    harness.store = store = harness.like(DamagedStore)
    indexer = harness.start("writer")
    for number in range(1, 5):
        harness.chain.mine([harness.mint(number)])
    await catch_up(indexer)
    return store, indexer


def halted(indexer: Indexer, logs: list[Any]) -> None:
    """Assert that one log line names the record, as readiness does, and what to do."""
    [line] = [line for line in logs if line["log_level"] == "critical"]
    assert (line["event"], line["reason"]) == ("index_record_damaged", NAMED)
    assert "docs/index-halted.md" in line["what_to_do"]
    assert indexer.halted
    assert NAMED in str(indexer.trouble())
    assert "docs/index-halted.md" in str(indexer.trouble())


@pytest.mark.parametrize("part", ["checkpoint", "rows"])
async def test_start__when_a_record_is_damaged__then_halts_and_goes_on_once_it_is_repaired(
    harness: Harness, part: str
) -> None:
    store, _ = await followed(harness)
    store.damaged = part
    indexer, before = harness.start("writer"), harness.progress
    harness.chain.mine([harness.mint(5)])
    with capture_logs() as logs:
        assert not await indexer.poll()
    halted(indexer, logs)
    assert harness.progress == before
    store.damaged = ""
    await catch_up(indexer)
    assert (indexer.halted, indexer.trouble()) == (False, None)
    assert harness.token_ids() == {1, 2, 3, 4, 5}


async def test_reorg__when_its_undo_record_is_damaged__then_halts_and_undoes_it_once_it_is_repaired(
    harness: Harness,
) -> None:
    store, indexer = await followed(harness)
    store.damaged = "row"
    harness.chain.drop(1)
    harness.chain.mine([harness.mint(9)])
    harness.chain.mine()
    with capture_logs() as logs:
        assert not await indexer.poll()
    halted(indexer, logs)
    assert harness.token_ids() == {1, 2, 3, 4}
    store.damaged = ""
    await catch_up(indexer)
    assert not indexer.halted
    assert harness.token_ids() == {1, 2, 3, 9}


async def test_reorg__when_its_undo_record_is_gone__then_halts_and_keeps_what_it_knows(
    harness: Harness,
) -> None:
    store, indexer = await followed(harness)
    gone = store.block_rows.popitem()
    harness.chain.drop(1)
    harness.chain.mine([harness.mint(9)])
    harness.chain.mine()
    for _ in range(2):
        with capture_logs() as logs:
            assert not await indexer.poll()
        [line] = [line for line in logs if line["log_level"] == "critical"]
        assert gone[0] in line["reason"]
        assert "is gone" in str(indexer.trouble())
    store.block_rows[gone[0]] = gone[1]
    await catch_up(indexer)
    assert harness.token_ids() == {1, 2, 3, 9}


async def test_standby__when_the_writer_is_halted__then_it_halts_as_well_and_takes_nothing_over(
    harness: Harness,
) -> None:
    store, _ = await followed(harness)
    store.damaged = "rows"
    standby, before = harness.start("standby"), harness.progress
    await standby.poll()
    assert not standby.halted
    harness.time += 16
    for _ in range(3):
        assert not await standby.poll()
        assert standby.halted
        harness.time += 10
    assert (standby.writing, harness.progress) == (False, before)
    store.damaged = ""
    await catch_up(standby)
    assert (standby.writing, standby.halted, harness.progress.writer) == (True, False, "standby")


class Tables:
    """As much of DynamoDB as reading the checkpoint and the undo records takes."""

    def __init__(self, item: Item) -> None:
        self.item = item

    async def get(self, _table: Any, _key: Item) -> Item | None:
        return self.item

    async def query(self, _table: Any, **_: Any) -> Page:
        return Page([self.item], None)


async def test_checkpoint__when_it_is_not_valid__then_it_is_named_to_the_indexer_and_the_reconciler() -> None:
    tables: Any = Tables({"chain": "1", "revision": "many"})
    with pytest.raises(Damaged, match=r"^checkpoints 1 is not valid: CheckpointItem: .*revision"):
        await DynamoStore(tables, chain_id=1).load()
    chain: Any = None
    with pytest.raises(Unavailable, match="checkpoints 1 is not valid"):
        await Reader(dynamo=tables, chain=chain, chain_id=1, patience=0).progress()


async def test_rows__when_one_is_not_valid__then_it_is_named() -> None:
    tables: Any = Tables({"chain": "1", "position": "000000000003", "number": "three"})
    store = DynamoStore(tables, chain_id=1)
    for reading in (store.undo_records(), store.undo_record("000000000003")):
        with pytest.raises(Damaged, match=r"^blocks 1/000000000003 is not valid: UndoRecord: .*number"):
            await reading
