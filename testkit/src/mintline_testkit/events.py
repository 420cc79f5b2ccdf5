"""The event log in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from mintline.events import (
    BATCH_EVENTS,
    START,
    Event,
    EventPage,
    Marks,
    Placed,
    batch_after,
    known_from,
    placed,
    unmarked,
    wanted,
)


@dataclass(slots=True)
class _Log:
    events: list[Placed] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    batches: int = 0


class MemoryEventLog:
    """Logs that live and die with the process."""

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}

    async def read(
        self, principal: str, *, after: str | None, types: Collection[str] | None, limit: int
    ) -> EventPage:
        """Return a page of a log."""
        start = after or START
        batch_after(start)
        log = self._logs.get(principal, _Log())
        later = [entry for entry in log.events if entry.position > start]
        entries = [entry for entry in later if wanted(entry.event, types)][:limit]
        if len(entries) == limit:
            last = entries[-1].position
            return EventPage(tuple(entries), last, more=any(entry.position > last for entry in later))
        return EventPage(tuple(entries), later[-1].position if later else start, more=False)

    async def tail(self, principal: str) -> str:
        """Return the position of the latest event."""
        log = self._logs.get(principal)
        return log.events[-1].position if log and log.events else START

    async def append(
        self,
        principal: str,
        events: Sequence[Event],
        *,
        marks: Marks | None = None,
        known_since: int | None = None,
    ) -> tuple[Placed, ...]:
        log = self._logs.setdefault(principal, _Log())
        new = unmarked(events, marks, log.marks)
        if known_from(events, marks, known_since) is not None:
            ids = {entry.event.id for entry in log.events}
            new = [event for event in new if event.id not in ids]
        if marks is not None and marks.of:
            log.marks[marks.shard] = max(log.marks.get(marks.shard, "0"), marks.of[-1], key=int)
        appended: list[Placed] = []
        for first in range(0, len(new), BATCH_EVENTS):
            log.batches += 1
            appended += placed(log.batches, new[first : first + BATCH_EVENTS])
        log.events += appended
        return tuple(appended)

    def all(self, principal: str) -> list[Event]:
        """Return a whole log, oldest event first."""
        log = self._logs.get(principal)
        return [entry.event for entry in log.events] if log else []
