"""How far a process that reads the change streams has come, shard by shard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mintline.resource_types import Table
from mintline.resources import METADATA_VERSIONS, MINTS, TRANSACTIONS, TRANSFERS
from mintline_notifier.acceptances import Acceptances
from mintline_notifier.changes import Change, Read, Shard
from mintline_notifier.cursors import Cursor

REFRESH_MS = 60_000
"""How often the shards are listed again: one that ended is followed by others."""
SETTLED_MS = 5_000
"""How long after a write every stream shows it: what a cursor says of a stream that had nothing more."""
CHILDLESS_MS = 2 * REFRESH_MS
"""How long after a shard's end its children are listed; the last one of a stream that ended has none."""
RETENTION_MS = 20 * 3_600_000
"""Changes stay in a stream for 24 hours: a cursor that is older than this does not say what was missed."""
TIP_LOOKS = 5
"""Empty pages in a row that say that there is nothing more: in mid-shard AWS returns some, too."""
TIP_MS = 15_000
"""How long after a look a shard that had nothing more is taken to be there still."""
QUIET_LOOKS = 8
"""How often nothing was new in a shard before it is quiet."""
LIVELY = (MINTS, TRANSACTIONS, TRANSFERS, METADATA_VERSIONS)
"""Tables whose shards are never quiet: by twos they have the events of a mint, and those of a token."""
QUIET_MS = 4_000
"""How long after a look at a quiet shard the next one is."""
QUIET_AMID_MS = 2_000
"""How long after a look at a quiet shard the next one is while something is new in others."""


@dataclass(slots=True)
class Position:
    """A shard, up to where it was read. Times are Unix milliseconds."""

    shard: Shard
    number: str | None
    at: int
    proven: bool = False
    """Whether the logs have all changes until `at`; otherwise it is when reading was to begin."""
    pending: Sequence[Change] = ()
    begun: bool = False
    """Whether it was ever read, which it is once its parent is done."""
    ended: bool = False
    ended_at: int = 0
    """When that was found."""
    in_vain: int = 0
    """Looks since there was something new, or since a look failed."""
    at_tip: bool = False
    """Whether this process has come to where an empty page says that there is nothing more."""
    looked_at: int = 0
    saved: Cursor | None = None
    saved_at: int = 0

    @property
    def done(self) -> bool:
        """Whether the events of all its changes are in the logs, and there will be no others."""
        return self.ended and not self.pending

    @property
    def quiet(self) -> bool:
        """Whether to look at it less often."""
        return self.in_vain >= QUIET_LOOKS and self.shard.table not in LIVELY

    def begin_read(self, asked_at: int) -> None:
        """Note that it is to be read: after a while it may have gone on."""
        if asked_at - self.looked_at > TIP_MS:
            self.lose_tip()

    def note_read(self, read: Read, asked_at: int) -> None:
        """Note what was read."""
        self.pending, self.ended, self.looked_at = read.changes, read.ended, asked_at
        self.in_vain = 0 if read.changes else self.in_vain + 1
        recent = any(change.at >= asked_at - SETTLED_MS for change in read.changes[-1:])
        self.at_tip = self.at_tip or recent or self.in_vain >= TIP_LOOKS

    def lose_tip(self) -> None:
        """Note that it may go on in mid-shard, as it does with another iterator."""
        self.at_tip, self.in_vain = False, 0


@dataclass(slots=True)
class State:
    """What a reader knows while it has the lease."""

    positions: dict[str, Position] = field(default_factory=dict)
    leased_until: int = 0
    refreshed_at: int = -REFRESH_MS
    """When the shards were listed, unless they are to be listed again at once."""
    listed_at: int = 0
    acceptances: Acceptances = field(default_factory=Acceptances)
    known_since: int | None = None
    known_until: int = 0
    lag_logged_at: int = -RETENTION_MS

    def add(self, shard: Shard, now: int) -> Position:
        """Note a shard that was listed: its changes are those after its parent's, or after `now`."""
        position = self.positions[shard.name] = Position(shard, None, now)
        position.at = self.begins_at(position)
        return position

    def begins_at(self, position: Position) -> int:
        """Return the time of a shard that was not read yet: the logs lack what comes after it."""
        parent = self.parent_of(position)
        return position.at if parent is None else parent.at

    def parent_of(self, position: Position) -> Position | None:
        """Return the shard that a shard follows, if there is still anything of that."""
        shard = position.shard
        return self.positions.get(Shard(shard.table, shard.parent).name) if shard.parent else None

    def is_next(self, position: Position) -> bool:
        """Tell whether a shard is to be read: its parent was, and there may be more."""
        parent = self.parent_of(position)
        return not position.done and (parent is None or parent.done)

    def told_until(self, table: Table) -> int:
        """Return until when the logs have all changes of a table: Unix milliseconds, by its stream.

        A shard counts until the logs have its end and its children are listed.
        """
        shards = [each for each in self.positions.values() if each.shard.table is table]
        parents = {each.shard.parent for each in shards}
        open_shards = [
            self.read_until(each)
            for each in shards
            if self.is_next(each)
            or (each.done and each.shard.shard_id not in parents and self._may_go_on(each))
        ]
        return min(open_shards, default=self.listed_at - SETTLED_MS)

    def read_until(self, position: Position) -> int:
        """Return until when all changes of a shard, and of those that it follows, are in the logs."""
        if position.proven:
            return position.at
        parent = self.parent_of(position)
        return 0 if parent is None else self.read_until(parent)

    def _may_go_on(self, position: Position) -> bool:
        return self.listed_at < position.ended_at + CHILDLESS_MS
