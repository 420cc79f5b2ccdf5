"""When a mint that stopped moving is sent on: its stage's deadline, doubled each time that it was in vain."""

from __future__ import annotations

from mintline.records import Mint

MAX_DOUBLINGS = 6
"""An hour's patience for a deadline of a minute: what has waited so long waits for something outside."""

WAITING_DOUBLINGS = 2
"""The same for a mint that is known to wait for somebody to act: it continues within minutes of that."""


def due(mint: Mint, deadline: int) -> int:
    """Return when to send a mint on, in Unix milliseconds; `deadline` is its stage's, in milliseconds."""
    if not _swept_here(mint):
        return mint.updated_at + deadline
    assert mint.swept_at is not None
    most = MAX_DOUBLINGS if mint.waiting is None else WAITING_DOUBLINGS
    return mint.swept_at + (deadline << min(mint.sweeps, most))


def next_sweep(mint: Mint) -> int:
    """Return the number of the next sweep; a mint that moved since the last one starts afresh."""
    return mint.sweeps + 1 if _swept_here(mint) else 1


def _swept_here(mint: Mint) -> bool:
    return mint.swept_at is not None and mint.swept_at > mint.updated_at
