"""The written side of the index: the checkpoint, the rows that undo, and the writes that move them.

Invariants:

- Every write is one transaction on the condition that the checkpoint is the one last read, so two writers
  cannot both be right, and a block's part is written once or not at all.
- After a write that failed in any way the memory is forgotten and read again: it may have happened.
- Blocks above `finalized` have rows and are undone newest first. Only a block without effects, below the
  chain's final block when it was read, has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from mintline.clock import UnixMs
from mintline.records import Operation
from mintline.states import MintStatus, TransactionState
from mintline.transaction_records import carried_by
from mintline_indexer.chain_port import Block, Ref
from mintline_indexer.effects import UNREADABLE, BlockPart, Effect, Facts, fold, mark_written, transfer_key
from mintline_indexer.metrics import Metrics
from mintline_indexer.refused_outcomes import report_foreign, report_outcome, report_result
from mintline_indexer.store_port import (
    ROOM,
    CheckpointConflict,
    Damaged,
    Outcome,
    Partial,
    Poisoned,
    Progress,
    RecordConflict,
    ReopenedTransaction,
    Store,
    TokenKey,
    TokenWrite,
    TransactionResult,
    UndoRecord,
    Write,
)
from mintline_indexer.undo_records import backfill_record, block_record, decided, reopened_mint

JOINS = ROOM + 1
"""Contracts that join in one transaction at most: there is no row in it."""
PRUNE_BATCH = 25
"""Rows are deleted that many at a time: one request, whatever the pace of the chain."""

log = structlog.get_logger()


@dataclass(slots=True)
class Undone:
    """The operations that the undone blocks had ended, which are open again."""

    operations: list[str] = field(default_factory=list)
    review: list[str] = field(default_factory=list)
    """One operation of each transaction, by which that is looked at."""


class IndexWriter:
    """What this writer believes is stored, and the only way to change it.

    `now` returns Unix milliseconds.
    """

    def __init__(
        self, *, store: Store, progress: Progress, metrics: Metrics, now: Callable[[], UnixMs]
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._now = now
        self._dirty = False
        self._moved: dict[str, int | None] = {}
        """The contracts whose backfill came further since the last write: one at most."""
        self._undo_records: list[UndoRecord] = []
        self._not_finalized: list[UndoRecord] = []
        self._spent: list[str] = []
        self.progress = progress

    @classmethod
    async def open(
        cls, *, store: Store, progress: Progress, metrics: Metrics, now: Callable[[], UnixMs]
    ) -> IndexWriter:
        """Return the writer of a checkpoint that this instance holds, with its undo records read."""
        index_writer = cls(store=store, progress=progress, metrics=metrics, now=now)
        for undo_record in await store.undo_records():
            if undo_record.backfilled:
                index_writer._not_finalized.append(undo_record.bare())
            elif undo_record.number > progress.finalized.number:
                index_writer._undo_records.append(undo_record.bare())
            else:
                index_writer._spent.append(undo_record.position)
        index_writer._undo_records.sort(key=lambda undo_record: (undo_record.number, undo_record.first))
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
        """Write a block on top of the head, in as many transactions as its items need."""
        parent = self.head
        report_foreign(facts, self._metrics)
        first = self.progress.partial.next if self.progress.partial else 0
        while True:
            part = fold(effects, first, facts)
            complete = part.next == len(effects)
            undo_record = block_record(
                block, part, parent=parent, complete=complete, earlier=self._undo_records, at=self._now()
            )
            if complete:
                progress = replace(self.progress, head=block.ref(), partial=None)
            else:
                progress = replace(self.progress, partial=Partial(block.number, block.hash, part.next))
            if not await self._write_part(progress, part, undo_record, facts):
                continue
            self._undo_records.append(undo_record.bare())
            if complete:
                return
            first = part.next

    async def apply_range(self, contract: str, effects: Sequence[Effect], facts: Facts, *, end: int) -> None:
        """Write a backfilled range of final blocks, and move the contract's backfill to block `end`.

        Nothing here is ever undone, so only parts with an outcome get an undo record. A block whose parts a
        crash separates is written again from its start, which leads to the same records.
        """
        first = 0
        report_foreign(facts, self._metrics)
        if self._moved.keys() - {contract}:
            await self.flush()  # a transaction has room for one
        while first < len(effects):
            part = fold(effects, first, facts)
            reached = end if part.next == len(effects) else effects[part.next].block_number
            progress = self._backfilled(contract, reached)
            undo_record = None
            if part.results or decided(part.outcomes):
                number = effects[first].block_number
                undo_record = backfill_record(number, self.progress.revision, part, at=self._now())
            if not await self._write_part(progress, part, undo_record, facts):
                continue
            if undo_record is not None:
                self._not_finalized.append(undo_record.bare())
            first = part.next
        if not effects:
            self.progress = self._backfilled(contract, end)
            self._dirty = True

    def _backfilled(self, contract: str, reached: int) -> Progress:
        """Return the progress with a contract's backfill at a block, which the next write records."""
        self._moved = {contract: reached}
        return replace(self.progress, backfills={**self.progress.backfills, contract: reached})

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
            await self._commit(progress, Write(contracts=dict.fromkeys(joining)))

    async def undo_to(self, ancestor: Ref) -> Undone:
        """Undo every block above `ancestor`, newest first; return what they had ended."""
        reopened = Undone()
        while self._undo_records and self._undo_records[-1].number > ancestor.number:
            undo_record = await self._store.undo_record(self._undo_records[-1].position)
            if undo_record is None:
                raise await self._explain_missing(self._undo_records[-1])
            await self._undo(undo_record, reopened)
            self._undo_records.pop()
        if self.head.number > ancestor.number:
            self.pass_over(ancestor)
            await self.flush()
        return reopened

    async def _explain_missing(self, undo_record: UndoRecord) -> Exception:
        """Return why an undo record is gone: another writer used it, or else the table is damaged."""
        stored = await self._store.load()
        if stored is None or stored.revision != self.progress.revision:
            return CheckpointConflict("another writer has undone the block")
        return Damaged(
            f"blocks {undo_record.position} is gone: the undo record of block {undo_record.number}"
        )

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
        await self._finalize_transactions(ended)
        await self._finalize_mints(ended)
        if block is not None:
            self.progress = replace(self.progress, finalized=block)
            self._dirty = True
        self._undo_records = self._undo_records[len(final) :]
        self._not_finalized = []
        self._spent += [undo_record.position for undo_record in ended]

    async def _finalize_transactions(self, undo_records: Sequence[UndoRecord]) -> None:
        places = [ended.place for undo_record in undo_records for ended in undo_record.transactions]
        if not places:
            return
        at = self._now()
        refused = await self._store.finalize_transactions(places, at=at)
        for undo_record in undo_records:
            for ended in undo_record.transactions:
                if ended.place not in refused:
                    self._count_finalized(undo_record, ended.mints, at)
        for place, state in refused.items():
            if state is not TransactionState.FINAL:
                log.error("transaction_not_final", sender=place.sender_id, nonce=place.nonce, state=state)

    async def _finalize_mints(self, undo_records: Sequence[UndoRecord]) -> None:
        mints = [mint_id for undo_record in undo_records for mint_id in undo_record.mints]
        if not mints:
            return
        at = self._now()
        refused = await self._store.finalize(mints, at=at)
        for undo_record in undo_records:
            self._count_finalized(
                undo_record, sum(mint_id not in refused for mint_id in undo_record.mints), at
            )
        for mint_id, status in refused.items():
            if status not in (MintStatus.FINALIZED, MintStatus.REVERTED):
                log.error("mint_not_finalized", mint_id=mint_id, status=status)

    async def flush(self, *, even_if_clean: bool = False) -> None:
        """Record what only memory knows; then drop the rows of final blocks, once there are enough."""
        if self._dirty or even_if_clean:
            await self._commit(self.progress, Write())
        # A row may go only when the stored checkpoint says that its block is final: hence after the commit.
        if len(self._spent) >= PRUNE_BATCH:
            await self._store.prune(self._spent)
            self._spent = []

    async def step_down(self) -> None:
        """Leave the checkpoint to another instance."""
        await self._commit(replace(self.progress, writer=""), Write())

    async def _write_part(
        self, progress: Progress, part: BlockPart, undo_record: UndoRecord | None, facts: Facts
    ) -> bool:
        write = Write(
            tokens=part.tokens,
            transfers=part.transfers,
            results=part.results,
            outcomes=part.outcomes,
            undo_record=undo_record,
            aside=part.aside,
        )
        try:
            await self._commit(progress, write)
        except RecordConflict as stale:
            await self._reconsider(stale, facts)
            return False
        except Poisoned as poisoned:
            if not _isolate(poisoned, part, facts):
                raise
            return False
        mark_written(facts, part)
        facts.one_by_one = False
        for one in part.aside:
            self._metrics.set_aside.note(one.table, one.key, one.reason)
        for result in part.results:
            for _ in result.operations if result.minting else ():
                self._count_mined(result)
        for outcome in decided(part.outcomes):
            self._count_mined(outcome)
        return True

    def _count_mined(self, end: TransactionResult | Outcome) -> None:
        after = None if end.sent_at is None else (self.progress.at - end.sent_at) / 1000
        self._metrics.stages.reached(end.status, after=after)

    def _count_finalized(self, undo_record: UndoRecord, mints: int, at: int) -> None:
        after = None if undo_record.at is None else (at - undo_record.at) / 1000
        for _ in range(mints):
            self._metrics.stages.reached(MintStatus.FINALIZED, after=after)

    async def _commit(self, progress: Progress, write: Write) -> None:
        progress = replace(progress, revision=self.progress.revision + 1, at=self._now())
        await self._store.commit(progress, replace(write, contracts={**self._moved, **write.contracts}))
        self.progress = progress
        self._dirty = False
        self._moved = {}

    async def _reconsider(self, stale: RecordConflict, facts: Facts) -> None:
        """Read what a write assumed wrongly, so that the next fold starts from the truth."""
        if stale.tokens:
            tokens = await self._store.tokens(list(stale.tokens))
            facts.tokens.update(tokens)
            facts.assumed_new -= stale.tokens
            facts.unusable_tokens |= dict.fromkeys(stale.tokens - tokens.keys(), UNREADABLE)
        if stale.mints:
            mints = await self._store.operations(list(stale.mints))
            for tx_hash, outcomes in facts.outcomes.items():
                kept = (one for one in outcomes if not self._is_refused(one, stale, mints))
                facts.outcomes[tx_hash] = tuple(kept)
            for key, outcome in list(facts.redeemed.items()):
                if self._is_refused(outcome, stale, mints):
                    del facts.redeemed[key]
        if stale.transactions:
            transactions = await self._store.transactions(stale.transactions)
            for tx_hash, result in list(facts.results.items()):
                if result.place not in stale.transactions:
                    continue
                transaction = transactions.get(result.place)
                if transaction is None or transaction.state not in result.sources:
                    del facts.results[tx_hash]
                    report_result(result, transaction, self._metrics)

    def _is_refused(self, outcome: Outcome, stale: RecordConflict, mints: Mapping[str, Operation]) -> bool:
        """Tell whether an outcome is not to be written, having told of it."""
        if outcome.mint_id not in stale.mints:
            return False
        mint = mints.get(outcome.mint_id)
        # Legal again if the mint moved while we read; otherwise the token is indexed all the same.
        if mint is not None and mint.status in outcome.sources:
            return False
        report_outcome(outcome, mint, self._metrics)
        return True

    async def _undo(self, undo_record: UndoRecord, reopened: Undone) -> None:
        """Undo the newest record; add what it had ended to `reopened`."""
        whole = not undo_record.first and not any(
            one.number == undo_record.number for one in self._undo_records[:-1]
        )
        partial = None if whole else Partial(undo_record.number, undo_record.hash, undo_record.first)
        progress = replace(self.progress, head=undo_record.parent_ref(), partial=partial)
        places = {ended.place for ended in undo_record.ended}
        mints = await self._store.operations(undo_record.mints)
        carrying = {place for mint in mints.values() if (place := carried_by(mint)) is not None}
        transactions = await self._store.transactions(places | carrying)
        write = Write(
            tokens=tuple(
                TokenWrite(TokenKey(old.contract, old.token_id), old.token) for old in undo_record.tokens
            ),
            erased_transfers=undo_record.transfers,
            reopened_transactions=tuple(
                ReopenedTransaction(ended.place, undo_record.hash) for ended in undo_record.ended
            ),
            reopened_mints=tuple(
                reopened_mint(mint_id, mints.get(mint_id), transactions, undo_record)
                for mint_id in undo_record.mints
            ),
            erased_record=undo_record,
        )
        try:
            await self._commit(progress, write)
        except (RecordConflict, Poisoned) as stale:
            if not stale.mints and not stale.transactions:
                raise
            # Ownership is undone all the same: what someone else moved on is theirs to explain.
            about = {"mint_ids": sorted(stale.mints), "transactions": sorted(stale.transactions)}
            log.error("mints_not_reopened", block=undo_record.number, **about)  # noqa: TRY400 - no fault of the code
            left = replace(
                write,
                reopened_transactions=tuple(
                    one for one in write.reopened_transactions if one.place not in stale.transactions
                ),
                reopened_mints=tuple(
                    mint for mint in write.reopened_mints if mint.mint_id not in stale.mints
                ),
            )
            await self._commit(progress, left)
        carried = [transactions[place].operations for place in places if place in transactions]
        reopened.operations += dict.fromkeys([*undo_record.mints, *(one for each in carried for one in each)])
        reopened.review += dict.fromkeys([*undo_record.mints, *(one for each in carried for one in each[:1])])


def _isolate(poisoned: Poisoned, part: BlockPart, facts: Facts) -> bool:
    """Note which items cannot be written, so that the next fold sets them aside; False if there is none.

    If the store does not name them, effects are written one by one; of one effect what it decides is set
    aside first, since ownership does not depend on it. All of it follows from the store's answers: every
    instance sets the same aside.
    """
    reason = str(poisoned)
    facts.unusable_tokens |= dict.fromkeys(poisoned.tokens, reason)
    facts.unusable_transfers |= dict.fromkeys(poisoned.transfers, reason)
    facts.unusable_mints |= dict.fromkeys(poisoned.mints, reason)
    facts.unusable_transactions |= dict.fromkeys(poisoned.transactions, reason)
    if poisoned.named:
        return True
    if part.next - part.first > 1:
        facts.one_by_one = True
    elif part.outcomes or part.results:
        facts.unusable_mints |= {outcome.mint_id: reason for outcome in part.outcomes}
        facts.unusable_transactions |= {result.place: reason for result in part.results}
    else:
        facts.unusable_tokens |= {write.key: reason for write in part.tokens}
        facts.unusable_transfers |= {transfer_key(transfer): reason for transfer in part.transfers}
        return bool(part.tokens or part.transfers)
    return True
