"""Brings a new collection up to the head, so that it can be followed with the others.

From the block it was deployed in to the finalized block its events are read by ranges and written without
undo records: final blocks stay. Then the few blocks above are undone and applied again with it, which gives
them undo records as if it had always been followed.

Events do not show a mint of ours that reverted; only whole blocks do. So the newest of the final blocks are
read whole: so many blocks, no mint waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from mintline.errors import Unavailable
from mintline_indexer.chain_port import ChainReader, Event, RangeTooWide, Ref
from mintline_indexer.effects import Effect, effects_of_block
from mintline_indexer.follow import MAX_GAP, Follower
from mintline_indexer.index_writer import IndexWriter
from mintline_indexer.reading import gather_facts, moving, read_block
from mintline_indexer.store_port import Store

RANGES = 16
"""Ranges that are read in one step, at most, before the head is followed again."""
SUCCESSES_TO_WIDEN = 16
"""Ranges in a row that the node must have answered before twice as many blocks are asked for."""

log = structlog.get_logger()


class Backfill:
    """Reads ranges of final blocks.

    `widest` is the most blocks whose events to ask for at once; the newest `whole` blocks are read whole.
    """

    def __init__(
        self,
        *,
        chain: ChainReader,
        store: Store,
        index_writer: IndexWriter,
        follower: Follower,
        chain_id: int,
        widest: int,
        whole: int,
    ) -> None:
        self._chain = chain
        self._store = store
        self._index_writer = index_writer
        self._follower = follower
        self._chain_id = chain_id
        self._widest = widest
        self._width = widest
        self._whole_blocks = whole
        self._succeeded = 0

    async def step(self, known: Mapping[str, int]) -> bool:
        """Bring collections that are not followed yet closer, and follow those that are there.

        Tells whether there is more to do. Those with the fewest blocks left come first, and none waits for
        another: blocks become final meanwhile, and a backfill that waits falls behind again.
        """
        new = {c: block for c, block in known.items() if c not in self._index_writer.progress.collections}
        final = self._index_writer.finalized.number
        for _ in range(RANGES):
            behind = self._behind(new)
            if not behind:
                break
            first, contract = max((self._first(c, new), c) for c in behind)
            await self._range(contract, first)
            if final - first > self._widest + self._whole_blocks:
                break  # it has a long way to go: the head is followed meanwhile
        behind = self._behind(new)
        ready = sorted(new.keys() - behind)
        if ready:
            await self._join(ready, min(new[contract] for contract in ready) - 1)
        return bool(behind)

    def _behind(self, new: Mapping[str, int]) -> set[str]:
        """Return the collections that are not read up to the finalized block."""
        final = self._index_writer.finalized.number
        return {contract for contract in new if self._first(contract, new) <= final}

    def _first(self, contract: str, new: Mapping[str, int]) -> int:
        return self._index_writer.progress.backfills.get(contract, new[contract])

    async def _join(self, contracts: Sequence[str], before: int) -> None:
        finalized = self._index_writer.finalized
        if self._index_writer.head.number > max(before, finalized.number):
            ancestor: Ref | None = (
                self._index_writer.indexed(before) if before > finalized.number else finalized
            )
            await self._follower.rewind(ancestor or finalized)
        # A contract that is followed has nothing below the final block that is not finalized.
        await self._index_writer.finalize(None)
        await self._index_writer.join(contracts)
        log.info("collections_followed", contracts=contracts, block=self._index_writer.head.number)

    async def _range(self, contract: str, first: int) -> None:
        final = self._index_writer.finalized.number
        if first > final - self._whole_blocks:
            await self._whole(contract, first, min(first + MAX_GAP - 1, final))
        else:
            await self._events(contract, first, min(first + self._width - 1, final - self._whole_blocks))

    async def _whole(self, contract: str, first: int, last: int) -> None:
        reading = (read_block(self._chain, number, [contract]) for number in range(first, last + 1))
        effects: list[Effect] = []
        timestamps = {}
        for number, block_effects in enumerate(await asyncio.gather(*reading), start=first):
            if block_effects is None:
                raise Unavailable(f"the node has no block {number}, which is final")
            effects += block_effects.effects
            timestamps[block_effects.block.hash] = block_effects.block.timestamp
        await self._write(contract, effects, timestamps, first=first, last=last)

    async def _events(self, contract: str, first: int, last: int) -> None:
        try:
            events = await self._chain.events_between(first, last, [contract])
        except RangeTooWide as error:
            if last == first:
                raise Unavailable(f"the node does not give the events of block {last} alone") from error
            self._succeeded = 0
            self._width = max(1, (last - first + 1) // 2)
            log.info("backfill_range_split", width=self._width, reason=str(error))
            return
        self._succeeded += 1
        if self._succeeded % SUCCESSES_TO_WIDEN == 0:
            self._width = min(self._widest, self._width * 2)
        timestamps = await self._timestamps(events)
        await self._write(contract, _effects(events), timestamps, first=first, last=last)

    async def _write(
        self,
        contract: str,
        effects: Sequence[Effect],
        timestamps: Mapping[bytes, int],
        *,
        first: int,
        last: int,
    ) -> None:
        facts = await gather_facts(
            effects,
            chain=self._chain,
            store=self._store,
            contracts=[contract],
            chain_id=self._chain_id,
            timestamps=timestamps,
            epoch=self._index_writer.progress.epoch,
        )
        await self._index_writer.apply_range(contract, effects, facts, end=last + 1)
        log.info("range_backfilled", contract=contract, first=first, last=last, effects=len(effects))

    async def _timestamps(self, events: Sequence[Event]) -> dict[bytes, int]:
        numbers = {event.block_hash: event.block_number for event in events}
        blocks = await asyncio.gather(*(self._chain.block(number, full=False) for number in numbers))
        timestamps = {}
        for (block_hash, number), block in zip(numbers.items(), blocks, strict=True):
            if block is None or block.number != number:
                raise Unavailable(f"the node gave events of block {number} but not the block")
            timestamps[block_hash] = block.timestamp
        return timestamps


def _effects(events: Sequence[Event]) -> list[Effect]:
    """Return the effects of many blocks in order."""
    by_block: dict[tuple[int, bytes], list[Event]] = {}
    for event in sorted(events, key=lambda event: (event.block_number, event.log_index)):
        by_block.setdefault((event.block_number, event.block_hash), []).append(event)
    effects: list[Effect] = []
    for (number, block_hash), block_events in by_block.items():
        transactions = list(dict.fromkeys(event.tx_hash for event in block_events))
        effects += effects_of_block(number, block_hash, block_events, transactions, moving(block_events))
    return effects
