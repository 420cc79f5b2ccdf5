"""One writer at a time: standing by, taking over, being fenced, stepping down."""

from __future__ import annotations

from collections.abc import Mapping

from structlog.testing import capture_logs

from mintline_indexer.indexer import STANDBY_INTERVAL
from mintline_indexer.store_port import NO_CONTRACTS, CheckpointConflict, Progress, TokenKey
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.harness import Harness
from mintline_testkit.indexer.polling import catch_up
from mintline_testkit.indexer.store import MemoryStore


async def test_standby__when_the_writer_is_alive__then_waits(harness: Harness) -> None:
    writer, standby = harness.start(), harness.start()
    await catch_up(writer)
    for _ in range(40):
        harness.time += STANDBY_INTERVAL
        await writer.poll()
        assert not await standby.poll()
    assert (writer.writing, standby.writing) == (True, False)
    assert standby.trouble() is None


async def test_standby__when_the_writer_is_silent__then_takes_over_and_fences_it(harness: Harness) -> None:
    writer, standby = harness.start(), harness.start()
    await catch_up(writer)
    await standby.poll()
    harness.time += 9
    await standby.poll()
    assert not standby.writing
    harness.time += 7
    await catch_up(standby)
    assert standby.writing

    harness.chain.mine([harness.mint(1)])
    before = harness.progress
    with capture_logs() as logs:
        assert not await writer.poll()
    assert "writer_fenced" in [entry["event"] for entry in logs]
    assert (writer.writing, harness.progress) == (False, before)


async def test_writer__when_another_has_undone_its_block__then_is_fenced(harness: Harness) -> None:
    writer, standby = harness.start(), harness.start()
    harness.chain.mine()
    harness.chain.mine([harness.mint(1)])
    await catch_up(writer)
    await standby.poll()
    harness.chain.drop(2)
    harness.chain.mine()
    harness.time += 16
    await catch_up(standby)
    assert standby.writing
    # The silent writer wakes up to the same reorg, whose undo record is used up.
    assert not await writer.poll()
    assert not writer.writing
    assert harness.token_ids() == set()


async def test_standby__when_the_writer_steps_down__then_takes_over_at_once(harness: Harness) -> None:
    writer, standby = harness.start(), harness.start()
    await catch_up(writer)
    await standby.poll()
    await writer.step_down()
    harness.time += STANDBY_INTERVAL
    await catch_up(standby)
    assert standby.writing


async def test_writer__when_restarted_under_its_own_name__then_goes_on_at_once(harness: Harness) -> None:
    await catch_up(harness.start(writer="indexer"))
    again = harness.start(writer="indexer")
    await catch_up(again)
    assert again.writing


async def test_writer__when_an_acknowledgement_is_lost__then_nothing_is_written_twice(
    harness: Harness,
) -> None:
    await catch_up(harness.start(writer="indexer"))

    class Deaf(MemoryStore):
        lost = 0

        async def commit(
            self, progress: Progress, contracts: Mapping[str, int | None] = NO_CONTRACTS
        ) -> None:
            await super().commit(progress, contracts)
            if (progress.mixed or progress.head.number > 0) and self.lost < 4:
                self.lost += 1
                raise CheckpointConflict("what a repetition of the request would say")

    store = harness.like(Deaf)
    indexer = harness.start(writer="indexer", store=store)
    harness.chain.mine([harness.mint(1)])
    for _ in range(5):
        await catch_up(indexer)
    assert store.lost == 4
    assert indexer.writing
    assert set(store.token_table) == {TokenKey(CONTRACT, 1)}
    assert len(store.transfer_table) == 1
