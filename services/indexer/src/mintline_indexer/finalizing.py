"""Moves what ended in final blocks to its last state."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from mintline.states import MintStatus, TransactionState
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import Store, UndoRecord

log = structlog.get_logger()


async def finalize_ended(
    undo_records: Sequence[UndoRecord], *, store: Store, metrics: Metrics, at: int
) -> None:
    """Finalize the transactions and mints that these blocks ended, `at` in Unix milliseconds."""
    await _finalize_transactions(undo_records, store=store, metrics=metrics, at=at)
    await _finalize_mints(undo_records, store=store, metrics=metrics, at=at)


async def _finalize_transactions(
    undo_records: Sequence[UndoRecord], *, store: Store, metrics: Metrics, at: int
) -> None:
    places = [ended.key for undo_record in undo_records for ended in undo_record.transactions]
    if not places:
        return
    refused = await store.finalize_transactions(places, at=at)
    for undo_record in undo_records:
        for ended in undo_record.transactions:
            if ended.key not in refused:
                _count(undo_record, ended.mints, at, metrics)
    for place, state in refused.items():
        if state is not TransactionState.FINAL:
            log.error("transaction_not_final", sender=place.sender_id, nonce=place.nonce, state=state)


async def _finalize_mints(
    undo_records: Sequence[UndoRecord], *, store: Store, metrics: Metrics, at: int
) -> None:
    mints = [mint_id for undo_record in undo_records for mint_id in undo_record.mints]
    if not mints:
        return
    refused = await store.finalize(mints, at=at)
    for undo_record in undo_records:
        _count(undo_record, sum(mint_id not in refused for mint_id in undo_record.mints), at, metrics)
    for mint_id, status in refused.items():
        if status not in (MintStatus.FINALIZED, MintStatus.REVERTED):
            log.error("mint_not_finalized", mint_id=mint_id, status=status)


def _count(undo_record: UndoRecord, mints: int, at: int, metrics: Metrics) -> None:
    after = None if undo_record.at is None else (at - undo_record.at) / 1000
    for _ in range(mints):
        metrics.stages.reached(MintStatus.FINALIZED, after=after)
