"""An indexer that follows one block after another: what it costs, and what it holds, as days go by."""

from __future__ import annotations

import gc
import hashlib
import random
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from mintline.clock import Monotonic, UnixMs
from mintline_harness.growth.records import CONTRACT
from mintline_indexer.chain_port import (
    Block,
    BlockTransaction,
    Event,
    Ref,
    Tips,
    TransactionOutcome,
    TransferEvent,
)
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics
from mintline_testkit.indexer.store import MemoryCollectionRegistry, MemoryStore

SECONDS = 12
"""From block to block."""
A_DAY = 24 * 3600 // SECONDS
FINALITY = 64
TOKENS = 100
MOVES_IN = 10
"""One block in so many moves a token."""
NOTHING, ANYTHING = bytes(256), b"\xff" * 256
"""Blooms of logs."""
OWNERS = ("0x" + "2" * 40, "0x" + "3" * 40)


@dataclass(frozen=True, slots=True)
class Day:
    """A day's blocks: CPU for each, and what the process and the index hold at its end."""

    day: int
    cpu_us: float
    held_mb: float
    undo_records: int


@dataclass(slots=True)
class EndlessChain:
    """A chain whose blocks follow from their numbers, so that it holds none of them."""

    head: int = 0
    several = False

    async def confirmed(self, block: Ref) -> bool:
        """Tell whether the chain has this block."""
        return block.hash == _hash(block.number)

    async def tips(self) -> Tips:
        """Return the newest and the newest final block."""
        return Tips(_block(self.head), _block(max(0, self.head - FINALITY)))

    async def block(self, ref: int | bytes, *, full: bool) -> Block | None:
        """Return a block."""
        del full
        return _block(ref if isinstance(ref, int) else int.from_bytes(ref[:8], "big"))

    async def events(self, block_hash: bytes, contracts: Sequence[str]) -> Sequence[Event]:
        """Return a block's events."""
        del contracts
        return _events(int.from_bytes(block_hash[:8], "big"))

    async def events_from_receipts(self, block: Block, contracts: Sequence[str]) -> Sequence[Event]:
        """Return the same."""
        return await self.events(block.hash, contracts)

    async def events_between(self, first: int, last: int, contracts: Sequence[str]) -> Sequence[Event]:
        """Return the events of several blocks."""
        del contracts
        return [event for number in range(first, last + 1) for event in _events(number)]

    async def item_balances(
        self, contract: str, held: Sequence[tuple[str, int]], *, block: int
    ) -> Sequence[int] | None:
        """Return nothing: there are no items."""
        del contract, held, block
        return None

    async def outcome(self, tx_hash: bytes) -> TransactionOutcome | None:
        """Return nothing: none of the transactions is ours."""
        del tx_hash
        return None


def days_table(days: Sequence[Day]) -> str:
    """Return the days as aligned lines."""
    rows = [f"{day.day:>5}{day.cpu_us:>16,}{day.held_mb:>12}{day.undo_records:>16}" for day in days]
    return "\n".join(["  day    us CPU a block     held MB    undo records", *rows])


async def follow(days: int, *, blocks_a_day: int = A_DAY) -> list[Day]:
    """Return what each day came to."""
    chain, store = EndlessChain(), MemoryStore()
    indexer = Indexer(
        chain=chain,
        store=store,
        collections=MemoryCollectionRegistry({CONTRACT: 1}),
        chain_id=1,
        writer="writer",
        takeover_after=10.0,
        widest=100,
        whole=100,
        metrics=Metrics(CollectorRegistry()),
        clock=lambda: Monotonic(chain.head * SECONDS),
        now=lambda: UnixMs(chain.head * SECONDS * 1000),
        rng=random.Random(1),  # noqa: S311 - reproducible on purpose
    )
    measured = []
    tracemalloc.start()
    for day in range(1, days + 1):
        started = time.process_time()
        for _ in range(blocks_a_day):
            chain.head += 1
            while await indexer.poll():
                pass
        spent = time.process_time() - started
        assert store.progress is not None
        assert store.progress.head.number == chain.head, "the indexer is behind"
        _forget_transfers(store)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
        measured.append(
            Day(day, round(spent / blocks_a_day * 1e6, 1), round(held / 1e6, 2), len(store.block_rows))
        )
    tracemalloc.stop()
    return measured


def _forget_transfers(store: MemoryStore) -> None:
    """Drop the history of transfers, which is a table and only ever added to."""
    for key in store.transfer_table:
        store.fences.pop(key, None)
    store.transfer_table.clear()


def _hash(number: int) -> bytes:
    return number.to_bytes(8, "big") + hashlib.sha256(number.to_bytes(8, "big")).digest()[:24]


def _block(number: int) -> Block:
    moves = _events(number)
    return Block(
        number=number,
        hash=_hash(number),
        parent_hash=_hash(max(0, number - 1)),
        timestamp=number * SECONDS,
        logs_bloom=ANYTHING if moves else NOTHING,
        transactions=tuple(BlockTransaction(move.tx_hash, CONTRACT) for move in moves),
    )


def _events(number: int) -> list[TransferEvent]:
    """Return the events of a block: tokens are minted first, and then go to and fro."""
    turn, rest = divmod(number, MOVES_IN)
    if rest or not turn:
        return []
    times, token_id = divmod(turn - 1, TOKENS)
    sender = OWNERS[(times - 1) % 2] if times else None
    tx_hash = hashlib.sha256(b"transaction" + number.to_bytes(8, "big")).digest()
    return [
        TransferEvent(number, _hash(number), tx_hash, 0, CONTRACT, token_id + 1, sender, OWNERS[times % 2])
    ]
