"""Queues on virtual time: FIFO groups as in `mintline_testkit.queues`, with the liberties that SQS takes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from mintline.queue_port import Received
from mintline.resource_types import Queue
from mintline_harness.simulation.process import Faults
from mintline_testkit.queues import MemoryQueues

LONGEST_DELAY = 2.0
"""Seconds by which a message may become visible late."""


class SimulatedQueues(MemoryQueues):
    """Wakes receivers instead of having them poll, and now and then delivers twice, late or out of order.

    The order within a group stays: that much FIFO queues do promise.
    """

    def __init__(self, *, clock: Callable[[], float], rng: random.Random, faults: Faults) -> None:
        super().__init__(clock=clock)
        self._rng = rng
        self._faults = faults
        self.duplicates = 0.0
        """How often a message becomes visible again while it is handled, per delivery."""
        self.delays = 0.0
        """How often a message becomes visible late, per message."""
        self.misdeed: Callable[[str], None] = lambda _: None
        """Hears of a message that was deleted before anyone had finished the work that it asks for."""
        self._changed: dict[str, asyncio.Event] = {}
        self._worked: set[tuple[str, str]] = set()
        self._losing: set[str] = set()

    def worked_on(self, queue: Queue, body: str) -> None:
        """Note that a handler of a message has come to its end, whatever came of it."""
        self._worked.add((queue.name, body))

    def put(self, queue: Queue, body: str, *, group: str, dedup: str) -> None:
        """Enqueue a body, and wake the waiting consumer."""
        line = self._line(queue)
        before = len(line.messages)
        super().put(queue, body, group=group, dedup=dedup)
        if len(line.messages) > before:
            if self._rng.random() < self.delays:
                self._faults.count("delayed messages")
                line.messages[-1].visible_at = self._clock() + self._rng.uniform(0, LONGEST_DELAY)
            self._lose(queue)
        self._wake(queue)

    def lose_next(self, queue: Queue) -> None:
        """Lose the next message, of which the sender hears that it was taken."""
        self._losing.add(queue.name)

    def _lose(self, queue: Queue) -> None:
        if queue.name in self._losing:
            self._losing.remove(queue.name)
            self._line(queue).messages.pop()
            self._faults.count("lost messages")

    async def receive(self, queue: Queue, *, limit: int = 10, wait: int = 20) -> list[Received]:
        """Return up to `limit` visible messages, waiting up to `wait` seconds for the first."""
        deadline = self._clock() + wait
        while not (batch := self._take(queue, limit)):
            event = self._changed.setdefault(queue.name, asyncio.Event())
            event.clear()
            now = self._clock()
            due = [m.visible_at for m in self._line(queue).messages if m.visible_at > now]
            try:
                async with asyncio.timeout(min([deadline, *due]) - now + 1e-6):
                    await event.wait()
            except TimeoutError:
                if self._clock() >= deadline:
                    return []
        return batch

    async def delete(self, received: Received) -> None:
        """Remove a message: the next one of its group can be delivered."""
        if (received.queue.name, received.body) not in self._worked:
            self.misdeed(
                f"{received.message_id} of {received.queue.name} was deleted before its work was done"
            )
        await super().delete(received)
        self._wake(received.queue)

    async def change_visibility(self, received: Received, seconds: int) -> None:
        await super().change_visibility(received, seconds)
        self._wake(received.queue)

    def _take(self, queue: Queue, limit: int) -> list[Received]:
        line, rng = self._line(queue), self._rng
        if not line.messages:
            return []
        if self.duplicates and len(line.messages) > 1:
            order = {group: rng.random() for group in dict.fromkeys(m.group for m in line.messages)}
            line.messages.sort(key=lambda message: order[message.group])
            limit = rng.randint(1, limit)
        batch = super()._take(queue, limit)
        if batch and rng.random() < self.duplicates:
            again = rng.choice(batch).message_id
            [stored] = [m for m in line.messages if m.message_id == again]
            stored.visible_at = self._clock() + rng.uniform(0, queue.visibility_timeout)
            self._faults.count("duplicates")
        return batch

    def _wake(self, queue: Queue) -> None:
        event = self._changed.get(queue.name)
        if event is not None:
            event.set()

    def end_faults(self) -> None:
        """Deliver like a queue on its best day."""
        self.duplicates = self.delays = 0.0
        self._losing.clear()
