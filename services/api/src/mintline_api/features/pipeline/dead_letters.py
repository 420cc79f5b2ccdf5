"""The dead letters that operators see, and send back, over the API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from mintline.aws.dead_letters import HOLD, DeadLetter, in_rounds
from mintline.resource_types import Queue
from mintline_api.caches import SingleFlight
from mintline_api.features.pipeline.ports import DeadLetterQueues

SHOWN = 20
"""Dead letters of each queue that are shown."""
LETTERS_KEPT = 15.0
"""Seconds between looks at a queue's dead letters: a look holds them, so that nobody else gets them."""
MOST_REDRIVEN = 100
"""Dead letters that one request sends back at most."""

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class DeadLetterDesk:
    """Reads dead letters seldom, and sends them back. `clock` is in seconds.

    Both are done to their end when who asked is cancelled: what was received is put back, what was sent is
    logged.
    """

    queues: DeadLetterQueues
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    _kept: dict[str, tuple[float, list[DeadLetter]]] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _looks: SingleFlight[str, None] = field(default_factory=SingleFlight)
    _redrives: SingleFlight[tuple[str, frozenset[str] | None, str], list[DeadLetter]] = field(
        default_factory=SingleFlight
    )
    _redriving: int = 0

    async def letters(self, counts: Mapping[Queue, int]) -> list[tuple[Queue, DeadLetter]]:
        """Return the first dead letters of each queue that has some by `counts`, 15 seconds old at most.

        While some are being sent back, those that were seen before are returned.
        """
        if not self._redriving:
            await self._looks.run("look", lambda: self._look_at(counts))
        return [
            (queue, letter)
            for queue, count in counts.items()
            if count
            for letter in self._kept.get(queue.name, (0.0, []))[1]
        ]

    async def redrive(self, queue: Queue, ids: Collection[str] | None, *, by: str) -> list[DeadLetter]:
        """Send dead letters back to their queue, in order; `ids` of None means the first 100.

        Returns those that were sent; the log says that it was by `by`. A repetition gets the outcome of the
        one that is under way. A later one of named letters is harmless: what was sent is no dead letter any
        more.
        """
        wanted = None if ids is None else frozenset(ids)
        return await self._redrives.run((queue.name, wanted, by), lambda: self._redrive(queue, wanted, by=by))

    async def _redrive(self, queue: Queue, ids: Collection[str] | None, *, by: str) -> list[DeadLetter]:
        def sent(letters: Sequence[DeadLetter]) -> None:
            for letter in letters:
                log.info(
                    "dead_letter_redriven",
                    queue=queue.name,
                    message_id=letter.message_id,
                    code=letter.code,
                    digest=letter.digest,
                    by=by,
                )

        async def send(left: Collection[str] | None) -> list[DeadLetter]:
            return await self.queues.redrive(queue, left, limit=MOST_REDRIVEN, sent=sent)

        self._redriving += 1
        try:
            async with self._lock:
                try:
                    return await in_rounds(send, ids, sleep=self.sleep)
                finally:
                    self._kept.pop(queue.name, None)
        finally:
            self._redriving -= 1

    async def _look_at(self, counts: Mapping[Queue, int]) -> None:
        # What takes longer than they are held has lost them.
        async with self._lock, asyncio.timeout(HOLD):
            await asyncio.gather(*(self._peek(queue, count) for queue, count in counts.items()))

    async def _peek(self, queue: Queue, count: int) -> None:
        kept = self._kept.get(queue.name)
        if not count:
            self._kept.pop(queue.name, None)
        elif kept is None or self.clock() >= kept[0]:
            letters = await self.queues.peek(queue, limit=min(SHOWN, count))
            self._kept[queue.name] = (self.clock() + LETTERS_KEPT, letters)


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
