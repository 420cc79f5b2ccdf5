"""The queue port in memory: FIFO groups, visibility timeouts, receive counts, deduplication, dead letters.

It behaves as SQS FIFO queues do (developer guide, "Amazon SQS FIFO queues"), on a clock of the caller's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mintline.aws.queues import Depth
from mintline.errors import Conflict
from mintline.messages.codec import encode
from mintline.messages.parts import Message
from mintline.queue_port import Received
from mintline.resource_types import Queue

DEDUPLICATION_SECONDS = 300.0


POLL_SECONDS = 0.005


@dataclass(slots=True)
class _Stored:
    message_id: str
    body: str
    group: str
    sent_at: float
    visible_at: float = 0.0
    receive_count: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter, with its reason."""

    body: str
    group: str
    code: str
    reason: str
    digest: str | None
    message_id: str = ""
    sent_at: float = 0.0


@dataclass(slots=True)
class _Line:
    messages: list[_Stored] = field(default_factory=list)
    seen: dict[tuple[str, str], float] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)


class MemoryQueues:
    """Queues that live and die with the process. `clock` is in seconds; `sleep` lets a receive wait."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lines: dict[str, _Line] = {}
        self._count = 0

    async def send(self, queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        self.put(queue, encode(message), group=group, dedup=dedup)

    def put(self, queue: Queue, body: str, *, group: str, dedup: str) -> None:
        """Enqueue any body, decodable or not."""
        line, now = self._line(queue), self._clock()
        seen = line.seen.get((group, dedup))
        if seen is not None and now - seen < DEDUPLICATION_SECONDS:
            return
        line.seen[group, dedup] = now
        self._count += 1
        line.messages.append(_Stored(f"message-{self._count}", body, group, sent_at=now))

    async def receive(self, queue: Queue, *, limit: int = 10, wait: int = 20) -> list[Received]:
        """Return up to `limit` visible messages, waiting up to `wait` seconds for the first."""
        deadline = self._clock() + wait
        while True:
            if batch := self._take(queue, limit):
                return batch
            if self._clock() >= deadline:
                return []
            await self._sleep(POLL_SECONDS)

    async def delete(self, received: Received) -> None:
        """Remove a message; Conflict if its receipt has run out."""
        self._line(received.queue).messages.remove(self._held(received))

    async def change_visibility(self, received: Received, seconds: int) -> None:
        """Hide a message for `seconds` from now; Conflict if its receipt has run out."""
        self._held(received).visible_at = self._clock() + seconds

    async def dead_letter(self, received: Received, *, code: str, reason: str, digest: str | None) -> None:
        """Move a message to the dead letters."""
        dead = DeadLetter(
            received.body, received.group, code, reason, digest, received.message_id, self._clock()
        )
        self._line(received.queue).dead.append(dead)
        await self.delete(received)

    async def renew(self, received: Received) -> None:
        self.put(received.queue, received.body, group=received.group, dedup=f"renew:{received.message_id}")
        await self.delete(received)

    async def depth(self, queue: Queue, *, dead_letters: bool = False) -> Depth:
        """Return how many messages wait and how many are in flight; dead letters all wait."""
        line, now = self._line(queue), self._clock()
        if dead_letters:
            return Depth(visible=len(line.dead), in_flight=0)
        hidden = sum(stored.visible_at > now for stored in line.messages)
        return Depth(visible=len(line.messages) - hidden, in_flight=hidden)

    def waiting(self, queue: Queue) -> int:
        """Return how many messages are in the queue, visible or not."""
        return len(self._line(queue).messages)

    def dead_letters(self, queue: Queue) -> list[DeadLetter]:
        """Return the dead letters, oldest first."""
        return list(self._line(queue).dead)

    def redrive(self, queue: Queue, dead: DeadLetter) -> None:
        """Send a dead letter back to its queue."""
        self.put(queue, dead.body, group=dead.group, dedup=f"redrive:{dead.message_id}")
        self._line(queue).dead.remove(dead)

    def _line(self, queue: Queue) -> _Line:
        return self._lines.setdefault(queue.name, _Line())

    def _take(self, queue: Queue, limit: int) -> list[Received]:
        """Hand out messages in order; a group with one in flight waits until that one is settled."""
        now = self._clock()
        line = self._line(queue)
        blocked = {stored.group for stored in line.messages if stored.visible_at > now}
        batch: list[Received] = []
        for stored in [m for m in line.messages if m.group not in blocked][:limit]:
            stored.receive_count += 1
            if stored.receive_count > queue.max_receives:
                line.messages.remove(stored)
                reason = f"received {queue.max_receives} times"
                dead = DeadLetter(
                    stored.body, stored.group, "max_receives", reason, None, stored.message_id, now
                )
                line.dead.append(dead)
                continue
            stored.visible_at = now + queue.visibility_timeout
            batch.append(
                Received(
                    queue=queue,
                    body=stored.body,
                    receipt=f"{stored.message_id}#{stored.receive_count}",
                    message_id=stored.message_id,
                    group=stored.group,
                    receive_count=stored.receive_count,
                    sent_at=stored.sent_at,
                )
            )
        return batch

    def _held(self, received: Received) -> _Stored:
        for stored in self._line(received.queue).messages:
            current = f"{stored.message_id}#{stored.receive_count}" == received.receipt
            if current and stored.visible_at > self._clock():
                return stored
        raise Conflict(f"the receipt of {received.message_id} has run out")
