"""A block that takes several transactions, and a writer that dies between two of them."""

from __future__ import annotations

import random

import pytest
from prometheus_client import CollectorRegistry

from mintline.clock import Monotonic, UnixMs
from mintline.errors import Unavailable
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import Progress, TokenKey, Write
from mintline_testkit.chain import FakeChain, Move, Sent
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.polling import catch_up
from mintline_testkit.indexer.store import MemoryCollectionRegistry, MemoryStore

ALICE, BOB = "0x" + "2" * 40, "0x" + "3" * 40
TOKENS = 120


class Breaking(MemoryStore):
    """Fails instead of the write that follows the first part of a block."""

    broken = False

    async def commit(self, progress: Progress, write: Write) -> None:
        if self.progress is not None and self.progress.partial is not None and not self.broken:
            self.broken = True
            raise Unavailable("the table is out of order")
        await super().commit(progress, write)


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
    assert store.progress.partial is not None
    assert (store.progress.head.number, store.progress.partial.number) == (0, 1)
    assert 0 < len(store.token_table) < TOKENS
    return chain, store


async def test_partial__when_the_next_writer_finds_it__then_finishes_the_block_and_can_undo_it() -> None:
    chain, store = await broken_off()
    parts = len(store.block_rows)
    again = indexer(chain, store)
    await catch_up(again)
    assert {token.owner for token in store.token_table.values()} == {BOB}
    assert (len(store.token_table), len(store.transfer_table)) == (TOKENS, 2 * TOKENS)
    assert len(store.block_rows) > parts
    assert [undo_record.complete for undo_record in await store.undo_records()][-1]

    chain.drop(1)
    chain.mine()
    await catch_up(again)
    assert (store.token_table, store.transfer_table) == ({}, {})
    assert [undo_record.number for undo_record in await store.undo_records()] == [1]


async def test_partial__when_its_block_is_gone__then_is_undone() -> None:
    chain, store = await broken_off()
    chain.drop(1)
    chain.mine([Sent(b"\3" * 32, CONTRACT, (Move(CONTRACT, 7, None, BOB, bytes(32)),))])
    await catch_up(indexer(chain, store))
    assert set(store.token_table) == {TokenKey(CONTRACT, 7)}
    assert len(store.transfer_table) == 1
    assert store.progress is not None
    assert store.progress.partial is None
    assert store.progress.head == chain.mined[-1].block.ref()


async def test_partial__when_the_node_does_not_have_its_block_yet__then_waits() -> None:
    chain, store = await broken_off()
    before = store.progress
    hidden = chain.mined.pop()
    with pytest.raises(Unavailable, match="no block 1 yet"):
        await indexer(chain, store).poll()
    assert store.progress == before
    chain.mined.append(hidden)
    await catch_up(indexer(chain, store))
    assert len(store.token_table) == TOKENS
