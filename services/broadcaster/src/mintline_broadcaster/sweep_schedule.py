"""When a stopped record is sent on: at the deadline of its stage, doubled after each attempt in vain."""

from __future__ import annotations

from mintline.records.operations import Operation
from mintline.records.transactions import Transaction

MAX_DOUBLINGS = 6
"""An hour's patience for a deadline of a minute: what has waited so long waits for something outside."""

WAITING_DOUBLINGS = 2
"""The same for one that is known to wait for somebody to act: it continues within minutes of that."""


def due(record: Operation | Transaction, deadline: int) -> int:
    """Return when to send something on, in Unix milliseconds; `deadline` is its stage's, in milliseconds."""
    if not _swept_here(record):
        return record.updated_at + deadline
    assert record.swept_at is not None
    waits = isinstance(record, Operation) and record.waiting is not None
    most = WAITING_DOUBLINGS if waits else MAX_DOUBLINGS
    return record.swept_at + (deadline << min(record.sweeps, most))


def next_sweep(record: Operation | Transaction) -> int:
    """Return the number of the next sweep; what moved since the last one starts afresh."""
    return record.sweeps + 1 if _swept_here(record) else 1


def _swept_here(record: Operation | Transaction) -> bool:
    return record.swept_at is not None and record.swept_at > record.updated_at
