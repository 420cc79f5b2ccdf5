"""Takes back what a block has written, by its undo records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mintline.clock import UnixMs
from mintline.records.transactions import Transaction, TransactionKey, carried_by
from mintline_indexer import lanes
from mintline_indexer.store_port import CheckpointConflict, Damaged, Refused, Store, UndoRecord
from mintline_indexer.undo_records import restoring


@dataclass(slots=True)
class Undone:
    """The operations that the undone blocks had ended, which are open again."""

    operations: list[str] = field(default_factory=list)
    review: list[str] = field(default_factory=list)
    """One operation of each transaction, by which that is looked at."""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What was taken back of a block, and which changes of it were refused."""

    mint_ids: Sequence[str]
    places: Sequence[TransactionKey]
    transactions: Mapping[TransactionKey, Transaction]
    refused: Refused

    def add_to(self, undone: Undone) -> None:
        """Add the operations that the block had ended."""
        carried = [self.transactions[place].operations for place in self.places if place in self.transactions]
        undone.operations += dict.fromkeys(
            [*self.mint_ids, *(operation_id for each in carried for operation_id in each)]
        )
        undone.review += dict.fromkeys(
            [*self.mint_ids, *(operation_id for each in carried for operation_id in each[:1])]
        )


async def take_back(
    store: Store,
    undo_records: Sequence[UndoRecord],
    *,
    fence: int,
    at: UnixMs,
    rows_at_once: int,
    between: Callable[[], Awaitable[None]],
) -> TakenBack:
    """Restore what the items of a block were; `between` runs after each call of the store."""
    mint_ids = [mint_id for record in undo_records for mint_id in record.mints]
    places = {ended.key for record in undo_records for ended in record.ended}
    mints = await store.operations(mint_ids)
    carrying = {place for mint in mints.values() if (place := carried_by(mint)) is not None}
    transactions = await store.transactions(places | carrying)
    refused = Refused()
    for stage in restoring(undo_records, mints, transactions).stages():
        refused.add(
            await lanes.run(
                stage.split(rows_at_once),
                lambda piece: store.take_back(piece, fence=fence, at=at),
                between=between,
            )
        )
    return TakenBack(mint_ids, sorted(places), transactions, refused)


async def explain_missing(store: Store, undo_record: UndoRecord, revision: int) -> Exception:
    """Return why an undo record is gone: another writer used it, or else the table is damaged."""
    stored = await store.load()
    if stored is None or stored.revision != revision:
        return CheckpointConflict("another writer has undone the block")
    return Damaged(f"blocks {undo_record.position} is gone: the undo record of block {undo_record.number}")
