"""A block that takes several writes, and a writer that dies between two of them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from mintline.clock import Monotonic, UnixMs
from mintline.errors import Unavailable
from mintline.records.index import Token
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import (
    NO_CONTRACTS,
    Aside,
    CheckpointConflict,
    Progress,
    Refused,
    TokenKey,
    TokenWrite,
    UndoRecord,
    Write,
)
from mintline_testkit.chain import FakeChain, Move, Sent
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.polling import catch_up
from mintline_testkit.indexer.store import MemoryCollectionRegistry, MemoryStore

ALICE, BOB = "0x" + "2" * 40, "0x" + "3" * 40
TOKENS = 120


@dataclass(slots=True)
class Breaking(MemoryStore):
    """Fails from the third write of a block's items on, until it is repaired."""

    writes: int = 0
    broken: bool = True

    async def write(self, write: Write, *, fence: int, at: int) -> Refused:
        self.writes += 1
        if self.broken and self.writes > 2:
            raise Unavailable("the table is out of order")
        return await super(Breaking, self).write(write, fence=fence, at=at)


def indexer(chain: FakeChain, store: MemoryStore) -> Indexer:
    return Indexer(
        chain=chain,
        store=store,
        collections=MemoryCollectionRegistry({CONTRACT: 1}),
        chain_id=1,
        writer="indexer",
        takeover_after=10.0,
        widest=10,
        whole=10,
        metrics=Metrics(CollectorRegistry()),
        clock=lambda: Monotonic(0.0),
        now=lambda: UnixMs(0),
        rng=random.Random(1),
        rows_at_once=25,
    )


def crowd() -> list[Sent]:
    """Mint many tokens, then move each of them: all in one block."""
    mints = tuple(Move(CONTRACT, number, None, ALICE, bytes(32)) for number in range(TOKENS))
    moves = tuple(Move(CONTRACT, number, ALICE, BOB) for number in range(TOKENS))
    return [Sent(b"\1" * 32, CONTRACT, mints), Sent(b"\2" * 32, CONTRACT, moves)]


async def broken_off() -> tuple[FakeChain, Breaking]:
    chain, store = FakeChain(), Breaking()
    await catch_up(indexer(chain, store))
    chain.mine(crowd())
    with pytest.raises(Unavailable):
        await indexer(chain, store).poll()
    assert store.progress is not None
    assert store.progress.mixed is not None
    assert (store.progress.head.number, store.progress.mixed.number) == (0, 1)
    assert 0 < len(store.token_table) < TOKENS
    store.broken = False
    return chain, store


async def test_mixed__when_the_next_writer_finds_it__then_writes_the_block_again_and_can_undo_it() -> None:
    chain, store = await broken_off()
    again = indexer(chain, store)
    await catch_up(again)
    assert {token.owner for token in store.token_table.values()} == {BOB}
    assert (len(store.token_table), len(store.transfer_table)) == (TOKENS, 2 * TOKENS)
    undo_records = [record for record in await store.undo_records() if record.position > "000000000001"]
    assert undo_records[-1].complete

    chain.drop(1)
    chain.mine()
    await catch_up(again)
    assert (store.token_table, store.transfer_table) == ({}, {})


async def test_mixed__when_it_was_taken_back__then_late_writes_of_it_are_fenced() -> None:
    chain, store = await broken_off()
    keys = [TokenKey(CONTRACT, number) for number in range(TOKENS)]
    late = [Write(tokens=(TokenWrite(key, token(key.token_id), assumed_new=True),)) for key in keys]
    late += [Write(transfers=(transfer,)) for transfer in store.transfer_table.values()]
    progress = store.progress
    assert progress is not None
    chain.drop(1)
    chain.mine()
    await catch_up(indexer(chain, store))
    for write in late:
        with pytest.raises(CheckpointConflict):
            await store.write(write, fence=progress.revision, at=0)
    assert (store.token_table, store.transfer_table) == ({}, {})


def token(token_id: int) -> Token:
    return Token(
        chain_id=1,
        contract=CONTRACT,
        token_id=token_id,
        owner=BOB,
        metadata_digest=None,
        mint_id=None,
        minted_block=1,
        block_number=1,
        tx_hash=bytes(32),
    )


@pytest.mark.parametrize("died", range(1, 9))
async def test_block__when_its_writer_dies_at_any_write__then_the_next_one_ends_with_the_same(
    died: int,
) -> None:
    """Undo records, the mark, pieces of the items, the head: each of them is the last thing that it did."""
    chain, store = FakeChain(), Dying()
    await catch_up(indexer(chain, store))
    chain.mine(crowd())
    store.left = died
    with pytest.raises(Crash):
        await catch_up(indexer(chain, store))
    store.left = -1
    await catch_up(indexer(chain, store))
    assert {token.owner for token in store.token_table.values()} == {BOB}
    assert (len(store.token_table), len(store.transfer_table)) == (TOKENS, 2 * TOKENS)
    assert store.progress is not None
    assert (store.progress.head.number, store.progress.mixed) == (1, None)


async def test_undo_records__when_a_try_was_not_announced__then_the_next_ones_are_not_deleted_for_its() -> (
    None
):
    chain, store = FakeChain(), Dying()
    await catch_up(indexer(chain, store))
    chain.mine()
    store.left = 1
    with pytest.raises(Crash):
        await catch_up(indexer(chain, store))
    store.left = -1
    again = indexer(chain, store)
    for _ in range(60):
        await catch_up(again)
        chain.mine()
    positions = set(store.block_rows)
    assert store.progress is not None
    assert store.progress.tail in positions
    await catch_up(indexer(chain, store))


class Crash(BaseException):
    """The process dies."""


@dataclass(slots=True)
class Dying(MemoryStore):
    """Dies after so many writes of any kind; never if that is negative."""

    left: int = -1

    def _tick(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash

    async def commit(self, progress: Progress, contracts: Mapping[str, int | None] = NO_CONTRACTS) -> None:
        await super(Dying, self).commit(progress, contracts)
        self._tick()

    async def keep_undo(self, undo_records: Sequence[UndoRecord], aside: Sequence[Aside] = ()) -> None:
        await super(Dying, self).keep_undo(undo_records, aside)
        self._tick()

    async def write(self, write: Write, *, fence: int, at: int) -> Refused:
        refused = await super(Dying, self).write(write, fence=fence, at=at)
        self._tick()
        return refused


async def test_mixed__when_its_block_is_gone__then_is_undone() -> None:
    chain, store = await broken_off()
    chain.drop(1)
    chain.mine([Sent(b"\3" * 32, CONTRACT, (Move(CONTRACT, 7, None, BOB, bytes(32)),))])
    await catch_up(indexer(chain, store))
    assert set(store.token_table) == {TokenKey(CONTRACT, 7)}
    assert len(store.transfer_table) == 1
    assert store.progress is not None
    assert store.progress.mixed is None
    assert store.progress.head == chain.mined[-1].block.ref()


async def test_mixed__when_the_node_does_not_have_its_block_yet__then_takes_it_back_and_waits() -> None:
    chain, store = await broken_off()
    hidden = chain.mined.pop()
    again = indexer(chain, store)
    await catch_up(again)
    assert store.progress is not None
    assert (store.progress.head.number, store.progress.mixed) == (0, None)
    assert (store.token_table, store.transfer_table) == ({}, {})
    chain.mined.append(hidden)
    await catch_up(again)
    assert len(store.token_table) == TOKENS
