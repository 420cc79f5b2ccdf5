"""How far a process that reads the change streams has come, shard by shard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mintline.resources import METADATA_VERSIONS, MINTS, TRANSACTIONS, TRANSFERS
from mintline_notifier.changes import Change, Shard
from mintline_notifier.cursors import Cursor

REFRESH_MS = 60_000
"""How often the shards are listed again: one that ended is followed by others."""
RETENTION_MS = 20 * 3_600_000
"""Changes stay in a stream for 24 hours: a cursor that is older than this does not say what was missed."""
QUIET_LOOKS = 8
"""How often nothing was new in a shard before it is quiet."""
LIVELY = (MINTS, TRANSACTIONS, TRANSFERS, METADATA_VERSIONS)
"""Tables whose shards are never quiet: by twos they have the events of a mint, and those of a token."""
QUIET_MS = 4_000
"""How long after a look at a quiet shard the next one is."""
QUIET_AMID_MS = 1_000
"""Likewise while something is new in others."""


@dataclass(slots=True)
class Position:
    """A shard, up to where it was read. Times are Unix milliseconds."""

    shard: Shard
    number: str | None
    at: int
    pending: Sequence[Change] = ()
    held_since: int | None = None
    begun: bool = False
    """Whether it was ever read, which it is once its parent is done."""
    ended: bool = False
    in_vain: int = 0
    """Looks since there was something new."""
    looked_at: int = 0
    saved: Cursor | None = None
    saved_at: int = 0

    @property
    def done(self) -> bool:
        """Whether all its changes were told of, and there will be no others."""
        return self.ended and not self.pending

    @property
    def quiet(self) -> bool:
        """Whether to look at it less often."""
        return self.in_vain >= QUIET_LOOKS and self.shard.table not in LIVELY


@dataclass(slots=True)
class State:
    """What a reader knows while it has the lease."""

    positions: dict[str, Position] = field(default_factory=dict)
    leased_until: int = 0
    refreshed_at: int = -REFRESH_MS
    known_since: int | None = None
    known_until: int = 0
    lag_logged_at: int = -RETENTION_MS
