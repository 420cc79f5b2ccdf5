"""Events: what happened to the resources that a principal may see, in an ordered log for each principal.

The records are the source: the notifier derives events from their changes and appends them
(docs/events.md). Everything else that tells somebody of a change reads the log: `GET /v1/events`, webhooks,
and requests that wait.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from pydantic import Field

from mintline.errors import BadRequest
from mintline.frozen import Frozen

OPERATORS = "operators"
"""The principal of what operators must know."""

ResourceType: TypeAlias = Literal[
    "mint",
    "transfer",
    "burn",
    "drop",
    "collection",
    "token",
    "wallet",
    "relayer",
    "treasury",
    "client",
    "webhook",
]

EVENT_TYPES: frozenset[str] = frozenset(
    {
        "mint.accepted",
        "mint.submitted",
        "mint.mined",
        "mint.finalized",
        "mint.rejected",
        "mint.reverted",
        "mint.reorged",
        "mint.cancelled",
        "drop.started",
        "drop.progressed",
        "drop.paused",
        "drop.resumed",
        "drop.completed",
        "drop.cancelled",
        "drop.lines_refused",
        "token.transferred",
        "token.burned",
        "token.metadata_updated",
        "collection.deployed",
        "collection.paused",
        "collection.frozen",
        "collection.revealed",
        "wallet.created",
        "wallet.linked",
        "relayer.low",
        "treasury.low",
        "client.budget_reached",
        "webhook.disabled",
        "webhook.test",
    }
)
"""Types of events that readers may filter by; docs/events.md says which of them this release writes."""

START = "0000000000000"
"""The position before a log's first event."""
MAX_PAGE = 100
"""Events of one page, at most."""
BATCH_EVENTS = 100
"""Events that share one item of the table `events`, at most; fewer than `_PER_BATCH`, always."""
RETENTION_SECONDS = 30 * 24 * 3600
"""How long an event stays in the log."""
_PER_BATCH = 1000
_BATCHES_A_DAY = 100_000
_LATE_MS = 3_600_000
_POSITION = re.compile(r"[0-9]{13}")


class InvalidPosition(BadRequest):
    """A position that no log has given."""

    def __init__(self) -> None:
        super().__init__("event_position", "No position of an event log: take `next` of an earlier answer.")


class Resource(NamedTuple):
    """What an event is about."""

    type: str
    id: str


class Event(Frozen):
    """One event, as it is in the log of `principal`."""

    id: str = Field(min_length=1, max_length=64)
    """Derived from what happened (`event_id`): the same however often it is found or delivered."""
    type: str
    created_at: int
    """When it happened, by the record: Unix milliseconds."""
    sequence: int = Field(default=0, ge=0)
    """Of two events of one resource in one log the later has the higher; the log gives it."""
    principal: str
    """`sub` of a user, a client's id, or `OPERATORS`."""
    resource: Resource
    data: dict[str, Any]
    """The resource as its GET has it, at the moment of the event."""


class Marks(NamedTuple):
    """Which changes of the records some events came from, so that a repetition is known without their ids.

    A log keeps the highest number of each shard of a change stream.
    """

    shard: str
    of: tuple[str, ...]
    """One number for each event, in decimal and rising (`mark_of`)."""


class Placed(NamedTuple):
    """An event with its position in its log."""

    position: str
    event: Event


class EventPage(NamedTuple):
    """Part of a log. `next` is where the next page begins; `more` says whether it has events by now."""

    events: tuple[Placed, ...]
    next: str
    more: bool


class EventLog(Protocol):
    """The logs of all principals.

    Positions are opaque to readers, and rise within a log. An event that becomes visible never has a
    position below one that was visible before: a reader who continues after the latest one misses nothing.
    """

    async def read(
        self, principal: str, *, after: str | None, types: Collection[str] | None, limit: int
    ) -> EventPage:
        """Return up to `limit` events after a position (None: from the oldest that is kept) of these types.

        A page may be short, or empty, though there is `more`. Raises InvalidPosition.
        """

    async def tail(self, principal: str) -> str:
        """Return a position behind the latest event, `START` if there is none."""

    async def append(
        self,
        principal: str,
        events: Sequence[Event],
        *,
        marks: Marks | None = None,
        known_since: int | None = None,
    ) -> tuple[Placed, ...]:
        """Append events, in this order, and return those that were not in the log yet.

        An event is left out if its id is in the log, as far as that was written since `known_since` (Unix
        milliseconds): since one hour before the oldest `created_at`, if that is None and there are no marks.

        `marks` say by which changes of the records the events came to be; the notifier alone has them. What
        the log's own marks cover is in it already, and no id is looked up unless `known_since` says so.
        """


def event_id(kind: str, *facts: object) -> str:
    """Return the id of an event: the same for the same type and facts."""
    name = "\x00".join((kind, *(str(fact) for fact in facts)))
    return "evt_" + hashlib.sha256(name.encode()).hexdigest()[:32]


def mark_of(sequence_number: str, place: int) -> str:
    """Return the mark of an event: its change's sequence number, and its place among the change's events."""
    return f"{sequence_number}{place:04d}"


def position_of(batch: int, place: int) -> str:
    """Return the position of an event by the number of its batch and its place in it."""
    return f"{batch * _PER_BATCH + place:013d}"


def end_of(batch: int) -> str:
    """Return the position behind a batch's last event: nothing is ever added to a batch."""
    return position_of(batch, _PER_BATCH - 1)


def first_batch(now: int) -> int:
    """Return the number of the first batch of a log without any, at `now` (Unix milliseconds).

    It is above all that the log had and that have expired, as long as those were fewer than 100,000 a day.
    """
    return now // 86_400_000 * _BATCHES_A_DAY


def batch_after(position: str) -> int:
    """Return the number of the batch in which what follows a position begins.

    Raises InvalidPosition for what is no position.
    """
    if not _POSITION.fullmatch(position):
        raise InvalidPosition
    return (int(position) + 1) // _PER_BATCH


def placed(batch: int, events: Iterable[Event]) -> tuple[Placed, ...]:
    """Return a batch's events with their positions, and the sequence numbers that these give."""
    entries = []
    for place, event in enumerate(events):
        position = position_of(batch, place)
        entries.append(Placed(position, event.evolve(sequence=int(position))))
    return tuple(entries)


def wanted(event: Event, types: Collection[str] | None) -> bool:
    """Tell whether a reader of these types wants an event; None: of all types."""
    return types is None or event.type in types


def event_json(event: Event) -> dict[str, Any]:
    """Return an event as `GET /v1/events` and webhooks show it: times as RFC 3339, without its principal."""
    at = datetime.fromtimestamp(event.created_at / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "id": event.id,
        "type": event.type,
        "created_at": at.replace("+00:00", "Z"),
        "sequence": event.sequence,
        "resource": {"type": event.resource.type, "id": event.resource.id},
        "data": event.data,
    }


def unmarked(events: Sequence[Event], marks: Marks | None, known: Mapping[str, str]) -> list[Event]:
    """Return the events of changes that a log, whose marks are `known`, does not have yet."""
    if marks is None:
        return list(events)
    least = int(known.get(marks.shard, "0"))
    return [event for event, number in zip(events, marks.of, strict=True) if int(number) > least]


def known_from(events: Sequence[Event], marks: Marks | None, known_since: int | None) -> int | None:
    """Return since when a log is to be searched for the events' ids; None: not at all."""
    if known_since is not None or marks is not None or not events:
        return known_since
    return min(event.created_at for event in events) - _LATE_MS
