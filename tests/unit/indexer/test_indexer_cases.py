"""One case of the algorithm a test, over the ports in memory."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mintline.errors import Unavailable
from mintline.messages import KeyRef
from mintline.records import Mint
from mintline.states import MintStatus
from mintline_indexer.indexer import STANDBY_INTERVAL, Indexer
from mintline_indexer.memory import MemoryChain, MemoryCollections, MemoryStore, Move, Sent
from mintline_indexer.metrics import Metrics
from mintline_indexer.ports import Block, Event, Fenced, Progress, Store, TokenKey, Write

CONTRACT = "0x" + "1" * 40
ALICE, BOB = "0x" + "2" * 40, "0x" + "3" * 40
FINALITY = 3
StoreT = TypeVar("StoreT", bound=MemoryStore)


class DoubtfulChain(MemoryChain):
    """Answers the first `empty` questions for events with none at all."""

    empty = 0
    asked = 0

    async def events(self, block_hash: bytes, contracts: Sequence[str]) -> Sequence[Event]:
        self.asked += 1
        return [] if self.asked <= self.empty else await super().events(block_hash, contracts)

    async def events_from_receipts(self, block: Block, contracts: Sequence[str]) -> Sequence[Event]:
        return await super().events(block.hash, contracts)


@dataclass
class Rig:
    chain: DoubtfulChain = field(default_factory=lambda: DoubtfulChain(finality=FINALITY))
    store: MemoryStore = field(default_factory=MemoryStore)
    collections: MemoryCollections = field(default_factory=lambda: MemoryCollections({CONTRACT: 1}))
    time: float = 0.0
    started: int = 0

    def start(self, writer: str | None = None, store: Store | None = None) -> Indexer:
        self.started += 1
        return Indexer(
            chain=self.chain,
            store=store or self.store,
            collections=self.collections,
            chain_id=1,
            writer=writer or f"writer-{self.started}",
            takeover_after=10.0,
            widest=10,
            whole=10,
            metrics=Metrics(CollectorRegistry()),
            clock=lambda: self.time,
            now=lambda: int(self.time * 1000),
            rng=random.Random(1),
        )

    def mint(self, token_id: int, *, mint_id: str | None = None) -> Sent:
        sent = Sent(
            token_id.to_bytes(32, "big"), CONTRACT, (Move(CONTRACT, token_id, None, ALICE, bytes(32)),)
        )
        if mint_id is not None:
            self.store.attempt_table[sent.hash] = mint_id
        return sent

    def record(self, mint_id: str, status: MintStatus) -> None:
        self.store.mint_table[mint_id] = Mint(
            mint_id=mint_id,
            sub="user",
            status=status,
            chain_id=1,
            contract=CONTRACT,
            to=ALICE,
            sender=KeyRef(address=ALICE, subject="user", chain_id=1, secret_id="secret"),
            metadata_digest=bytes(32),
            request_digest="",
            created_at=0,
            updated_at=0,
        )

    def like(self, kind: type[StoreT]) -> StoreT:
        """A store of another kind with the same tables."""
        return kind(**{f.name: getattr(self.store, f.name) for f in fields(MemoryStore)})

    @property
    def progress(self) -> Progress:
        assert self.store.progress is not None
        return self.store.progress

    def token_ids(self) -> set[int]:
        return {key.token_id for key in self.store.token_table}


async def settle(indexer: Indexer) -> None:
    while await indexer.poll():
        pass
    await indexer.poll()


async def test_follow__when_the_head_is_the_same__then_writes_nothing() -> None:
    rig = Rig()
    rig.chain.mine([rig.mint(1)])
    indexer = rig.start()
    await settle(indexer)
    before = rig.progress
    await indexer.poll()
    assert rig.progress == before


async def test_follow__when_nothing_happens_for_long__then_shows_that_it_lives() -> None:
    rig = Rig()
    indexer = rig.start()
    await settle(indexer)
    before = rig.progress
    rig.time += 4
    await indexer.poll()
    assert rig.progress.revision == before.revision + 1
    assert replace(rig.progress, revision=0, at=0) == replace(before, revision=0, at=0)


async def test_follow__when_the_node_lags_behind_on_the_same_branch__then_undoes_nothing() -> None:
    rig = Rig()
    for number in range(1, 4):
        rig.chain.mine([rig.mint(number)])
    indexer = rig.start()
    await settle(indexer)
    hidden = [rig.chain.mined.pop(), rig.chain.mined.pop()]
    await settle(indexer)
    assert rig.token_ids() == {1, 2, 3}
    rig.chain.mined += reversed(hidden)
    rig.chain.mine([rig.mint(4)])
    await settle(indexer)
    assert rig.token_ids() == {1, 2, 3, 4}


async def test_follow__when_the_gap_is_wide__then_fetches_fifty_blocks_a_round() -> None:
    rig = Rig()
    indexer = rig.start()
    await settle(indexer)
    for _ in range(120):
        rig.chain.mine()
    heads = []
    while await indexer.poll():
        heads.append(rig.progress.head.number)
    assert heads == [50, 100]
    assert rig.progress.head.number == 120


async def test_follow__when_a_block_is_replaced_by_one_of_the_same_height__then_undoes_it() -> None:
    rig = Rig()
    rig.chain.mine([rig.mint(1)])
    rig.chain.mine([rig.mint(2)])
    indexer = rig.start()
    await settle(indexer)
    rig.chain.drop(1)
    rig.chain.mine([rig.mint(3)])
    await settle(indexer)
    assert rig.token_ids() == {1, 3}
    assert rig.progress.head == rig.chain.mined[-1].block.ref()


async def test_follow__when_a_reorg_goes_below_the_final_block__then_halts_and_undoes_nothing() -> None:
    rig = Rig()
    for number in range(1, 7):
        rig.chain.mine([rig.mint(number)])
    indexer = rig.start()
    await settle(indexer)
    before, rows = rig.progress, dict(rig.store.block_rows)
    good = list(rig.chain.mined)
    rig.chain.drop(5)
    for number in range(11, 18):
        rig.chain.mine([rig.mint(number)])
    with capture_logs() as logs:
        assert not await indexer.poll()
    assert [entry["event"] for entry in logs if entry["log_level"] == "critical"] == ["reorg_past_finality"]
    assert indexer.halted
    assert "past finality" in str(indexer.trouble())
    assert (rig.progress, rig.store.block_rows, rig.token_ids()) == (before, rows, {1, 2, 3, 4, 5, 6})

    rig.chain.mined = good
    rig.chain.mine()
    await settle(indexer)
    assert (indexer.halted, indexer.trouble()) == (False, None)
    assert rig.progress.head == rig.chain.mined[-1].block.ref()


async def test_follow__when_the_node_is_behind_the_final_block__then_waits() -> None:
    rig = Rig()
    for _ in range(6):
        rig.chain.mine()
    indexer = rig.start()
    await settle(indexer)
    before = rig.progress
    rig.chain.mined, rig.chain.finalized = rig.chain.mined[:2], 0
    with pytest.raises(Unavailable, match="behind the final"):
        await indexer.poll()
    assert rig.progress == before


async def test_trouble__when_no_round_ends_for_long__then_says_so() -> None:
    rig = Rig()
    indexer = rig.start()
    await settle(indexer)
    rig.time += 31
    assert indexer.trouble() == "no round finished for 31 s"


@pytest.mark.parametrize("empty", [1, 2])
async def test_events__when_the_bloom_contradicts_an_empty_answer__then_are_asked_for_again(
    empty: int,
) -> None:
    rig = Rig()
    indexer = rig.start()
    await settle(indexer)
    rig.chain.empty, rig.chain.asked = empty, 0
    rig.chain.mine([rig.mint(1)])
    await settle(indexer)
    assert rig.token_ids() == {1}
    assert rig.chain.asked == 2


async def test_events__when_the_bloom_says_no__then_are_not_asked_for() -> None:
    rig = Rig()
    indexer = rig.start()
    await settle(indexer)
    rig.chain.asked = 0
    rig.chain.mine([Sent(b"\1" * 32, BOB, (Move(BOB, 1, None, ALICE),))])
    await settle(indexer)
    assert rig.progress.head.number == 1
    assert rig.chain.asked == 0


async def test_mint__when_its_record_says_rejected__then_the_token_is_indexed_and_an_error_logged() -> None:
    rig = Rig()
    rig.record("mint_a", MintStatus.REJECTED)
    rig.record("mint_b", MintStatus.SUBMITTED)
    indexer = rig.start()
    await settle(indexer)
    rig.chain.mine(
        [rig.mint(1, mint_id="mint_a"), rig.mint(2, mint_id="mint_b"), rig.mint(3, mint_id="none")]
    )
    with capture_logs() as logs:
        await settle(indexer)
    refused = [(e["mint_id"], e["status"]) for e in logs if e["event"] == "mint_outcome_refused"]
    assert sorted(refused, key=str) == [("mint_a", "rejected"), ("none", None)]
    assert rig.store.token_table[TokenKey(CONTRACT, 1)].mint_id == "mint_a"
    statuses = [rig.store.mint_table[mint_id].status for mint_id in ("mint_a", "mint_b")]
    assert statuses == [MintStatus.REJECTED, MintStatus.MINED]

    rig.chain.drop(1)
    rig.chain.mine()
    await settle(indexer)
    assert rig.store.mint_table["mint_b"].status is MintStatus.SUBMITTED
    assert rig.token_ids() == set()


async def test_mint__when_someone_moved_it_on_before_its_block_is_undone__then_ownership_is_undone() -> None:
    rig = Rig()
    rig.record("mint_a", MintStatus.SUBMITTED)
    indexer = rig.start()
    await settle(indexer)
    rig.chain.mine([rig.mint(1, mint_id="mint_a")])
    await settle(indexer)
    rig.record("mint_a", MintStatus.FINALIZED)
    rig.chain.drop(1)
    rig.chain.mine()
    with capture_logs() as logs:
        await settle(indexer)
    assert [e["mint_ids"] for e in logs if e["event"] == "mints_not_reopened"] == [["mint_a"]]
    assert rig.token_ids() == set()
    assert rig.store.mint_table["mint_a"].status is MintStatus.FINALIZED


async def test_finality__when_a_block_becomes_final__then_its_mints_do_before_the_checkpoint() -> None:
    rig = Rig()
    rig.record("mint_a", MintStatus.SUBMITTED)
    indexer = rig.start()
    await settle(indexer)
    rig.chain.mine([rig.mint(1, mint_id="mint_a")])
    await settle(indexer)
    for _ in range(FINALITY):
        rig.chain.mine()
    await indexer.step_down()
    seen: list[MintStatus] = []

    class Watched(MemoryStore):
        async def commit(self, progress: Progress, write: Write) -> None:
            if progress.finalized.number == 1:
                seen.append(self.mint_table["mint_a"].status)
            await super().commit(progress, write)

    await settle(rig.start(store=rig.like(Watched)))
    assert seen
    assert set(seen) == {MintStatus.FINALIZED}


async def test_rows__when_blocks_are_final__then_are_deleted_in_batches() -> None:
    rig = Rig()
    indexer = rig.start()
    await settle(indexer)
    most = 0
    for _ in range(100):
        rig.chain.mine()
        await settle(indexer)
        most = max(most, len(rig.store.block_rows))
    assert most <= 25 + FINALITY + 1


async def test_standby__when_the_writer_is_alive__then_waits() -> None:
    rig = Rig()
    writer, standby = rig.start(), rig.start()
    await settle(writer)
    for _ in range(40):
        rig.time += STANDBY_INTERVAL
        await writer.poll()
        assert not await standby.poll()
    assert (writer.writing, standby.writing) == (True, False)
    assert standby.trouble() is None


async def test_standby__when_the_writer_is_silent__then_takes_over_and_fences_it() -> None:
    rig = Rig()
    writer, standby = rig.start(), rig.start()
    await settle(writer)
    await standby.poll()
    rig.time += 9
    await standby.poll()
    assert not standby.writing
    rig.time += 7
    await settle(standby)
    assert standby.writing

    rig.chain.mine([rig.mint(1)])
    before = rig.progress
    with capture_logs() as logs:
        assert not await writer.poll()
    assert "writer_fenced" in [entry["event"] for entry in logs]
    assert (writer.writing, rig.progress) == (False, before)


async def test_standby__when_the_writer_steps_down__then_takes_over_at_once() -> None:
    rig = Rig()
    writer, standby = rig.start(), rig.start()
    await settle(writer)
    await standby.poll()
    await writer.step_down()
    rig.time += STANDBY_INTERVAL
    await settle(standby)
    assert standby.writing


async def test_writer__when_restarted_under_its_own_name__then_goes_on_at_once() -> None:
    rig = Rig()
    await settle(rig.start(writer="indexer"))
    again = rig.start(writer="indexer")
    await settle(again)
    assert again.writing


async def test_writer__when_an_acknowledgement_is_lost__then_nothing_is_written_twice() -> None:
    rig = Rig()
    await settle(rig.start(writer="indexer"))

    class Deaf(MemoryStore):
        lost = 0

        async def commit(self, progress: Progress, write: Write) -> None:
            await super().commit(progress, write)
            if write.tokens:
                self.lost += 1
                raise Fenced("what a repetition of the request would say")

    store = rig.like(Deaf)
    indexer = rig.start(writer="indexer", store=store)
    rig.chain.mine([rig.mint(1)])
    await settle(indexer)
    assert store.lost == 1
    assert indexer.writing
    assert set(store.token_table) == {TokenKey(CONTRACT, 1)}
    assert len(store.transfer_table) == 1
