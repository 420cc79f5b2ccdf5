"""Bugs to plant in how the index is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mintline.records.transactions import TransactionKey
from mintline.states import TransactionState
from mintline_indexer.store_port import NO_CONTRACTS, Progress, Refused, TakeBack, Write
from mintline_indexer.writes import Name
from mintline_testkit.indexer.store import MemoryStore


class AnyAttemptWillDo(MemoryStore):
    """Takes a transaction of ours that is in a block for one that did what it was for."""

    async def write(self, write: Write, *, fence: int, at: int) -> Refused:
        """Call every transaction succeeded."""
        results = tuple(replace(result, outcome="succeeded", problem=None) for result in write.results)
        return await super().write(replace(write, results=results), fence=fence, at=at)


class ClosingFailedBatches(MemoryStore):
    """Takes it that a batch that failed on chain is at its end like any other transaction that failed."""

    async def finalize_transactions(
        self, places: Sequence[TransactionKey], *, at: int
    ) -> dict[TransactionKey, TransactionState | None]:
        """Move batches that failed to final with the others, once their blocks are."""
        final = 0 if self.progress is None else self.progress.finalized.number
        failed = [
            place
            for place, transaction in self.transaction_table.items()
            if transaction.to_be_split
            and transaction.state is TransactionState.MINED
            and (transaction.block_number or 0) <= final
        ]
        return await super().finalize_transactions([*places, *failed], at=at)


class Unconditional(MemoryStore):
    """Writes the index whatever the checkpoint is by then."""

    async def commit(self, progress: Progress, contracts: Mapping[str, int | None] = NO_CONTRACTS) -> None:
        """Pretend that the checkpoint is the one that the writer read."""
        if self.progress is not None:
            self.progress = replace(self.progress, revision=progress.revision - 1)
        await super().commit(progress, contracts)


class Unfenced(MemoryStore):
    """Writes the items of a block whatever has been written on them since."""

    def _is_due(self, name: Name, fence: int) -> bool:
        del name, fence
        return True


class MarkingNothing(MemoryStore):
    """Leaves what it took back, and what was not there to be taken back, without its fencing token."""

    async def take_back(self, undo: TakeBack, *, fence: int, at: int) -> Refused:
        """Restore what items were, open to writes that are still on their way."""
        before = dict(self.fences)
        refused = await super().take_back(undo, fence=fence, at=at)
        self.fences.clear()
        self.fences.update(before)
        return refused
