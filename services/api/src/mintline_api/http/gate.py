"""Limits how many requests are in progress at once, and how many wait for a slot and for how long.

Requests that get no slot in time receive 503 with Retry-After. That costs little, so under a flood the
admitted requests are answered as fast as without it.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from mintline.adaptive_limit import AdaptiveLimit
from mintline_api.http.problems import OVERLOADED, RequestRefused

PATIENCE = 1.0
"""Seconds that a request waits for a place."""
RETRY_SECONDS = (1, 4)
"""When to come again, at random between these, lest all come at once."""
LINGERING = 4
"""Answers that wait for a mint hold no place; there may be so many of them for each place."""
RECEIVING = 4
"""Nor do bodies that are still on their way, of which there may be so many for each place."""


class Gate:
    """Lets `most` requests in at once, fewer while a dependency throttles; as many again may wait.

    `patience` is in seconds; `clock` and `rng` are for the pace of changes and for advice to clients.
    """

    def __init__(
        self, *, most: int, clock: Callable[[], float], rng: random.Random, patience: float = PATIENCE
    ) -> None:
        self.limit = AdaptiveLimit(most, clock=clock)
        self._most = most
        self._rng = rng
        self._patience = patience
        self._inside = 0
        self._lingering = 0
        self._receiving: dict[asyncio.Timeout, None] = {}
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Hold a place; raises RequestRefused `overloaded` if there is none in time."""
        await self._enter()
        try:
            yield
        finally:
            self._inside -= 1
            self._admit()

    @contextmanager
    def lingering(self) -> Iterator[bool]:
        """Give the place away while an answer waits for a mint; yields whether it may wait at all."""
        if self._lingering >= LINGERING * self._most:
            yield False
            return
        self._lingering += 1
        self._inside -= 1
        self._admit()
        try:
            yield True
        finally:
            self._lingering -= 1
            # It is let in again at once: most of its work is done.
            self._inside += 1

    @asynccontextmanager
    async def receiving(self, seconds: float) -> AsyncIterator[None]:
        """Give the place away while a body arrives, then wait for one; raises RequestRefused as `entered`.

        Raises TimeoutError after `seconds`. Where too many arrive at once, whichever has taken longest makes
        room for the next, so those who send without end keep out nobody but each other.
        """
        if len(self._receiving) >= RECEIVING * self._most:
            slowest = next(iter(self._receiving))
            del self._receiving[slowest]
            if not slowest.expired():
                slowest.reschedule(asyncio.get_running_loop().time())
        self._inside -= 1
        self._admit()
        try:
            async with asyncio.timeout(seconds) as limit:
                self._receiving[limit] = None
                try:
                    yield
                finally:
                    self._receiving.pop(limit, None)
        except BaseException:
            # What is left is to say so.
            self._inside += 1
            raise
        try:
            await self._enter()
        except BaseException:
            self._inside += 1
            raise

    async def _enter(self) -> None:
        if self._inside < self.limit.value and not self._waiting:
            self._inside += 1
            return
        if len(self._waiting) >= self._most:
            raise self._refusal()
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(self._patience):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled():
                # The place was given in the same moment: it goes to the next.
                self._inside -= 1
                self._admit()
            elif place in self._waiting:
                self._waiting.remove(place)
            if isinstance(error, TimeoutError):
                raise self._refusal() from None
            raise

    def _admit(self) -> None:
        while self._waiting and self._inside < self.limit.value:
            place = self._waiting.popleft()
            if not place.done():
                self._inside += 1
                place.set_result(None)

    def _refusal(self) -> RequestRefused:
        seconds = self._rng.randint(*RETRY_SECONDS)
        detail = "The API has too many requests in progress. Nothing was done."
        return RequestRefused(OVERLOADED, detail, headers={"Retry-After": str(seconds)})
