"""Bugs to plant in how notifiers tell what records went through."""

from __future__ import annotations

from collections.abc import Sequence

from mintline.events import Event, Marks, Placed
from mintline_notifier.acceptances import Acceptances
from mintline_notifier.changes import Change
from mintline_notifier.cursors import Cursor
from mintline_notifier.follower import Follower
from mintline_notifier.positions import Position, State
from mintline_testkit.events import MemoryEventLog


class SavingFirst(Follower):
    """Notes how far it has read before the events of what it read are in the logs."""

    async def _append_events(self, state: State, position: Position) -> None:
        if position.pending:
            last = position.pending[-1]
            await self._cursors.save(position.shard.name, Cursor(last.number, last.at))
        await super()._append_events(state, position)


class TellingAtOnce(Follower):
    """Assumes that the log has the creation of every operation that a transaction carries."""

    async def _begin(self, now: int) -> None:
        await super()._begin(now)
        if self._state is not None:
            self._state.acceptances = _AllTold()


class _AllTold(Acceptances):
    def ready(self, changes: Sequence[Change]) -> int:
        """Hold back nothing."""
        return len(changes)


class Unmarked(MemoryEventLog):
    """Takes it that no change is read twice."""

    async def append(
        self,
        principal: str,
        events: Sequence[Event],
        *,
        marks: Marks | None = None,
        known_since: int | None = None,
    ) -> tuple[Placed, ...]:
        """Append events whatever the log has."""
        if principal in self._logs:
            self._logs[principal].marks.clear()
        return await super().append(principal, events, marks=marks, known_since=known_since)
