"""One round of deliveries of one webhook: what to send, in which order, and what follows from the replies.

::

    log       1  2  3  4  5  6  7  8 …          (events of the types that the webhook delivers)
              ✓  ✓  ✗  ✓  ·  ·
                 │     │
              cursor   acknowledged            a window of 64 events begins after the cursor

Events of one resource are sent one after another, each once the one before it was acknowledged. Those of
different resources are sent together, eight at a time. What fails is sent again at `next_attempt_at`, and
holds back only what comes later for the same resource, until the window is full. While nothing is
acknowledged (`down`), one event is tried at a time. In a replay all events are sent one after another.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mintline.events import Event, EventPage, Placed, event_json
from mintline.webhooks.records import Failing, Webhook, WebhookProgress
from mintline_notifier.webhooks.ports import Reply

CONCURRENCY = 8
"""Requests to one webhook at a time."""
PATIENCE = 8
"""Failures in a row after which a round ends."""
TEST = "webhook.test"
GONE = 410
"""The status by which a receiver says that it wants no more (Standard Webhooks)."""
FIRST_DELAY_MS = 5_000
MAX_DELAY_MS = 3_600_000
_DOUBLINGS = 10

Post = Callable[[Event], Awaitable[Reply]]


def body_of(event: Event) -> bytes:
    """Return the body of an event's deliveries: the same bytes each time."""
    return json.dumps(event_json(event), separators=(",", ":")).encode()


def concerns(webhook: Webhook, event: Event) -> bool:
    """Tell whether a webhook delivers an event: a test goes to the webhook that it is for, and no other."""
    if event.type == TEST:
        return event.resource.id == webhook.webhook_id
    return webhook.types is None or event.type in webhook.types


def delay_ms(rounds: int, jitter: float) -> int:
    """Return how long to wait after so many rounds that failed; `jitter` is from -1 to 1.

    5 seconds at first, twice as long each time, an hour at most; a quarter longer or shorter by chance.
    """
    full = min(MAX_DELAY_MS, FIRST_DELAY_MS << min(rounds - 1, _DOUBLINGS))
    return int(full * (1 + jitter / 4))


@dataclass(slots=True)
class Round:
    """What one round did."""

    replies: list[tuple[Event, Reply]] = field(default_factory=list)
    gone: bool = False
    """Whether the receiver answered that it wants no more."""
    _failed_in_row: int = 0

    @property
    def acknowledged(self) -> frozenset[str]:
        """Ids of the events that the receiver has now."""
        return frozenset(event.id for event, reply in self.replies if reply.acknowledged)

    @property
    def failed(self) -> dict[str, Reply]:
        """Replies to the events that it does not have, by their ids."""
        return {event.id: reply for event, reply in self.replies if not reply.acknowledged}

    def note(self, event: Event, reply: Reply) -> None:
        """Note what came of an event."""
        self.replies.append((event, reply))
        self._failed_in_row = 0 if reply.acknowledged else self._failed_in_row + 1
        self.gone = self.gone or reply.status_code == GONE

    def over(self, patience: int) -> bool:
        """Tell whether to stop: the receiver is not there, or wants no more."""
        return self.gone or self._failed_in_row >= patience


def due(
    webhook: Webhook, progress: WebhookProgress, entries: Sequence[Placed], now: int
) -> list[list[Event]]:
    """Return the events to be sent now: a list for each resource, in the log's order."""
    waits = progress.next_attempt_at is not None and now < progress.next_attempt_at
    if waits and (progress.down or progress.replaying):
        return []
    if progress.replaying:
        rest = [e for _, e in entries if e.id not in progress.acknowledged and concerns(webhook, e)]
        return [rest] if rest else []
    held: set[tuple[str, str]] = set()
    chains: dict[tuple[str, str], list[Event]] = {}
    for _, event in entries:
        resource = (event.resource.type, event.resource.id)
        if event.id in progress.acknowledged or not concerns(webhook, event):
            continue
        if waits and progress.failed(event.id) is not None:
            held.add(resource)
        if resource not in held:
            chains.setdefault(resource, []).append(event)
    return list(chains.values())


async def send_round(chains: Sequence[Sequence[Event]], post: Post, *, one_by_one: bool) -> Round:
    """Send what is due; `one_by_one` sends one event at a time and stops at the first failure."""
    done = Round()
    patience = 1 if one_by_one else PATIENCE
    places = asyncio.Semaphore(1 if one_by_one else CONCURRENCY)

    async def send(chain: Sequence[Event]) -> None:
        for event in chain:
            async with places:
                if done.over(patience):
                    return
                reply = await post(event)
                done.note(event, reply)
            if not reply.acknowledged:
                return

    async with asyncio.TaskGroup() as group:
        for chain in chains:
            group.create_task(send(chain))
    return done


def after_round(
    webhook: Webhook, progress: WebhookProgress, page: EventPage, done: Round, *, now: int, jitter: float
) -> WebhookProgress:
    """Return the progress after a round. `page` is the window that it worked on."""
    has = {*progress.acknowledged, *done.acknowledged}
    cursor, place = progress.cursor, 0
    for place, (position, event) in enumerate(page.events):  # noqa: B007 - where the first gap is
        if event.id not in has and concerns(webhook, event):
            break
        cursor = position
    else:
        cursor, place = page.next, len(page.events)
    ahead = [event.id for _, event in page.events[place:]]
    failing = _failing(progress, done, ahead, has, now)
    known = set(ahead)
    return progress.evolve(
        cursor=cursor,
        acknowledged=tuple(
            event_id for event_id in (*progress.acknowledged, *sorted(done.acknowledged)) if event_id in known
        ),
        failing=failing,
        version=progress.version + 1,
        **_next_attempt(progress, done, failing, now, jitter),
    )


def _failing(
    progress: WebhookProgress, done: Round, ahead: Sequence[str], has: set[str], now: int
) -> tuple[Failing, ...]:
    failed = done.failed
    listed = []
    for event_id in ahead:
        before = progress.failed(event_id)
        if event_id in has or (before is None and event_id not in failed):
            continue
        attempts = (before.attempts if before else 0) + (event_id in failed)
        listed.append(Failing(event_id=event_id, since=before.since if before else now, attempts=attempts))
    return tuple(listed)


def _next_attempt(
    progress: WebhookProgress, done: Round, failing: Sequence[Failing], now: int, jitter: float
) -> Mapping[str, object]:
    if not failing:
        return {"rounds": 0, "next_attempt_at": None, "down": False}
    if not done.failed:
        return {"down": progress.down and not done.acknowledged}
    down = not done.acknowledged
    if progress.next_attempt_at is not None and now < progress.next_attempt_at:
        # New events failed beside those that wait: they wait with them.
        return {"down": progress.down or down}
    rounds = 1 if progress.down and not down else progress.rounds + 1
    retry_after = max((reply.retry_after or 0.0 for reply in done.failed.values()), default=0.0)
    delay = max(delay_ms(rounds, jitter), min(MAX_DELAY_MS, int(retry_after * 1000)))
    return {"rounds": rounds, "next_attempt_at": now + delay, "down": down}
