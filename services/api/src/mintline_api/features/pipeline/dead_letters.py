"""The dead letters that operators see, and send back, over the API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from mintline.aws.dead_letters import DeadLetter
from mintline.resource_types import Queue
from mintline_api.features.pipeline.ports import DeadLetterQueues

SHOWN = 20
"""Dead letters of each queue that are shown."""
LETTERS_KEPT = 15.0
"""Seconds between looks at a queue's dead letters: a look holds them, so that nobody else gets them."""
MOST_REDRIVEN = 100
"""Dead letters that one request sends back at most."""
ROUNDS = 3
"""How often those that were asked for are looked for: another process may hold them at first."""
PAUSE = 1.0
"""Seconds between two rounds."""

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class DeadLetterDesk:
    """Reads dead letters seldom, and sends them back. `clock` is in seconds."""

    queues: DeadLetterQueues
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    _kept: dict[str, tuple[float, list[DeadLetter]]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def letters(self, counts: Mapping[Queue, int]) -> list[tuple[Queue, DeadLetter]]:
        """Return the first dead letters of each queue that has some by `counts`, 15 seconds old at most.

        While some are being sent back, those that were seen before are returned.
        """
        if not self._lock.locked():
            async with self._lock:
                await asyncio.gather(*(self._look(queue, count) for queue, count in counts.items()))
        return [
            (queue, letter)
            for queue, count in counts.items()
            if count
            for letter in self._kept.get(queue.name, (0.0, []))[1]
        ]

    async def redrive(self, queue: Queue, ids: Collection[str] | None, *, by: str) -> list[DeadLetter]:
        """Send dead letters back to their queue, in order; `ids` of None means the first 100.

        Returns those that were sent; the log says that it was by `by`. A repetition is harmless: what was
        sent is no dead letter any more.
        """
        async with self._lock:
            self._kept.pop(queue.name, None)
            sent = await self._redrive(queue, ids)
        for letter in sent:
            log.info(
                "dead_letter_redriven",
                queue=queue.name,
                message_id=letter.message_id,
                code=letter.code,
                digest=letter.digest,
                by=by,
            )
        return sent

    async def _redrive(self, queue: Queue, ids: Collection[str] | None) -> list[DeadLetter]:
        if ids is None:
            return await self.queues.redrive(queue, None, limit=MOST_REDRIVEN)
        sent: list[DeadLetter] = []
        wanted = set(ids)
        for turn in range(ROUNDS):
            if turn:
                await self.sleep(PAUSE)
            sent += await self.queues.redrive(queue, wanted, limit=MOST_REDRIVEN)
            wanted -= {letter.message_id for letter in sent}
            if not wanted:
                break
        return sent

    async def _look(self, queue: Queue, count: int) -> None:
        kept = self._kept.get(queue.name)
        if not count:
            self._kept.pop(queue.name, None)
        elif kept is None or self.clock() >= kept[0]:
            found = await self.queues.look(queue, limit=min(SHOWN, count))
            self._kept[queue.name] = (self.clock() + LETTERS_KEPT, found)


def operation_of(letter: DeadLetter) -> str | None:
    """Return the operation that a dead letter is about; None for one about several, or about none."""
    message = letter.message
    intent = message.get("intent")
    for members in (message, intent if isinstance(intent, dict) else {}):
        for name in ("mint_id", "operation_id"):
            value = members.get(name)
            if isinstance(value, str) and value:
                return value
    return None


def letter_of(letters: Sequence[DeadLetter], operation_id: str) -> DeadLetter | None:
    """Return the dead letter that is about an operation."""
    return next((letter for letter in letters if operation_of(letter) == operation_id), None)
