"""What a transaction of ours decides is written once, on its record; on a mint's own, what others did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mintline.errors import Unavailable
from mintline.messages.codec import decode
from mintline.messages.work import ReviewMint
from mintline.records.problems import NOT_DONE, TOKEN_TAKEN
from mintline.records.transactions import TransactionKey
from mintline.resources import BROADCAST
from mintline.states import MintStatus, TransactionState
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import Attempted, Refused, TokenKey, UndoRecord, Write
from mintline_testkit.chain import Move, Sent
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.harness import Harness
from mintline_testkit.indexer.polling import catch_up
from mintline_testkit.indexer.store import MemoryStore

ALICE, MALLORY = "0x" + "2" * 40, "0x" + "3" * 40
FINALITY = 3
BUILT, SUBMITTED, MINED = MintStatus.BUILT, MintStatus.SUBMITTED, MintStatus.MINED


def carried(harness: Harness, count: int, *, status: MintStatus = SUBMITTED) -> list[str]:
    """Record so many mints, of tokens 1, 2, …, that one transaction carries."""
    ids = [f"m{number}" for number in range(1, count + 1)]
    for number, mint_id in enumerate(ids, start=1):
        harness.record(mint_id, status)
        harness.store.mint_table[mint_id] = harness.store.mint_table[mint_id].evolve(token_id=number)
    harness.store.transaction_table.clear()
    harness.carry(*ids)
    return ids


def making(harness: Harness, ids: Sequence[str], tokens: Sequence[int], *, name: int = 1) -> Sent:
    """Return the transaction of these mints, which makes these tokens; it fails if there are none."""
    moves = tuple(Move(CONTRACT, token_id, None, ALICE, bytes(32)) for token_id in tokens)
    sent = Sent(bytes([name]) * 32, CONTRACT, moves, succeeded=bool(tokens))
    harness.sign(sent.hash, *ids)
    return sent


def statuses(harness: Harness) -> list[MintStatus]:
    return [harness.stands(mint_id).status for mint_id in harness.store.mint_table]


def stored(harness: Harness) -> list[MintStatus]:
    return [mint.status for mint in harness.store.mint_table.values()]


def refused(logs: Sequence[Any]) -> list[str | None]:
    return [entry["mint_id"] for entry in logs if entry["event"] == "mint_outcome_refused"]


async def reorganize(harness: Harness, indexer: Indexer, depth: int = 1) -> None:
    harness.chain.drop(depth)
    for _ in range(depth + 1):
        harness.chain.mine()
    await catch_up(indexer)


async def finish(harness: Harness, indexer: Indexer) -> None:
    for _ in range(FINALITY + 1):
        harness.chain.mine()
    await catch_up(indexer)


@pytest.mark.parametrize("count", [1, 3])
async def test_transaction__when_it_did_all_it_was_for__then_it_alone_is_written_at_each_stage(
    harness: Harness, count: int
) -> None:
    ids = carried(harness, count)
    sent = making(harness, ids, range(1, count + 1))
    before = dict(harness.store.mint_table)
    block = harness.chain.mine([sent]).block
    indexer = harness.start()

    await catch_up(indexer)

    carrying = harness.carrying("m1")
    assert (carrying.state, carrying.outcome, carrying.problem) == (TransactionState.MINED, "succeeded", None)
    assert (carrying.tx_hash, carrying.block_number, carrying.block_hash) == (sent.hash, 1, block.hash)
    assert statuses(harness) == [MINED] * count
    await reorganize(harness, indexer)
    assert (harness.carrying("m1").state, harness.carrying("m1").outcome) == (
        TransactionState.SUBMITTED,
        None,
    )
    assert harness.carrying("m1").block_hash is None
    assert statuses(harness) == [SUBMITTED] * count
    reviewed = {decode(received.body) for received in await harness.queues.receive(BROADCAST, wait=0)}
    assert reviewed <= {ReviewMint(mint_id=mint_id) for mint_id in ids}
    assert reviewed
    harness.chain.mine([sent])
    await catch_up(indexer)
    await finish(harness, indexer)
    assert harness.carrying("m1").state is TransactionState.FINAL
    assert statuses(harness) == [MintStatus.FINALIZED] * count
    assert harness.store.mint_table == before


async def test_transaction__when_it_fails__then_it_is_failed_and_final_and_no_mint_is_written(
    harness: Harness,
) -> None:
    ids = carried(harness, 2)
    harness.chain.mine([making(harness, ids, [])])
    registry = CollectorRegistry()
    indexer = harness.start()
    indexer._metrics = Metrics(registry)

    await catch_up(indexer)
    await finish(harness, indexer)

    carrying = harness.carrying("m1")
    assert (carrying.state, carrying.outcome) == (TransactionState.FINAL, "failed")
    assert carrying.problem is not None
    assert (statuses(harness), stored(harness)) == ([MintStatus.REVERTED] * 2, [BUILT] * 2)
    counted = {
        status: registry.get_sample_value("mintline_mints_total", {"status": status})
        for status in ("reverted", "finalized")
    }
    assert counted == {"reverted": 2, "finalized": 0}


async def test_metrics__when_a_transaction_carries_several_mints__then_each_is_counted(
    harness: Harness,
) -> None:
    ids = carried(harness, 3)
    registry = CollectorRegistry()
    indexer = harness.start()
    indexer._metrics = Metrics(registry)
    harness.chain.mine([making(harness, ids, [1, 2, 3])])

    await catch_up(indexer)
    await finish(harness, indexer)

    for status in ("mined", "finalized"):
        assert registry.get_sample_value("mintline_mints_total", {"status": status}) == 3


@pytest.mark.parametrize(("tokens", "not_made"), [([1, 3], ["m2"]), ([7, 8, 9], ["m1", "m2", "m3"])])
async def test_transaction__when_it_made_not_all_of_its_tokens__then_it_is_settled_and_the_others_reverted(
    harness: Harness, tokens: list[int], not_made: list[str]
) -> None:
    ids = carried(harness, 3)
    sent = making(harness, ids, tokens)
    harness.chain.mine([sent])
    registry = CollectorRegistry()
    indexer = harness.start()
    indexer._metrics = Metrics(registry)

    with capture_logs() as logs:
        await catch_up(indexer)

    assert refused(logs) == not_made
    expected = [MintStatus.REVERTED if mint_id in not_made else MINED for mint_id in ids]
    assert (statuses(harness), stored(harness)) == (expected, [BUILT] * 3)
    assert (harness.carrying("m1").outcome, harness.carrying("m1").not_made) == ("succeeded", tuple(not_made))
    assert harness.stands("m2").problem == NOT_DONE
    assert harness.token_ids() == set(tokens)
    assert registry.get_sample_value("mintline_mints_total", {"status": "mined"}) == 3 - len(not_made)
    await reorganize(harness, indexer)
    assert (statuses(harness), harness.carrying("m1").not_made) == ([SUBMITTED] * 3, None)
    harness.chain.mine([sent])
    await catch_up(indexer)
    await finish(harness, indexer)
    assert harness.carrying("m1").state is TransactionState.FINAL
    assert statuses(harness) == [
        MintStatus.REVERTED if mint_id in not_made else MintStatus.FINALIZED for mint_id in ids
    ]
    assert registry.get_sample_value("mintline_mints_total", {"status": "finalized"}) == 3 - len(not_made)


async def test_transaction__when_a_record_it_carries_cannot_be_read__then_it_is_settled_without_judging_it(
    harness: Harness,
) -> None:
    ids = carried(harness, 2)
    harness.chain.mine([making(harness, ids, [1, 2])])
    unreadable = harness.store.mint_table.pop("m2")

    with capture_logs() as logs:
        await catch_up(harness.start())

    assert refused(logs) == ["m2"]
    assert (harness.carrying("m1").outcome, harness.carrying("m1").not_made) == ("succeeded", None)
    harness.store.mint_table["m2"] = unreadable
    assert statuses(harness) == [MINED] * 2


@pytest.mark.parametrize("other_first", [False, True])
async def test_transaction__when_it_left_events_of_a_contract_that_is_read_first__then_those_decide_nothing(
    harness: Harness, *, other_first: bool
) -> None:
    """Its recipient is a contract that mints in another collection as it receives the token."""
    ids = carried(harness, 1)
    sent = making(harness, ids, [1])
    other = "0x" + "9" * 40
    hooked = replace(sent, moves=(*sent.moves, Move(other, 5, None, MALLORY, bytes(32))))
    harness.collections.deployed = {other if other_first else CONTRACT: 1}
    harness.chain.mine([hooked])
    for _ in range(FINALITY + 3):
        harness.chain.mine()
    indexer = harness.start()
    harness.time += 10
    await catch_up(indexer)
    harness.collections.deployed = {CONTRACT: 1, other: 1}
    harness.time += 10

    with capture_logs() as logs:
        await catch_up(indexer)

    assert refused(logs) == []
    assert (harness.carrying("m1").outcome, harness.carrying("m1").not_made) == ("succeeded", None)
    assert len(harness.store.token_table) == 2


@pytest.mark.parametrize("tokens", [[1, 2], []])
async def test_transaction__when_a_mint_it_carries_was_rejected__then_that_stays_so_and_is_told(
    harness: Harness, tokens: list[int]
) -> None:
    ids = carried(harness, 2)
    harness.store.mint_table["m2"] = harness.store.mint_table["m2"].evolve(status=MintStatus.REJECTED)
    harness.chain.mine([making(harness, ids, tokens)])
    indexer = harness.start()

    with capture_logs() as logs:
        await catch_up(indexer)

    assert refused(logs) == ["m2"]
    ended = MINED if tokens else MintStatus.REVERTED
    assert statuses(harness) == [ended, MintStatus.REJECTED]
    assert harness.carrying("m1").outcome == ("succeeded" if tokens else "failed")


async def test_transaction__when_a_mint_it_made_has_another_nonce_by_now__then_its_own_record_says_so(
    harness: Harness,
) -> None:
    [mint_id] = carried(harness, 1)
    sent = making(harness, [mint_id], [1])
    earlier = harness.carrying(mint_id)
    later = earlier.evolve(nonce=earlier.nonce + 1, attempts=(), state=TransactionState.RESERVED)
    harness.store.transaction_table[later.key] = later
    harness.store.mint_table[mint_id] = harness.store.mint_table[mint_id].evolve(nonce=later.nonce)
    harness.chain.mine([sent])
    indexer = harness.start()

    await catch_up(indexer)

    assert stored(harness) == [MINED]
    assert harness.store.mint_table[mint_id].tx_hash == sent.hash
    assert harness.store.transaction_table[earlier.key].outcome == "succeeded"
    assert harness.store.transaction_table[later.key] == later
    await reorganize(harness, indexer)
    assert (stored(harness), statuses(harness)) == ([BUILT], [BUILT])


async def test_transaction__when_its_mint_has_another_nonce_and_it_fails__then_the_mint_goes_on(
    harness: Harness,
) -> None:
    [mint_id] = carried(harness, 1)
    sent = making(harness, [mint_id], [])
    earlier = harness.carrying(mint_id)
    later = earlier.evolve(nonce=earlier.nonce + 1, attempts=(), state=TransactionState.RESERVED)
    harness.store.transaction_table[later.key] = later
    harness.store.mint_table[mint_id] = harness.store.mint_table[mint_id].evolve(nonce=later.nonce)
    harness.chain.mine([sent])

    await catch_up(harness.start())

    assert (stored(harness), statuses(harness)) == ([BUILT], [BUILT])
    assert harness.store.transaction_table[earlier.key].outcome == "failed"


@pytest.mark.parametrize("tokens", [[1], []])
async def test_attempt__when_its_transactions_record_does_not_have_it__then_nothing_is_written(
    harness: Harness, tokens: list[int]
) -> None:
    """A hash that somebody else recorded under the place of a transaction of ours."""
    [mint_id] = carried(harness, 1)
    sent = making(harness, [mint_id], tokens)
    carrying = harness.carrying(mint_id)
    harness.store.transaction_table[carrying.key] = carrying.evolve(attempts=())
    before = dict(harness.store.transaction_table)
    harness.chain.mine([sent])

    with capture_logs() as logs:
        await catch_up(harness.start())

    assert refused(logs) == [None]
    assert harness.store.transaction_table == before
    assert stored(harness) == [BUILT]


async def test_transaction__when_it_was_closed_before_it_is_mined__then_it_stays_and_its_mints_are_told(
    harness: Harness,
) -> None:
    ids = carried(harness, 2)
    harness.chain.mine([making(harness, ids, [1, 2])])
    carrying = harness.carrying("m1")
    closed = carrying.evolve(state=TransactionState.FINAL, outcome="filled")
    harness.store.transaction_table[carrying.key] = closed

    with capture_logs() as logs:
        await catch_up(harness.start())

    assert refused(logs) == ids
    assert harness.carrying("m1") == closed
    assert harness.token_ids() == {1, 2}


@pytest.mark.parametrize("taken", [False, True])
async def test_front_run__when_one_of_several_mints_was__then_the_transaction_failed_and_it_is_mined(
    harness: Harness, *, taken: bool
) -> None:
    ids = carried(harness, 3)
    stranger = Sent(
        b"\x0e" * 32, CONTRACT, (Move(CONTRACT, 2, None, MALLORY if taken else ALICE, bytes(32)),)
    )
    ours = making(harness, ids, [])
    harness.chain.mine([stranger, ours])
    indexer = harness.start()

    with capture_logs() as logs:
        await catch_up(indexer)

    carrying = harness.carrying("m1")
    assert (carrying.outcome, carrying.tx_hash) == ("failed", ours.hash)
    assert (carrying.problem == TOKEN_TAKEN) is taken
    assert refused(logs) == (["m2"] if taken else [])
    assert stored(harness) == [BUILT, BUILT if taken else MINED, BUILT]
    assert statuses(harness)[0] is MintStatus.REVERTED
    assert harness.store.token_table[TokenKey(CONTRACT, 2)].mint_id == (None if taken else "m2")
    if not taken:
        assert harness.store.mint_table["m2"].tx_hash == stranger.hash
        await finish(harness, indexer)
        assert harness.store.mint_table["m2"].status is MintStatus.FINALIZED


class Breaking(MemoryStore):
    """Fails for a while, after two writes of outcomes."""

    outcomes = 0

    async def write(self, write: Write, *, fence: int, at: int) -> Refused:
        Breaking.outcomes += bool(write.outcomes)
        if write.outcomes and 3 <= Breaking.outcomes <= 8:
            raise Unavailable("the table is out of order")
        return await super().write(write, fence=fence, at=at)


@pytest.mark.parametrize("breaking", [False, True])
async def test_front_run__when_more_mints_were_than_a_write_has_room_for__then_all_are_mined_and_undone(
    harness: Harness, *, breaking: bool
) -> None:
    count = 250
    ids = carried(harness, count)
    indexer = harness.start()
    await catch_up(indexer)
    moves = tuple(Move(CONTRACT, token_id, None, ALICE, bytes(32)) for token_id in range(1, count + 1))
    harness.chain.mine([Sent(b"\x0e" * 32, CONTRACT, moves)])
    harness.chain.mine([making(harness, ids, [])])
    if breaking:
        Breaking.outcomes = 0
        await indexer.step_down()
        harness.store = harness.like(Breaking)
        indexer = harness.start()
        with pytest.raises(Unavailable):
            await catch_up(indexer)

    await catch_up(indexer)

    assert stored(harness) == [MINED] * count
    assert {token.mint_id for token in harness.store.token_table.values()} == set(ids)
    assert harness.carrying("m1").outcome == "failed"
    assert (
        len([undo_record for undo_record in harness.store.block_rows.values() if undo_record.number == 2]) > 2
    )
    await reorganize(harness, indexer)
    assert stored(harness) == [BUILT] * count
    assert harness.carrying("m1").state is TransactionState.SUBMITTED
    assert {token.mint_id for token in harness.store.token_table.values()} == {None}
    assert [undo_record.number for undo_record in harness.store.block_rows.values()].count(2) == 1
    harness.chain.mine([making(harness, ids, [], name=2)])
    await catch_up(indexer)
    await finish(harness, indexer)
    assert stored(harness) == [MintStatus.FINALIZED] * count


def as_before(harness: Harness, status: MintStatus) -> None:
    """Record mint `m1`, of token 1, as before transactions had records."""
    harness.record("m1", status)
    harness.store.mint_table["m1"] = harness.store.mint_table["m1"].evolve(status=status, token_id=1)
    harness.store.transaction_table.clear()


@pytest.mark.parametrize(("tokens", "ended"), [([1], MINED), ([], MintStatus.REVERTED)])
async def test_mint__when_it_is_of_before_transactions_had_records__then_it_has_its_outcome_itself(
    harness: Harness, tokens: list[int], ended: MintStatus
) -> None:
    as_before(harness, SUBMITTED)
    moves = tuple(Move(CONTRACT, token_id, None, ALICE, bytes(32)) for token_id in tokens)
    sent = Sent(b"\x01" * 32, CONTRACT, moves, succeeded=bool(tokens))
    harness.attempts[sent.hash] = Attempted(TransactionKey("1#" + ALICE, 0), "m1")
    harness.chain.mine([sent])
    indexer = harness.start()

    await catch_up(indexer)

    assert stored(harness) == [ended]
    await reorganize(harness, indexer)
    assert stored(harness) == [SUBMITTED]
    harness.chain.mine([sent])
    await catch_up(indexer)
    await finish(harness, indexer)
    assert stored(harness) == [MintStatus.FINALIZED if tokens else ended]


async def test_mint__when_it_was_mined_before_transactions_had_records_and_is_undone__then_its_one_has_it(
    harness: Harness,
) -> None:
    """Its transaction was recorded since, without an outcome (`mintline_ops.transaction_migration`)."""
    indexer = harness.start()
    await catch_up(indexer)
    [mint_id] = carried(harness, 1)
    sent = making(harness, [mint_id], [1])
    carrying = harness.carrying(mint_id)
    harness.attempts[sent.hash] = Attempted(carrying.key, mint_id)
    harness.store.transaction_table.clear()
    as_before(harness, SUBMITTED)
    harness.chain.mine([sent])
    await catch_up(indexer)
    assert stored(harness) == [MINED]
    harness.store.transaction_table[carrying.key] = carrying

    await reorganize(harness, indexer)
    assert (stored(harness), statuses(harness)) == ([BUILT], [SUBMITTED])
    harness.chain.mine([sent])
    await catch_up(indexer)
    await finish(harness, indexer)
    assert (stored(harness), statuses(harness)) == ([BUILT], [MintStatus.FINALIZED])
    assert harness.carrying(mint_id).state is TransactionState.FINAL


async def test_row__when_it_was_written_before_transactions_had_records__then_its_mints_are_finalized(
    harness: Harness,
) -> None:
    indexer = harness.start()
    await catch_up(indexer)
    harness.chain.mine([harness.mint(1)])
    await catch_up(indexer)
    as_before(harness, MINED)
    [position] = [key for key, undo_record in harness.store.block_rows.items() if undo_record.number == 1]
    old = harness.store.block_rows[position].evolve(mints=("m1",)).model_dump(mode="json")
    del old["transactions"]
    harness.store.block_rows[position] = UndoRecord.model_validate(old)

    indexer = harness.start("writer-1")
    await catch_up(indexer)
    await finish(harness, indexer)

    assert stored(harness) == [MintStatus.FINALIZED]


@pytest.mark.parametrize("token_ids", [[1, 2], [1], [9]])
@pytest.mark.parametrize("rejected", [False, True])
async def test_backfill__when_it_meets_what_was_told_of__then_it_is_not_told_again(
    harness: Harness, token_ids: list[int], *, rejected: bool
) -> None:
    """As of an index that is rebuilt over records that have the transaction's end."""
    ids = carried(harness, 2)
    if rejected:
        harness.store.mint_table["m1"] = harness.store.mint_table["m1"].evolve(status=MintStatus.REJECTED)
    harness.chain.mine([making(harness, ids, token_ids)])
    with capture_logs() as first:
        indexer = harness.start()
        await catch_up(indexer)
        await finish(harness, indexer)
    strange = {mint_id for mint_id, token_id in zip(ids, (1, 2), strict=True) if token_id not in token_ids}
    assert set(refused(first)) == strange | ({"m1"} if rejected else set())
    tables = (dict(harness.store.mint_table), dict(harness.store.transaction_table))
    harness.store.progress = None
    harness.store.token_table.clear()
    harness.store.transfer_table.clear()
    harness.store.block_rows.clear()

    with capture_logs() as logs:
        indexer = harness.start()
        await catch_up(indexer)
        await finish(harness, indexer)

    assert refused(logs) == []
    assert (harness.store.mint_table, harness.store.transaction_table) == tables


async def test_index__when_it_is_built_anew_over_what_was_settled__then_nothing_is_told_or_changed(
    harness: Harness,
) -> None:
    ids = carried(harness, 2)
    harness.record("other", SUBMITTED)
    harness.store.mint_table["other"] = harness.store.mint_table["other"].evolve(token_id=3)
    harness.chain.mine([making(harness, ids, [1, 2])])
    harness.chain.mine([making(harness, ["other"], [], name=2)])
    indexer = harness.start()
    await catch_up(indexer)
    await finish(harness, indexer)
    tables = (dict(harness.store.mint_table), dict(harness.store.transaction_table))
    tokens = dict(harness.store.token_table)
    harness.store.progress = None
    harness.time += 3600
    harness.store.token_table.clear()
    harness.store.transfer_table.clear()
    harness.store.block_rows.clear()

    with capture_logs() as logs:
        indexer = harness.start()
        await catch_up(indexer)
        await finish(harness, indexer)

    assert (harness.store.mint_table, harness.store.transaction_table) == tables
    assert harness.store.token_table == tokens
    events = {entry["event"] for entry in logs if entry["log_level"] in ("warning", "error")}
    assert events <= {"blocks_undone"}
