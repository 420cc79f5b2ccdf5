"""Small defects of the indexer that its other tests let pass: each of these fails with one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from mintline.aws.dynamo import Clause, Put, Update
from mintline.aws.records import IN_BLOCK
from mintline.records.transactions import TransactionKey
from mintline.resources import CHECKPOINTS, MINTS
from mintline.states import MintStatus
from mintline_indexer.chain_port import Block, Event, Ref, Tips, TransferEvent
from mintline_indexer.dynamo_store import DynamoStore
from mintline_indexer.effects import Facts, TransactionEnded, effects_of_block
from mintline_indexer.follow import Follower
from mintline_indexer.store_port import Outcome, Progress, ReopenedMint, ReopenedTransaction, TakeBack
from mintline_indexer.transaction_results import one_each
from mintline_testkit.chain import FakeChain
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.harness import FINALITY, Harness
from mintline_testkit.indexer.store import MemoryStore

ALICE = "0x" + "2" * 40
HERE, ELSEWHERE = b"\x07" * 32, b"\x08" * 32


class Recorder:
    """A Dynamo that keeps what it is asked to write."""

    def __init__(self) -> None:
        self.changes: list[Any] = []

    async def transact(self, changes: Sequence[Any]) -> None:
        self.changes += changes

    async def write(self, change: Any) -> None:
        self.changes.append(change)


def progress(revision: int) -> Progress:
    at = Ref(9, HERE, 1)
    return Progress(revision=revision, writer="w", head=at, finalized=at)


async def committed(revision: int) -> list[Any]:
    recorder: Any = Recorder()
    await DynamoStore(recorder, chain_id=1).commit(progress(revision))
    changes: list[Any] = recorder.changes
    return changes


async def taken_back(undo: TakeBack) -> list[Any]:
    recorder: Any = Recorder()
    await DynamoStore(recorder, chain_id=1).take_back(undo, fence=7, at=1)
    changes: list[Any] = recorder.changes
    return changes


@pytest.mark.parametrize(
    ("revision", "clause"),
    [
        (1, Clause("no_checkpoint_yet", "chain", "missing")),
        (7, Clause("last_revision", "revision", "eq", (6,))),
    ],
)
async def test_checkpoint__when_it_is_written__then_only_over_the_revision_before(
    revision: int, clause: Clause
) -> None:
    [checkpoint] = await committed(revision)
    assert isinstance(checkpoint, Put)
    assert checkpoint.table is CHECKPOINTS
    assert checkpoint.where == (clause,)


async def test_reopening__when_a_block_is_undone__then_only_of_a_mint_that_names_this_block() -> None:
    reopened_mints = ReopenedMint("mint_1", MintStatus.SUBMITTED, HERE)
    [update] = await taken_back(TakeBack(9, mints=(reopened_mints,)))
    assert isinstance(update, Update)
    assert update.table is MINTS
    assert Clause("in_the_undone_block", "block_hash", "eq", ("0x" + HERE.hex(),)) in update.where
    assert "legal_source" in {clause.name for clause in update.where}


@pytest.mark.parametrize("status", [MintStatus.BUILT, MintStatus.SUBMITTED, MintStatus.ISSUED])
async def test_reopening__when_a_mint_leaves_its_block__then_it_leaves_the_index_of_that_too(
    status: MintStatus,
) -> None:
    changes = await taken_back(TakeBack(9, mints=(ReopenedMint("mint_1", status, HERE),)))
    assert {"block_number", "block_hash", IN_BLOCK} <= set(changes[-1].remove)


async def test_unsettling__when_a_transaction_leaves_its_block__then_it_leaves_the_index_of_that_too() -> (
    None
):
    changes = await taken_back(
        TakeBack(9, transactions=(ReopenedTransaction(TransactionKey("1#a", 7), HERE),))
    )
    assert {"block_number", "block_hash", IN_BLOCK} <= set(changes[-1].remove)


def outcome(tx: int, status: MintStatus) -> tuple[bytes, Outcome]:
    tx_hash = bytes([tx]) * 32
    return tx_hash, Outcome("mint_1", status, tx_hash, 5, HERE)


@pytest.mark.parametrize(
    ("statuses", "chosen"),
    [
        ((MintStatus.REVERTED, MintStatus.MINED), 1),
        ((MintStatus.MINED, MintStatus.REVERTED), 0),
        ((MintStatus.REVERTED, MintStatus.MINED, MintStatus.REVERTED), 1),
        ((MintStatus.REVERTED, MintStatus.REVERTED), 1),
    ],
)
def test_outcomes__when_a_mint_has_several_in_a_block__then_the_one_that_minted_or_else_the_last(
    statuses: tuple[MintStatus, ...], chosen: int
) -> None:
    outcomes = [outcome(number, status) for number, status in enumerate(statuses)]
    tx_hash, expected = outcomes[chosen]
    assert one_each(outcomes, Facts(chain_id=1, timestamps={})) == {tx_hash: (expected,)}


def test_effects__when_a_node_gives_events_out_of_order__then_they_follow_their_log_index() -> None:
    tx = b"\x01" * 32
    events = [TransferEvent(5, HERE, tx, index, CONTRACT, 1, ALICE, ALICE) for index in (2, 0, 1)]
    effects = effects_of_block(5, HERE, events, [tx], {tx})
    assert [effect.log_index for effect in effects if isinstance(effect, TransferEvent)] == [0, 1, 2]
    assert isinstance(effects[-1], TransactionEnded)


class Ranges(FakeChain):
    """A chain that keeps which ranges it was asked for."""

    def __init__(self) -> None:
        super().__init__(finality=3, widest=10)
        self.ranges: list[tuple[int, int]] = []

    async def events_between(self, first: int, last: int, contracts: Sequence[str]) -> Sequence[Event]:
        self.ranges.append((first, last))
        return await super().events_between(first, last, contracts)


async def test_backfill__when_it_reads_ranges__then_none_is_wider_than_it_may_be_and_they_meet(
    harness: Harness,
) -> None:
    chain = Ranges()
    for _ in range(58):
        chain.mine()
    harness.chain = chain  # type: ignore[assignment]
    indexer = harness.start("writer")
    while await indexer.poll():
        pass
    whole = 10
    assert [last - first + 1 for first, last in chain.ranges[:-1]] == [10] * (len(chain.ranges) - 1)
    assert chain.ranges[0][0] == 1
    assert all(after[0] == before[1] + 1 for before, after in pairwise(chain.ranges))
    assert chain.ranges[-1][1] == chain.finalized - whole


async def test_backfill__when_a_collection_is_followed__then_the_mints_of_its_ranges_are_finalized(
    harness: Harness,
) -> None:
    harness.record("m1", MintStatus.SUBMITTED)
    harness.chain.mine([harness.mint(1, mint_id="m1")])
    for _ in range(FINALITY + 1):
        harness.chain.mine()
    indexer = harness.start()
    while harness.store.progress is None or not harness.store.progress.collections:
        await indexer.poll()
    assert harness.stands("m1").status is MintStatus.FINALIZED


class Forked(FakeChain):
    """A chain whose canonical block of one number, or whose majority, is another than the index has."""

    other: int | None = None
    majority = True

    @property
    def several(self) -> bool:
        return True

    async def confirmed(self, block: Ref) -> bool:
        return self.majority and await super().confirmed(block)

    async def block(self, ref: int | bytes, *, full: bool) -> Block | None:
        block = await super().block(ref, full=full)
        return replace(block, hash=ELSEWHERE) if block is not None and ref == self.other else block


class Books:
    """An index writer that stands at one block, and keeps what it is to finalize."""

    def __init__(self, head: Ref, finalized: Ref) -> None:
        self.head = head
        self.finalized = finalized
        self.named: list[Ref | None] = []

    def indexed(self, number: int) -> Ref | None:
        return self.head if number == self.head.number else None

    async def finalize(self, block: Ref | None) -> None:
        self.named.append(block)


async def finalized(chain: Forked) -> list[Ref | None]:
    """Finalize up to a head of block 5, while the chain's final block is 8."""
    for _ in range(12):
        chain.mine()
    head, first = (chain.mined[number].block.ref() for number in (5, 1))
    books: Any = Books(head, first)
    follower = Follower(
        chain=chain,
        store=MemoryStore(),
        index_writer=books,
        chain_id=1,
        metrics=None,  # type: ignore[arg-type]
    )
    await follower.finalize(Tips(chain.mined[-1].block, chain.mined[8].block).finalized)
    named: list[Ref | None] = books.named
    return named


async def test_finality__when_the_head_is_on_the_chain__then_the_head_is_final() -> None:
    chain = Forked()
    assert await finalized(chain) == [chain.mined[5].block.ref()]


async def test_finality__when_the_head_is_of_a_stale_branch__then_it_is_not_final() -> None:
    chain = Forked()
    chain.other = 5
    assert await finalized(chain) == [None]


async def test_finality__when_only_one_node_says_so__then_it_is_not_final() -> None:
    chain = Forked()
    chain.majority = False
    assert await finalized(chain) == [None]
