"""The written side of the index: the checkpoint, and the writes that move it.

A block is written in four steps, each after the one before::

    undo records ─▶ checkpoint: the block is mixed ─▶ effects, side by side ─▶ checkpoint: it is the head

and undone in three::

    checkpoint: the block is mixed, its parent the head ─▶ effects taken back ─▶ checkpoint: nothing is mixed

Invariants:

- Every write of the checkpoint is on the condition that it is the one last read, so of two writers one at
  most announces a block. The number of the write by which it does is its fencing token for the block.
- A mixed block is taken back by its finder, by undo records that were all there before it was mixed.
- Each item carries the fencing token of its last write, and a write under an older one changes nothing. So
  what an overtaken writer still has on its way does no harm, whenever it arrives.
- After a write that failed in any way the memory is forgotten and read again: it may have happened.
- Blocks above `finalized` have undo records and are undone newest first. Only a block without effects, below
  the chain's final block when it was read, has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from mintline.clock import UnixMs
from mintline.records.transactions import TransactionKey
from mintline_indexer import lanes
from mintline_indexer.chain_port import Block, Ref
from mintline_indexer.effects import Effect, Facts
from mintline_indexer.finalizing import finalize_ended
from mintline_indexer.folding import BlockChanges, fold
from mintline_indexer.metrics import Metrics
from mintline_indexer.outcome_metrics import report_changes
from mintline_indexer.reconsidering import learn
from mintline_indexer.refused_outcomes import report_foreign
from mintline_indexer.store_port import (
    NO_CONTRACTS,
    Mixed,
    Progress,
    Refused,
    Store,
    TokenKey,
    UndoRecord,
    Write,
)
from mintline_indexer.undo_records import backfill_record, block_records, decided, linked
from mintline_indexer.undoing import Undone, explain_missing, take_back
from mintline_indexer.writes import Name

JOINS = 98
"""Contracts that join in one transaction at most: DynamoDB's 100 actions, less the checkpoint and one."""
PRUNE_BATCH = 25
"""Undo records are deleted that many at a time: one request, whatever the pace of the chain."""
ROWS_AT_ONCE = 100
"""Changes in one call of the store."""
HEARTBEAT = 2_000
"""Milliseconds after which a writer that is amid a block shows that it is alive."""

log = structlog.get_logger()


class IndexWriter:
    """What this writer believes is stored, and the only way to change it.

    `now` returns Unix milliseconds; `rows_at_once` is how many changes one call of the store takes.
    """

    def __init__(
        self,
        *,
        store: Store,
        progress: Progress,
        metrics: Metrics,
        now: Callable[[], UnixMs],
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._now = now
        self._rows_at_once = rows_at_once
        self._committing = asyncio.Lock()
        self._dirty = False
        self._moved: dict[str, int | None] = {}
        """The contracts whose backfill came further since the last write: one at most."""
        self._undo_records: list[UndoRecord] = []
        self._mixed: list[UndoRecord] = []
        """The undo records of the mixed block, whole."""
        self._not_finalized: list[UndoRecord] = []
        self._spent: list[str] = []
        self.progress = progress

    @classmethod
    async def open(
        cls,
        *,
        store: Store,
        progress: Progress,
        metrics: Metrics,
        now: Callable[[], UnixMs],
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> IndexWriter:
        """Return the writer of a checkpoint that this instance holds, with its undo records read."""
        index_writer = cls(
            store=store, progress=progress, metrics=metrics, now=now, rows_at_once=rows_at_once
        )
        stored = await store.undo_records()
        backfilled = [record for record in stored if record.backfilled]
        followed = linked(stored, progress.tail, above=progress.finalized.number)
        if (mixed := progress.mixed) is not None:
            index_writer._mixed = linked(stored, mixed.tail, above=mixed.number - 1)
        used = {record.position for record in (*backfilled, *followed, *index_writer._mixed)}
        index_writer._not_finalized = [record.bare() for record in backfilled]
        index_writer._undo_records = [record.bare() for record in followed]
        index_writer._spent = [record.position for record in stored if record.position not in used]
        return index_writer

    @property
    def head(self) -> Ref:
        """The newest block that is indexed completely."""
        return self.progress.head

    @property
    def finalized(self) -> Ref:
        """The newest block that is never undone."""
        return self.progress.finalized

    def indexed(self, number: int) -> Ref | None:
        """Return the indexed block of that number, if it is at or above the finalized one and known."""
        for ref in (self.head, self.finalized):
            if ref.number == number:
                return ref
        for undo_record in reversed(self._undo_records):
            if undo_record.number == number and undo_record.complete:
                return undo_record.ref()
            if undo_record.number < number:
                break
        return None

    def pass_over(self, block: Ref) -> None:
        """Move the head over a final block without effects; the next write records it."""
        self.progress = replace(self.progress, head=block)
        self._dirty = True

    async def apply(self, block: Block, effects: Sequence[Effect], facts: Facts) -> None:
        """Write a block on top of the head."""
        report_foreign(facts, self._metrics)
        changes = None
        while changes is None:
            changes = await self._apply(block, effects, facts)
        report_changes(changes, self._metrics, at=self.progress.at)

    async def _apply(self, block: Block, effects: Sequence[Effect], facts: Facts) -> BlockChanges | None:
        """Write a block, and return what was written; None if it was taken back, and is to be tried again."""
        fence = self.progress.fence + 1
        changes = fold(effects, facts)
        undo_records = await self._keep(block, changes, fence)
        if changes.write:
            mixed = Mixed(block.number, block.hash, undo_records[-1].position)
            await self._commit(replace(self.progress, mixed=mixed))
        written: set[Name] = set()
        while refused := await self._write(changes.write, fence, written):
            await learn(refused, facts, store=self._store, metrics=self._metrics)
            folded = fold(effects, facts)
            unread = any(isinstance(name, TokenKey) for name in refused.assumed)
            if unread or folded.write.only(written) != changes.write.only(written):
                await self._commit(self.progress)
                await self._take_back(undo_records)
                return None
            changes = folded
            undo_records = await self._keep(block, changes, fence)
        tail = undo_records[-1].position
        await self._commit(replace(self.progress, head=block.ref(), mixed=None, tail=tail))
        self._undo_records += [undo_record.bare() for undo_record in undo_records]
        return changes

    async def _keep(self, block: Block, changes: BlockChanges, fence: int) -> list[UndoRecord]:
        """Store the undo records of a block that is to be written, before anything of it is."""
        progress = self.progress
        undo_records = block_records(
            block, changes, parent=progress.head, previous=progress.tail, fence=fence, at=self._now()
        )
        await self._store.keep_undo(undo_records, changes.aside)
        # A try that did not come to be announced has left its records under the same fencing token.
        kept = {undo_record.position for undo_record in undo_records}
        self._spent = [position for position in self._spent if position not in kept]
        return undo_records

    async def _write(self, write: Write, fence: int, written: set[Name]) -> Refused:
        """Write what is not in `written` yet, up to the first stage of which something is refused."""
        at = self._now()
        for stage in write.stages():
            names = set(stage.names())
            refused = await lanes.run(
                stage.only(names - written).split(self._rows_at_once),
                lambda piece: self._store.write(piece, fence=fence, at=at),
                between=self._show_life,
            )
            written |= names - refused.names()
            if refused:
                return refused
        return Refused()

    async def _show_life(self) -> None:
        """Move the checkpoint's revision if that was long ago, so that no standby takes over."""
        if self._now() - self.progress.at >= HEARTBEAT and not self._committing.locked():
            async with self._committing:
                await self._commit(self.progress)

    async def apply_range(self, contract: str, effects: Sequence[Effect], facts: Facts, *, end: int) -> None:
        """Write a backfilled range of final blocks, and move the contract's backfill to block `end`.

        Nothing here is ever undone, so it gets an undo record only if it ends something. A range that a crash
        cuts short is written again from its start, which leads to the same records.
        """
        report_foreign(facts, self._metrics)
        if self._moved.keys() - {contract}:
            await self.flush()  # the checkpoint's write has room for one
        changes = fold(effects, facts)
        while changes.write:
            await self._commit(self.progress)
            refused = await self._write(changes.write, self.progress.fence, set())
            if not refused:
                break
            await learn(refused, facts, store=self._store, metrics=self._metrics)
            facts.assumed_new.clear()  # what is there by now was read, or is of this range
            changes = fold(effects, facts)
        ending = bool(changes.write.results or decided(changes.write.outcomes))
        undo_records = []
        if ending:
            number = effects[0].block_number
            undo_records = [backfill_record(number, self.progress.fence, changes, at=self._now())]
        if ending or changes.aside:
            await self._store.keep_undo(undo_records, changes.aside)
        self._moved = {contract: end}
        self.progress = replace(self.progress, backfills={**self.progress.backfills, contract: end})
        self._dirty = True
        if effects:
            await self.flush()
        self._not_finalized += [undo_record.bare() for undo_record in undo_records]
        report_changes(changes, self._metrics, at=self.progress.at)

    async def join(self, contracts: Sequence[str]) -> None:
        """Follow contracts from the next block on; they must be indexed up to the head.

        Many take several writes: each contract joins by one of them, and a crash leaves the others waiting.
        """
        for start in range(0, len(contracts), JOINS):
            joining = contracts[start : start + JOINS]
            followed = tuple(sorted({*self.progress.collections, *joining}))
            waiting = {k: v for k, v in self.progress.backfills.items() if k not in joining}
            progress = replace(self.progress, collections=followed, backfills=waiting)
            self._moved = {k: v for k, v in self._moved.items() if k not in joining}
            await self._commit(progress, dict.fromkeys(joining))

    async def undo_to(self, ancestor: Ref) -> Undone:
        """Undo every block above `ancestor`, newest first; return what they had ended."""
        undone = Undone()
        while self._undo_records and self._undo_records[-1].number > ancestor.number:
            await self._undo(undone)
        if self.head.number > ancestor.number:
            self.pass_over(ancestor)
            await self.flush()
        return undone

    async def _undo(self, undone: Undone) -> None:
        """Undo the newest block; add what it had ended to `undone`."""
        number = self._undo_records[-1].number
        known = [record for record in self._undo_records if record.number == number]
        stored = await asyncio.gather(*(self._store.undo_record(record.position) for record in known))
        undo_records = [record for record in stored if record is not None]
        if len(undo_records) < len(known):
            raise await explain_missing(self._store, known[stored.index(None)], self.progress.revision)
        first, last = undo_records[0], undo_records[-1]
        mixed = Mixed(number, last.hash, last.position)
        await self._commit(replace(self.progress, head=first.parent_ref(), mixed=mixed, tail=first.previous))
        del self._undo_records[-len(known) :]
        refused = await self._take_back(undo_records, undone)
        if refused:
            # Ownership is undone all the same: what someone else moved on is theirs to explain.
            mints = sorted(name for name in refused.names() if isinstance(name, str))
            places = sorted(name for name in refused.names() if isinstance(name, TransactionKey))
            log.error("mints_not_reopened", block=number, mint_ids=mints, transactions=places)

    async def take_back_mixed(self) -> Undone:
        """Take back what there is of the mixed block; return what it had ended, or may have."""
        undone = Undone()
        undo_records = self._mixed
        await self._commit(self.progress)
        await self._take_back(undo_records, undone)
        return undone

    async def _take_back(self, undo_records: Sequence[UndoRecord], undone: Undone | None = None) -> Refused:
        """Take back the mixed block, under the revision that was committed last."""
        taken_back = await take_back(
            self._store,
            undo_records,
            fence=self.progress.fence,
            at=self._now(),
            rows_at_once=self._rows_at_once,
            between=self._show_life,
        )
        await self._commit(replace(self.progress, mixed=None))
        self._mixed = []
        await self._store.prune([record.position for record in undo_records])
        if undone is not None:
            taken_back.add_to(undone)
        return taken_back.refused

    async def finalize(self, block: Ref | None) -> None:
        """Finalize what ended up to an indexed block that is final, then record that it is.

        Without a block, only what ended in backfilled ranges is finalized. Safe to repeat.
        """
        final = [
            undo_record
            for undo_record in self._undo_records
            if block is not None and undo_record.number <= block.number
        ]
        ended = self._not_finalized + final
        await finalize_ended(ended, store=self._store, metrics=self._metrics, at=self._now())
        if block is not None:
            self.progress = replace(self.progress, finalized=block)
            self._dirty = True
        self._undo_records = self._undo_records[len(final) :]
        self._not_finalized = []
        self._spent += [undo_record.position for undo_record in ended]

    async def flush(self, *, even_if_clean: bool = False) -> None:
        """Record what only memory knows; then drop undo records that are spent, once there are enough."""
        if self._dirty or even_if_clean:
            await self._commit(self.progress)
        # One may go only when the stored checkpoint says that its block is final: hence after the commit.
        if len(self._spent) >= PRUNE_BATCH:
            await self._store.prune(self._spent)
            self._spent = []

    async def step_down(self) -> None:
        """Leave the checkpoint to another instance."""
        await self._commit(replace(self.progress, writer=""))

    async def _commit(self, progress: Progress, contracts: Mapping[str, int | None] = NO_CONTRACTS) -> None:
        progress = replace(progress, revision=self.progress.revision + 1, at=self._now())
        await self._store.commit(progress, {**self._moved, **contracts})
        self.progress = progress
        self._dirty = False
        self._moved = {}
