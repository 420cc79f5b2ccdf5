"""One case of the algorithm a test, over the ports in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from mintline.errors import Unavailable
from mintline.messages.codec import decode
from mintline.messages.work import ReviewMint
from mintline.resources import BROADCAST
from mintline.states import MintStatus, TransactionState
from mintline_indexer.store_port import NO_CONTRACTS, Progress, TokenKey
from mintline_testkit.chain import Move, Sent
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.harness import Harness
from mintline_testkit.indexer.polling import catch_up
from mintline_testkit.indexer.store import MemoryStore

ALICE, BOB = "0x" + "2" * 40, "0x" + "3" * 40
FINALITY = 3


async def test_follow__when_the_head_is_the_same__then_writes_nothing(harness: Harness) -> None:
    harness.chain.mine([harness.mint(1)])
    indexer = harness.start()
    await catch_up(indexer)
    before = harness.progress
    await indexer.poll()
    assert harness.progress == before


async def test_follow__when_nothing_happens_for_long__then_shows_that_it_lives(harness: Harness) -> None:
    indexer = harness.start()
    await catch_up(indexer)
    before = harness.progress
    harness.time += 4
    await indexer.poll()
    assert harness.progress.revision == before.revision + 1
    assert replace(harness.progress, revision=0, at=0) == replace(before, revision=0, at=0)


async def test_follow__when_the_node_lags_behind_on_the_same_branch__then_undoes_nothing(
    harness: Harness,
) -> None:
    for number in range(1, 4):
        harness.chain.mine([harness.mint(number)])
    indexer = harness.start()
    await catch_up(indexer)
    hidden = [harness.chain.mined.pop(), harness.chain.mined.pop()]
    await catch_up(indexer)
    assert harness.token_ids() == {1, 2, 3}
    harness.chain.mined += reversed(hidden)
    harness.chain.mine([harness.mint(4)])
    await catch_up(indexer)
    assert harness.token_ids() == {1, 2, 3, 4}


async def test_follow__when_the_node_has_a_hole_below_its_head__then_says_so_and_is_not_ready(
    harness: Harness,
) -> None:
    indexer = harness.start()
    await catch_up(indexer)
    for number in range(1, 6):
        harness.chain.mine([harness.mint(number)])
    harness.chain.missing = {3}
    with pytest.raises(Unavailable, match="at block 5, but has no block 3"):
        await indexer.poll()
    assert harness.token_ids() == {1, 2}
    harness.time += 31
    with pytest.raises(Unavailable):
        await indexer.poll()
    assert "no round finished" in str(indexer.trouble())

    harness.chain.missing = set()
    await catch_up(indexer)
    assert harness.token_ids() == {1, 2, 3, 4, 5}
    assert indexer.trouble() is None


async def test_follow__when_the_newest_block_is_gone_by_the_time_it_is_read__then_waits_for_the_next(
    harness: Harness,
) -> None:
    indexer = harness.start()
    await catch_up(indexer)
    harness.chain.mine([harness.mint(1)])
    harness.chain.missing = {1}
    await catch_up(indexer)
    assert harness.token_ids() == set()
    harness.chain.missing = set()
    await catch_up(indexer)
    assert harness.token_ids() == {1}


async def test_follow__when_the_gap_is_wide__then_fetches_fifty_blocks_a_round(harness: Harness) -> None:
    indexer = harness.start()
    await catch_up(indexer)
    for _ in range(120):
        harness.chain.mine()
    heads = []
    while await indexer.poll():
        heads.append(harness.progress.head.number)
    assert heads == [50, 100]
    assert harness.progress.head.number == 120


async def test_follow__when_a_block_is_replaced_by_one_of_the_same_height__then_undoes_it(
    harness: Harness,
) -> None:
    harness.chain.mine([harness.mint(1)])
    harness.chain.mine([harness.mint(2)])
    indexer = harness.start()
    await catch_up(indexer)
    harness.chain.drop(1)
    harness.chain.mine([harness.mint(3)])
    await catch_up(indexer)
    assert harness.token_ids() == {1, 3}
    assert harness.progress.head == harness.chain.mined[-1].block.ref()


async def test_follow__when_a_reorg_drops_a_mint__then_the_broadcaster_is_told_once(harness: Harness) -> None:
    harness.record("m1", MintStatus.SUBMITTED)
    harness.chain.mine([harness.mint(1, mint_id="m1")])
    indexer = harness.start()
    await catch_up(indexer)
    assert await harness.queues.receive(BROADCAST, wait=0) == []
    harness.chain.drop(1)
    harness.chain.mine()
    harness.chain.mine()
    await catch_up(indexer)
    assert harness.stands("m1").status is MintStatus.SUBMITTED
    [received] = await harness.queues.receive(BROADCAST, wait=0)
    assert decode(received.body) == ReviewMint(mint_id="m1")


async def test_follow__when_the_queue_does_not_answer__then_the_reorg_is_followed_all_the_same(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: Any, **__: Any) -> None:
        raise Unavailable("SQS")

    monkeypatch.setattr(harness.queues, "send", failing)
    harness.record("m1", MintStatus.SUBMITTED)
    harness.chain.mine([harness.mint(1, mint_id="m1")])
    indexer = harness.start()
    await catch_up(indexer)
    harness.chain.drop(1)
    harness.chain.mine()
    harness.chain.mine([harness.mint(2)])
    await catch_up(indexer)
    assert harness.stands("m1").status is MintStatus.SUBMITTED
    assert harness.token_ids() == {2}


async def test_follow__when_a_reorg_goes_below_the_final_block__then_halts_and_undoes_nothing(
    harness: Harness,
) -> None:
    for number in range(1, 7):
        harness.chain.mine([harness.mint(number)])
    indexer = harness.start()
    await catch_up(indexer)
    before, undo_records = harness.progress, dict(harness.store.block_rows)
    good = list(harness.chain.mined)
    harness.chain.drop(5)
    for number in range(11, 18):
        harness.chain.mine([harness.mint(number)])
    with capture_logs() as logs:
        assert not await indexer.poll()
    assert [entry["event"] for entry in logs if entry["log_level"] == "critical"] == ["reorg_past_finality"]
    assert indexer.halted
    assert "past finality" in str(indexer.trouble())
    assert (harness.progress, harness.store.block_rows, harness.token_ids()) == (
        before,
        undo_records,
        {1, 2, 3, 4, 5, 6},
    )

    harness.chain.mined = good
    harness.chain.mine()
    await catch_up(indexer)
    assert (indexer.halted, indexer.trouble()) == (False, None)
    assert harness.progress.head == harness.chain.mined[-1].block.ref()


async def test_follow__when_the_node_is_behind_the_final_block__then_waits(harness: Harness) -> None:
    for _ in range(6):
        harness.chain.mine()
    indexer = harness.start()
    await catch_up(indexer)
    before = harness.progress
    harness.chain.mined, harness.chain.finalized = harness.chain.mined[:2], 0
    with pytest.raises(Unavailable, match="behind the final"):
        await indexer.poll()
    assert harness.progress == before


async def test_trouble__when_no_round_ends_for_long__then_says_so(harness: Harness) -> None:
    indexer = harness.start()
    await catch_up(indexer)
    harness.time += 31
    assert indexer.trouble() == "no round finished for 31 s"


@pytest.mark.parametrize("empty", [1, 2])
async def test_events__when_the_bloom_contradicts_an_empty_answer__then_are_asked_for_again(
    harness: Harness, empty: int
) -> None:
    indexer = harness.start()
    await catch_up(indexer)
    harness.chain.empty, harness.chain.requested = empty, 0
    harness.chain.mine([harness.mint(1)])
    await catch_up(indexer)
    assert harness.token_ids() == {1}
    assert harness.chain.requested == 2


async def test_events__when_the_bloom_says_no__then_are_not_asked_for(harness: Harness) -> None:
    indexer = harness.start()
    await catch_up(indexer)
    harness.chain.requested = 0
    harness.chain.mine([Sent(b"\1" * 32, BOB, (Move(BOB, 1, None, ALICE),))])
    await catch_up(indexer)
    assert harness.progress.head.number == 1
    assert harness.chain.requested == 0


async def test_mint__when_its_record_says_rejected__then_the_token_is_indexed_and_an_error_logged(
    harness: Harness,
) -> None:
    harness.record("mint_a", MintStatus.REJECTED)
    harness.record("mint_b", MintStatus.SUBMITTED)
    indexer = harness.start()
    await catch_up(indexer)
    harness.chain.mine(
        [
            harness.mint(1, mint_id="mint_a"),
            harness.mint(2, mint_id="mint_b"),
            harness.mint(3, mint_id="none"),
        ]
    )
    with capture_logs() as logs:
        await catch_up(indexer)
    refused = [(e["mint_id"], e["status"]) for e in logs if e["event"] == "mint_outcome_refused"]
    assert sorted(refused, key=str) == [("mint_a", "rejected"), ("none", None)]
    assert harness.store.token_table[TokenKey(CONTRACT, 1)].mint_id == "mint_a"
    statuses = [harness.stands(mint_id).status for mint_id in ("mint_a", "mint_b")]
    assert statuses == [MintStatus.REJECTED, MintStatus.MINED]

    harness.chain.drop(1)
    harness.chain.mine()
    await catch_up(indexer)
    assert harness.stands("mint_b").status is MintStatus.SUBMITTED
    assert harness.token_ids() == set()


async def test_mint__when_someone_moved_it_on_before_its_block_is_undone__then_ownership_is_undone(
    harness: Harness,
) -> None:
    harness.record("mint_a", MintStatus.SUBMITTED)
    indexer = harness.start()
    await catch_up(indexer)
    harness.chain.mine([harness.mint(1, mint_id="mint_a")])
    await catch_up(indexer)
    carrying = harness.carrying("mint_a")
    harness.store.transaction_table[carrying.key] = carrying.evolve(state=TransactionState.FINAL)
    harness.chain.drop(1)
    harness.chain.mine()
    with capture_logs() as logs:
        await catch_up(indexer)
    not_reopened = [e["transactions"] for e in logs if e["event"] == "mints_not_reopened"]
    assert not_reopened == [[carrying.key]]
    assert harness.token_ids() == set()
    assert harness.stands("mint_a").status is MintStatus.FINALIZED


async def test_mint__when_its_own_record_moved_on_before_its_block_is_undone__then_ownership_is_undone(
    harness: Harness,
) -> None:
    harness.record("mint_a", MintStatus.SUBMITTED)
    indexer = harness.start()
    await catch_up(indexer)
    front_run, failed = harness.mint(1), Sent(b"\x0f" * 32, CONTRACT, succeeded=False)
    harness.store.mint_table["mint_a"] = harness.store.mint_table["mint_a"].evolve(token_id=1)
    harness.sign(failed.hash, "mint_a")
    harness.chain.mine([front_run, failed])
    await catch_up(indexer)
    mined = harness.store.mint_table["mint_a"]
    assert mined.status is MintStatus.MINED
    harness.store.mint_table["mint_a"] = mined.evolve(status=MintStatus.FINALIZED)
    harness.chain.drop(1)
    harness.chain.mine()
    with capture_logs() as logs:
        await catch_up(indexer)
    assert [e["mint_ids"] for e in logs if e["event"] == "mints_not_reopened"] == [["mint_a"]]
    assert harness.token_ids() == set()
    assert harness.store.mint_table["mint_a"].status is MintStatus.FINALIZED
    assert harness.carrying("mint_a").state is TransactionState.SUBMITTED


async def test_finality__when_a_block_becomes_final__then_its_mints_do_before_the_checkpoint(
    harness: Harness,
) -> None:
    harness.record("mint_a", MintStatus.SUBMITTED)
    indexer = harness.start()
    await catch_up(indexer)
    harness.chain.mine([harness.mint(1, mint_id="mint_a")])
    await catch_up(indexer)
    for _ in range(FINALITY):
        harness.chain.mine()
    await indexer.step_down()
    seen: list[MintStatus] = []

    class Watched(MemoryStore):
        async def commit(
            self, progress: Progress, contracts: Mapping[str, int | None] = NO_CONTRACTS
        ) -> None:
            if progress.finalized.number == 1:
                seen.append((await self.operations(["mint_a"]))["mint_a"].status)
            await super().commit(progress, contracts)

    await catch_up(harness.start(store=harness.like(Watched)))
    assert seen
    assert set(seen) == {MintStatus.FINALIZED}


async def test_rows__when_blocks_are_final__then_are_deleted_in_batches(harness: Harness) -> None:
    indexer = harness.start()
    await catch_up(indexer)
    most = 0
    for _ in range(100):
        harness.chain.mine()
        await catch_up(indexer)
        most = max(most, len(harness.store.block_rows))
    assert most <= 25 + FINALITY + 1
