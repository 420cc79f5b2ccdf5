"""Undo records: how each part of a block is undone, and what finality seals by it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from mintline.clock import UnixMs
from mintline.records.keys import position
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction, TransactionKey, carried_by
from mintline.states import MintStatus
from mintline_indexer.chain_port import Block, Ref
from mintline_indexer.folding import BlockChanges
from mintline_indexer.kinds import has_voucher, undone
from mintline_indexer.store_port import (
    Damaged,
    EndedTransaction,
    Outcome,
    PriorToken,
    ReopenedMint,
    ReopenedTransaction,
    TakeBack,
    TransactionResult,
    UndoRecord,
)
from mintline_indexer.writes import transfer_key

PART = 100
"""Tokens, and balances, in one undo record: by that it stays far below DynamoDB's 400 kB."""
BLOCK_DIGITS = 12
"""Of the block's number, with which each position begins."""


def block_records(
    block: Block, changes: BlockChanges, *, parent: Ref, previous: str, fence: int, at: UnixMs
) -> list[UndoRecord]:
    """Return the undo records of a followed block, which follow the one at position `previous`.

    There is one at least, and one for each `PART` tokens, or balances, that the block changes.
    """
    outcomes = decided(changes.write.outcomes)
    transfers = [transfer_key(transfer) for transfer in changes.write.transfers]
    ended = _ended_fields(changes.write.results)
    mints = [outcome.mint_id for outcome in outcomes]
    elsewhere = [
        (outcome.mint_id, outcome.block_hash) for outcome in outcomes if outcome.block_hash != block.hash
    ]
    aside = [record.position for record in changes.aside]
    lists = (changes.before, changes.balances, transfers, *ended.values(), mints, elsewhere, aside)
    parts = max(1, *(math.ceil(len(rows) / PART) for rows in lists))
    records: list[UndoRecord] = []
    for part in range(parts):
        here = slice(part * PART, (part + 1) * PART)
        record = UndoRecord(
            position=f"{position(block.number, part)}#{fence}",
            number=block.number,
            hash=block.hash,
            timestamp=block.timestamp,
            parent=(parent.number, parent.hash, parent.timestamp),
            first=part,
            complete=part == parts - 1,
            previous=records[-1].position if records else previous,
            tokens=tuple(changes.before[here]),
            balances=tuple(changes.balances[here]),
            transfers=tuple(transfers[here]),
            transactions=ended["transactions"][here],
            to_be_split=ended["to_be_split"][here],
            mints=tuple(mints[here]),
            elsewhere=tuple(elsewhere[here]),
            at=at,
            aside=tuple(aside[here]),
        )
        records.append(record)
    return records


def linked(records: Iterable[UndoRecord], tail: str, *, above: int) -> list[UndoRecord]:
    """Return the undo records of the blocks above a number, oldest first, that lead back from `tail`.

    The others are of writers that did not come to announce them, or of blocks that were undone since. Raises
    Damaged if one is gone.
    """
    by_position = {record.position: record for record in records}
    chain: list[UndoRecord] = []
    while tail and (number := _number_of(tail)) > above:
        record = by_position.get(tail)
        if record is None:
            raise Damaged(f"blocks {tail} is gone: the undo record of block {number}")
        chain.append(record)
        tail = record.previous
    return chain[::-1]


def _number_of(position_: str) -> int:
    digits = position_[:BLOCK_DIGITS]
    if not digits.isdecimal():
        raise Damaged(f"blocks {position_} is no position of an undo record")
    return int(digits)


def decided(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes that a reorg undoes and finality seals: all but a user's own failed attempts."""
    return [outcome for outcome in outcomes if outcome.status is not MintStatus.ISSUED]


def reopened_mint(
    mint_id: str,
    mint: Operation | None,
    transactions: Mapping[TransactionKey, Transaction],
    undo_record: UndoRecord,
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
            sender_id=result.key.sender_id,
            nonce=result.key.nonce,
            mints=len(result.operations) if result.minting and result.outcome == "succeeded" else 0,
        )
        for result in results
    ]
    placed = list(zip(results, places, strict=True))
    return {
        "transactions": tuple(place for result, place in placed if not result.to_be_split),
        "to_be_split": tuple(place for result, place in placed if result.to_be_split),
    }


def backfill_record(number: int, fence: int, changes: BlockChanges, *, at: UnixMs) -> UndoRecord:
    """Return the record of a backfilled range: it is never undone, and names what is to be finalized."""
    outcomes = decided(changes.write.outcomes)
    ends: list[TransactionResult | Outcome] = [*changes.write.results, *outcomes]
    return UndoRecord(
        # Apart from the records of followed blocks.
        position=f"{position(number, 0)}#{fence}#range",
        number=number,
        hash=ends[0].block_hash,
        timestamp=0,
        parent=(0, bytes(32), 0),
        first=0,
        complete=True,
        backfilled=True,
        **_ended_fields(changes.write.results),
        mints=tuple(outcome.mint_id for outcome in outcomes),
        at=at,
    )


def restoring(
    records: Sequence[UndoRecord],
    mints: Mapping[str, Operation],
    transactions: Mapping[TransactionKey, Transaction],
) -> TakeBack:
    """Return what undoes a block, by all its undo records, oldest first; its mints' records are `mints`."""
    tokens: dict[tuple[str, int], PriorToken] = {}
    # In layout 2 several parts may have changed a token: then the word of the oldest one counts.
    for record in reversed(records):
        tokens |= {(prior.contract, prior.token_id): prior for prior in record.tokens}
    return TakeBack(
        number=records[0].number if records else 0,
        tokens=tuple(tokens.values()),
        balances=tuple(balance for record in records for balance in record.balances),
        transfers=tuple(key for record in records for key in record.transfers),
        transactions=tuple(
            ReopenedTransaction(ended.key, record.hash) for record in records for ended in record.ended
        ),
        mints=tuple(
            reopened_mint(mint_id, mints.get(mint_id), transactions, record)
            for record in records
            for mint_id in record.mints
        ),
        aside=tuple(position for record in records for position in record.aside),
    )
