"""Counts what a block or a range of blocks has decided."""

from __future__ import annotations

from mintline_indexer.folding import BlockChanges
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import Outcome, TransactionResult
from mintline_indexer.undo_records import decided


def report_changes(changes: BlockChanges, metrics: Metrics, *, at: int) -> None:
    """Count the mints that are mined since, and what was set aside; `at` is the commit, in Unix ms."""
    for record in changes.aside:
        metrics.set_aside.note(record.table, record.key, record.reason)
    for result in changes.write.results:
        for _ in result.operations if result.minting else ():
            _count_mined(result, metrics, at)
    for outcome in decided(changes.write.outcomes):
        _count_mined(outcome, metrics, at)


def _count_mined(end: TransactionResult | Outcome, metrics: Metrics, at: int) -> None:
    after = None if end.sent_at is None else (at - end.sent_at) / 1000
    metrics.stages.reached(end.status, after=after)
