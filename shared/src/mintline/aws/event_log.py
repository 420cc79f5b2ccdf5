"""The event log in DynamoDB: a batch of events is an item, and the item is the lock of its number.

Batches of a log are numbered without a gap. A writer puts the batch after the last one, on the condition that
there is none of that number: one of two writers succeeds, and the other reads what there is now. So a batch
becomes visible only after all before it, and one conditional write appends up to `BATCH_EVENTS` events.

A log whose batches have all expired goes on above them: its next number is that of the day (`first_batch`).
It does so shortly before its last batch expires, as DynamoDB deletes what has expired some time later, and in
no order; and all writers go by that same moment, so that none of them goes on below another one.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mintline.aws import json_text
from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Put
from mintline.errors import Unavailable, Unreadable
from mintline.events import (
    BATCH_EVENTS,
    RETENTION_SECONDS,
    START,
    Event,
    EventPage,
    Marks,
    Placed,
    Resource,
    batch_after,
    end_of,
    first_batch,
    known_from,
    placed,
    unmarked,
    wanted,
)
from mintline.resources import EVENTS

BATCH_BYTES = 600_000
"""Bytes of the JSON of one batch's events, before compression: far below DynamoDB's 400 kB after it."""
MAX_MARKS = 64
"""Shards whose marks a log keeps: those that were read last."""
READ_BATCHES = 4
"""Items of one read from the table."""
ID_BATCHES = 50
"""Items of one read that looks for ids; DynamoDB ends a page at a megabyte."""
PAGE_BATCHES = 40
"""The most items that one page of a log reads, when few of its events are of the requested types."""
ATTEMPTS = 20
REMEMBERED = 10_000
_CLOCK_SKEW_MS = 60_000
_FRESH_MS = RETENTION_SECONDS * 1000 - 3_600_000
"""A log goes on after its last batch for so long: until that is about to expire."""


class _Batch(NamedTuple):
    number: int
    at: int
    marks: Mapping[str, str]
    events: tuple[Event, ...]


@dataclass(slots=True)
class _Known:
    """The ids of a log's events, of its batches since a time in Unix milliseconds up to one by its number."""

    since: int
    number: int
    ids: set[str]


class _Tail(NamedTuple):
    number: int
    marks: Mapping[str, str]
    at: int
    """When the batch of that number was written."""


class _Row(NamedTuple):
    """An event with its JSON, which is made once: it tells whether the event fits, and is what is written."""

    event: Event
    text: bytes


_NONE = _Batch(0, 0, {}, ())


class DynamoEventLog:
    """The logs of one deployment. `now` is in Unix milliseconds."""

    def __init__(self, dynamo: Dynamo, *, now: Callable[[], int]) -> None:
        self._dynamo = dynamo
        self._now = now
        self._tails: OrderedDict[str, _Tail] = OrderedDict()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def read(
        self, principal: str, *, after: str | None, types: Collection[str] | None, limit: int
    ) -> EventPage:
        """Return a page of a log, by consistent reads."""
        start = after or START
        entries: list[Placed] = []
        number, read = max(batch_after(start), 1), 0
        while read < PAGE_BATCHES:
            page = await self._dynamo.query(EVENTS, partition=principal, sort_from=number, limit=READ_BATCHES)
            for item in page.items:
                batch = _decoded(item, principal)
                number, read = batch.number + 1, read + 1
                later = [entry for entry in placed(batch.number, batch.events) if entry.position > start]
                for place, entry in enumerate(later):
                    if not wanted(entry.event, types):
                        continue
                    entries.append(entry)
                    if len(entries) == limit:
                        whole = place + 1 == len(later)
                        last = whole and page.next is None and item is page.items[-1]
                        position = end_of(batch.number) if whole else entry.position
                        return EventPage(tuple(entries), position, more=not last)
                start = end_of(batch.number)
            if page.next is None:
                return EventPage(tuple(entries), start, more=False)
        return EventPage(tuple(entries), start, more=True)

    async def tail(self, principal: str) -> str:
        """Return the position of the latest event."""
        batch = await self._last(principal)
        return end_of(_last_number(batch, self._now())) if batch.events else START

    async def append(
        self,
        principal: str,
        events: Sequence[Event],
        *,
        marks: Marks | None = None,
        known_since: int | None = None,
    ) -> tuple[Placed, ...]:
        """Append what is not there yet; raises Unavailable if other writers were always faster."""
        since = known_from(events, marks, known_since)
        if known_since is None:
            self._known.pop(principal, None)
        appended: list[Placed] = []
        left = list(events)
        numbers = {event.id: mark for event, mark in zip(events, marks.of, strict=True)} if marks else {}
        conflicts, compared = 0, -1
        while left:
            tail = await self._tail(principal)
            # What this call has appended itself is not in `left` any more.
            same, compared = tail.number == compared, tail.number
            if marks and not same:
                left = unmarked(left, Marks(marks.shard, tuple(numbers[e.id] for e in left)), tail.marks)
            if since is not None and not same:
                ids = await self._ids_of(principal, since, tail.number, again=known_since is not None)
                left = [event for event in left if event.id not in ids]
            rows = _fitting(left)
            if not rows:
                break
            batch = [row.event for row in rows]
            marked = _marked(tail.marks, marks.shard, numbers[batch[-1].id]) if marks else tail.marks
            if await self._put(principal, tail.number + 1, rows, marked):
                appended += placed(tail.number + 1, batch)
                left, compared = left[len(batch) :], tail.number + 1
            elif (conflicts := conflicts + 1) == ATTEMPTS:
                raise Unavailable("other writers kept appending to the same event log")
        return tuple(appended)

    async def _put(self, principal: str, number: int, rows: Sequence[_Row], marks: Mapping[str, str]) -> bool:
        at = self._now()
        item: Item = {
            "principal": principal,
            "batch": number,
            "at": at,
            "events": _encoded(rows, marks),
            "expires": at // 1000 + RETENTION_SECONDS,
        }
        # Forgotten first: whatever comes of the write, the next append may not go by what was there before.
        self._tails.pop(principal, None)
        try:
            await self._dynamo.write(Put(EVENTS, item, where=(Clause("free", "principal", "missing"),)))
        except ConditionFailed:
            return False
        known = self._known.get(principal)
        if known is not None and known.number == number - 1:
            known.number = number
            known.ids.update(row.event.id for row in rows)
        self._remember(principal, _Tail(number, marks, at))
        return True

    async def _tail(self, principal: str) -> _Tail:
        now, tail = self._now(), self._tails.get(principal)
        if tail is None or now - tail.at >= _FRESH_MS:
            batch = await self._last(principal)
            tail = _Tail(_last_number(batch, now), batch.marks, batch.at)
            self._remember(principal, tail)
        return tail

    async def _ids_of(self, principal: str, since: int, last: int, *, again: bool) -> set[str]:
        """Return the ids of a log's events since then, up to the batch `last` at least.

        If they are asked for `again` and again, as after a gap, each batch is read once.
        """
        if not again:
            return (await self._ids(principal, since)).ids
        known = self._known.get(principal)
        if known is None or known.since > since:
            known = self._known[principal] = await self._ids(principal, since)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        while known.number < last:
            page = await self._dynamo.query(
                EVENTS, partition=principal, sort_from=known.number + 1, limit=ID_BATCHES
            )
            for item in page.items:
                batch = _decoded(item, principal)
                known.ids.update(event.id for event in batch.events)
                known.number = max(known.number, batch.number)
            if page.next is None or not page.items:
                break
        return known.ids

    def _remember(self, principal: str, tail: _Tail) -> None:
        self._tails[principal] = tail
        self._tails.move_to_end(principal)
        if len(self._tails) > REMEMBERED:
            self._tails.popitem(last=False)

    async def _last(self, principal: str) -> _Batch:
        async for batch in self._backwards(principal, limit=1):
            return batch
        return _NONE

    async def _ids(self, principal: str, since: int) -> _Known:
        known = _Known(since, 0, set())
        async for batch in self._backwards(principal, limit=ID_BATCHES):
            known.number = max(known.number, batch.number)
            if batch.at < since - _CLOCK_SKEW_MS:
                break
            known.ids.update(event.id for event in batch.events)
        return known

    async def _backwards(self, principal: str, *, limit: int) -> AsyncIterator[_Batch]:
        start: Item | None = None
        while True:
            page = await self._dynamo.query(
                EVENTS, partition=principal, forward=False, limit=limit, start=start
            )
            for item in page.items:
                yield _decoded(item, principal)
            if (start := page.next) is None:
                return


def _last_number(batch: _Batch, now: int) -> int:
    """Return the number after which a log goes on at `now` that has this batch as its last."""
    if now - batch.at < _FRESH_MS:
        return batch.number
    return max(batch.number, first_batch(now) - 1)


def _fitting(events: Sequence[Event]) -> Sequence[_Row]:
    """Return the first events that fit into one item: at least one, if there is any."""
    rows: list[_Row] = []
    size = 0
    for event in events[:BATCH_EVENTS]:
        row = _Row(event, _text(event))
        size += len(row.text)
        if rows and size > BATCH_BYTES:
            break
        rows.append(row)
    return rows


def _marked(known: Mapping[str, str], shard: str, mark: str) -> dict[str, str]:
    """Return the marks with a shard's new one, which becomes the last; the oldest are dropped."""
    kept = [(name, value) for name, value in known.items() if name != shard]
    return dict([*kept, (shard, mark)][-MAX_MARKS:])


def _text(event: Event) -> bytes:
    resource = event.resource
    return json_text.dumps([event.id, event.type, event.created_at, resource.type, resource.id, event.data])


def _encoded(rows: Sequence[_Row], marks: Mapping[str, str]) -> bytes:
    marked = json_text.dumps(list(marks.items()))
    return zlib.compress(b"[1,%b,[%b]]" % (marked, b",".join(row.text for row in rows)), 3)


def _decoded(item: Item, principal: str) -> _Batch:
    """Return a batch of events; raises Unreadable for what this release cannot read."""
    try:
        number, at, body = item["batch"], item["at"], item["events"]
        if not (isinstance(number, int) and isinstance(at, int) and isinstance(body, bytes)):
            raise TypeError  # noqa: TRY301 - handled as all that is not readable
        _form, marks, rows = json_text.loads(zlib.decompress(body))
        return _Batch(number, at, dict(marks), tuple(_event(row, principal) for row in rows))
    except (KeyError, TypeError, ValueError, zlib.error):
        raise Unreadable("events: not a batch of events that this release can read") from None


def _event(row: Any, principal: str) -> Event:
    name, kind, at, resource_type, resource_id, data = row
    return Event(
        id=name,
        type=kind,
        created_at=at,
        principal=principal,
        resource=Resource(resource_type, resource_id),
        data=data,
    )
