"""Undo records: how each part of a block is undone, and what finality seals by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mintline.clock import UnixMs
from mintline.records import Operation, position
from mintline.states import MintStatus
from mintline.transaction_records import Place, Transaction, carried_by
from mintline_indexer.chain_port import Block, Ref
from mintline_indexer.effects import BlockPart, transfer_key
from mintline_indexer.kinds import has_voucher, undone
from mintline_indexer.store_port import EndedTransaction, Outcome, ReopenedMint, TransactionResult, UndoRecord


def block_record(
    block: Block,
    part: BlockPart,
    *,
    parent: Ref,
    complete: bool,
    earlier: Sequence[UndoRecord],
    at: UnixMs,
) -> UndoRecord:
    """Return the undo record of a followed block's part; `earlier` are the records of the parts before it."""
    outcomes = decided(part.outcomes)
    # An effect may take several parts: these have its place, and are told apart by their order.
    parts = sum(
        undo_record.number == block.number and undo_record.first == part.first for undo_record in earlier
    )
    return UndoRecord(
        position=position(block.number, part.first) + (f"#{parts:03d}" if parts else ""),
        number=block.number,
        hash=block.hash,
        timestamp=block.timestamp,
        parent=(parent.number, parent.hash, parent.timestamp),
        first=part.first,
        complete=complete,
        tokens=part.before,
        transfers=tuple(transfer_key(transfer) for transfer in part.transfers),
        **_ended_fields(part.results),
        mints=tuple(outcome.mint_id for outcome in outcomes),
        elsewhere=tuple(
            (outcome.mint_id, outcome.block_hash) for outcome in outcomes if outcome.block_hash != block.hash
        ),
        at=at,
        aside=tuple(aside.position for aside in part.aside),
    )


def decided(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes that a reorg undoes and finality seals: all but a user's own failed attempts."""
    return [outcome for outcome in outcomes if outcome.status is not MintStatus.ISSUED]


def reopened_mint(
    mint_id: str, mint: Operation | None, transactions: Mapping[Place, Transaction], undo_record: UndoRecord
) -> ReopenedMint:
    """Return where a record goes back to that has its outcome itself."""
    status = MintStatus.SUBMITTED
    if has_voucher(mint):
        status = undone(mint)
    elif mint is not None and carried_by(mint) in transactions:
        status = MintStatus.BUILT
    return ReopenedMint(mint_id, status, dict(undo_record.elsewhere).get(mint_id, undo_record.hash))


def _ended_fields(results: Sequence[TransactionResult]) -> dict[str, tuple[EndedTransaction, ...]]:
    """Return the fields of an undo record that name what it ended."""
    places = [
        EndedTransaction(
            sender_id=result.place.sender_id,
            nonce=result.place.nonce,
            mints=len(result.operations) if result.minting and result.outcome == "succeeded" else 0,
        )
        for result in results
    ]
    found = list(zip(results, places, strict=True))
    return {
        "transactions": tuple(place for result, place in found if not result.to_be_split),
        "to_be_split": tuple(place for result, place in found if result.to_be_split),
    }


def backfill_record(number: int, revision: int, part: BlockPart, *, at: UnixMs) -> UndoRecord:
    """Return the record of a backfilled part: it is never undone, and names what is to be finalized."""
    outcomes = decided(part.outcomes)
    ends: list[TransactionResult | Outcome] = [*part.results, *outcomes]
    return UndoRecord(
        # Apart from the rows of followed blocks, and from an earlier try of the same block.
        position=f"{position(number, part.first)}#{revision}",
        number=number,
        hash=ends[0].block_hash,
        timestamp=0,
        parent=(0, bytes(32), 0),
        first=part.first,
        complete=True,
        backfilled=True,
        **_ended_fields(part.results),
        mints=tuple(outcome.mint_id for outcome in outcomes),
        at=at,
    )
