"""Follows the change streams and appends what happened to the logs.

The events of one item are appended in the order of its changes; between tables there is none. Transactions
are read first and their events are appended last, after those of the other streams: these are read until a
page is short, and quiet ones not each time, so events of earlier changes of other tables may come later. A
transaction waits until the logs have the acceptance of each mint that it carries: an event of that mint, or
all changes of mints that are older than the transaction's.

A process may die between any two writes. Events are appended with marks, so that reading a change again, by
this process or by another that reads at the same time, adds nothing; cursors are saved afterwards, now and
then. Where changes are gone before they were read, the records are compared with the logs (`late`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import structlog

from mintline.events import Event, EventLog, Marks, Placed, mark_of
from mintline.resources import MINTS, TRANSACTIONS
from mintline_notifier.changes import ChangeStreams, Shard, Trimmed
from mintline_notifier.cursors import Cursor, Cursors
from mintline_notifier.expander import Expander
from mintline_notifier.late import LateEvents
from mintline_notifier.metrics import Metrics
from mintline_notifier.positions import (
    QUIET_AMID_MS,
    QUIET_MS,
    REFRESH_MS,
    RETENTION_MS,
    SETTLED_MS,
    TIP_LOOKS,
    Position,
    State,
)

LEASE_MS = 15_000
RENEW_MS = 4_000
SAVE_MS = 10_000
"""How often cursors are saved: what is read again after a crash costs time, and adds nothing."""
IDLE_SAVE_MS = 600_000
KNOWN_MS = 60_000
"""How long after a comparison of records with logs events are looked up by their ids."""
LOGGED_EVERY_MS = 60_000
"""How often the lag is logged: an alarm reads it, and that there is one."""
PAGES = 20
WRITERS = 64

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Follower:
    """One process's part in reading the change streams. `now` is in Unix milliseconds."""

    def __init__(
        self,
        *,
        streams: ChangeStreams,
        cursors: Cursors,
        events: EventLog,
        expander: Callable[[], Expander],
        late: Callable[[Expander], LateEvents],
        owner: str,
        metrics: Metrics,
        now: Callable[[], int],
    ) -> None:
        self._streams = streams
        self._cursors = cursors
        self._log = events
        self._make_expander = expander
        self._make_late = late
        self._owner = owner
        self._metrics = metrics
        self._now = now
        self._state: State | None = None
        self._expander: Expander | None = None
        self._writing = asyncio.Semaphore(WRITERS)
        self._comparing = asyncio.Lock()

    async def poll(self) -> bool:
        """Read and tell of what there is; True if there was something. Raises Retryable."""
        if not await self._leads():
            return False
        state = self._state
        assert state is not None
        if self._now() - state.refreshed_at >= REFRESH_MS:
            await self._refresh(state)
        ready = [each for each in state.positions.values() if state.is_next(each)]
        last = [each for each in ready if each.shard.table is TRANSACTIONS]
        others = [each for each in ready if each.shard.table is not TRANSACTIONS]
        await _all(self._fetch(state, each) for each in last)
        drained = await _all(self._drain(state, each) for each in others if not each.quiet)
        busy = any([*drained, *(bool(each.pending) for each in last)])
        before = self._now() - (QUIET_AMID_MS if busy else QUIET_MS)
        quiet = [each for each in others if each.quiet and each.looked_at <= before]
        busy = any(await _all(self._drain(state, each) for each in quiet)) or busy
        if any(each.pending for each in last):
            state.acceptances.told_until = state.told_until(MINTS)
        await _all(self._append_events(state, each) for each in last)
        await self._save(state, every=SAVE_MS)
        self._show_lag(state)
        return busy

    async def step_down(self) -> None:
        """Hand over to another process: what was read is noted, and the lease ends."""
        if self._state is not None:
            await self._save(self._state, every=0)
            self._state = None
            await self._cursors.release(self._owner)

    async def _leads(self) -> bool:
        now = self._now()
        if self._state is not None and now < self._state.leased_until - LEASE_MS + RENEW_MS:
            return True
        leads = await self._cursors.lease(self._owner, now=now, until=now + LEASE_MS)
        self._metrics.leader.set(leads)
        if not leads:
            self._state = self._expander = None
            self._metrics.lag.set(0)
        elif self._state is None:
            await self._begin(now)
        if self._state is not None:
            self._state.leased_until = now + LEASE_MS
        return leads

    async def _begin(self, now: int) -> None:
        """Go on where the reader before left off."""
        state, saved = State(listed_at=now), await self._cursors.all()
        shards = await self._streams.shards()
        since: list[int] = []
        known = {shard.name for shard in shards}
        for shard in shards:
            cursor = saved.get(shard.name)
            if cursor is None and Shard(shard.table, shard.parent or "").name not in known:
                # From now on others know since when this shard is read.
                cursor = Cursor("", now)
                await self._cursors.save(shard.name, cursor)
            position = state.add(shard, now)
            if cursor is not None:
                position.number, position.at = cursor.number or None, cursor.at
                position.begun = True
            position.saved, position.saved_at = cursor, now
        for table in {shard.table for shard in shards}:
            times = [each.at for name, each in saved.items() if name.startswith(f"{table.name}#")]
            if times and max(times) < now - RETENTION_MS:
                since.append(max(times))
        state.refreshed_at = now
        self._expander = self._make_expander()
        log.info("event_reader_begins", shards=len(shards))
        if since:
            await self._compare(state, min(since))
        self._state = state

    async def _refresh(self, state: State) -> None:
        asked_at, shards = self._now(), await self._streams.shards()
        for shard in shards:
            if shard.name not in state.positions:
                state.add(shard, asked_at)
        for name in set(state.positions) - {shard.name for shard in shards}:
            del state.positions[name]
        state.refreshed_at = state.listed_at = asked_at

    async def _drain(self, state: State, position: Position) -> bool:
        """Read and tell until there is nothing more; True if there was something."""
        for page in range(PAGES):
            more = await self._fetch(state, position)
            if not position.pending:
                return page > 0
            await self._append_events(state, position)
            if position.pending or not more:
                return True
        return True

    async def _fetch(self, state: State, position: Position) -> bool:
        """Read on, past empty pages that do not prove anything; tell whether there is more."""
        for _ in range(TIP_LOOKS):
            more = await self._read_page(state, position)
            if position.pending or not more:
                return more
        return True

    async def _read_page(self, state: State, position: Position) -> bool:
        """Read a page, unless something is pending; tell whether there may be more."""
        if position.pending or position.ended:
            return False
        asked_at = self._now()
        if not position.begun:
            position.begun, position.at = True, state.begins_at(position)
        position.begin_read(asked_at)
        try:
            read = await self._streams.read(position.shard, position.number)
        except Trimmed as error:
            log.warning("event_gap", shard=position.shard.name, reason=str(error), since=position.at)
            position.lose_tip()
            await self._compare(state, position.at)
            position.number = None
            return False
        except Exception:
            position.lose_tip()
            raise
        position.note_read(read, asked_at)
        if read.ended:
            position.ended_at = asked_at
            # Its children are listed by the next round, even if this one fails.
            state.refreshed_at = -REFRESH_MS
        self._metrics.changes.labels(position.shard.table.name).inc(len(read.changes))
        if read.changes or read.ended:
            # When a shard ended is not known, and what its children have may be older than this.
            return read.more
        if position.at_tip:
            position.at, position.proven = max(state.read_until(position), asked_at - SETTLED_MS), True
        return not position.at_tip

    async def _append_events(self, state: State, position: Position) -> None:
        """Append the events of what was read, as far as that may be done yet."""
        if not position.pending or self._expander is None:
            return
        changes = position.pending
        if position.shard.table is TRANSACTIONS:
            changes = changes[: state.acceptances.ready(changes)]
        if not changes:
            return
        by_principal: dict[str, list[tuple[Event, str]]] = {}
        for change, events in zip(changes, await self._expander.expand(changes), strict=True):
            for place, event in enumerate(events):
                marked = by_principal.setdefault(event.principal, [])
                marked.append((event, mark_of(change.number, place)))
        await _all(
            self._append(state, position, principal, marked) for principal, marked in by_principal.items()
        )
        state.acceptances.add(changes)
        position.number, position.at, position.proven = changes[-1].number, changes[-1].at, True
        position.pending = position.pending[len(changes) :]

    async def _append(
        self, state: State, position: Position, principal: str, marked: Sequence[tuple[Event, str]]
    ) -> None:
        marks = Marks(position.shard.name, tuple(mark for _, mark in marked))
        known_since = state.known_since if self._now() < state.known_until else None
        async with self._writing:
            appended = await self._log.append(
                principal, [event for event, _ in marked], marks=marks, known_since=known_since
            )
        self._count(appended)

    async def _compare(self, state: State, since: int) -> None:
        """Find what happened since then by the records, since the streams do not have it all any more."""
        assert self._expander is not None
        async with self._comparing:
            known = state.known_since is not None and state.known_since <= since
            if not known or self._now() >= state.known_until:
                # Streams are lost together, and to compare for all of them costs no more.
                unread = [each.at for each in state.positions.values() if not each.done]
                await self._append_late(state, self._expander, min([since, *unread]))

    async def _append_late(self, state: State, expander: Expander, since: int) -> None:
        self._metrics.gaps.inc()
        log.warning("events_compared", since=since)
        appended = await self._make_late(expander).append(since)
        self._metrics.late.inc(appended)
        # Nothing is saved until then, so that a process after this one compares again.
        state.known_until = self._now() + KNOWN_MS
        state.known_since = min(since, state.known_since or since)
        log.warning("events_appended_late", events=appended)

    async def _save(self, state: State, *, every: int) -> None:
        now = self._now()
        if now < state.known_until:
            return
        for position in [each for each in state.positions.values() if each.begun]:
            cursor = Cursor(position.number or "", position.at)
            moved = position.saved is None or position.saved.number != cursor.number
            if cursor != position.saved and now - position.saved_at >= (every if moved else IDLE_SAVE_MS):
                await self._cursors.save(position.shard.name, cursor)
                position.saved, position.saved_at = cursor, now

    def _show_lag(self, state: State) -> None:
        waiting = [each.pending[0].at for each in state.positions.values() if each.pending]
        now = self._now()
        lag = max(0, now - min(waiting)) / 1000 if waiting else 0.0
        self._metrics.lag.set(lag)
        if now - state.lag_logged_at >= LOGGED_EVERY_MS:
            state.lag_logged_at = now
            log.info("event_lag", lag_seconds=lag)

    def _count(self, appended: Sequence[Placed]) -> None:
        for _, event in appended:
            self._metrics.events.labels(event.type).inc()


async def _all(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do several things at once, to their ends; then raise what the first that failed has raised."""
    results = await asyncio.gather(*work, return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done
