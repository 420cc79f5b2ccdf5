"""Spreads requests over time: at most so many a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Pace:
    """Lets callers go on one after another; `clock` is monotonic, in seconds."""

    def __init__(
        self, per_second: float, *, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._gap = 1.0 / per_second
        self._clock = clock
        self._sleep = sleep
        self._next = float("-inf")
        self._lock = asyncio.Lock()

    async def wait(self) -> None:
        """Return when it is the caller's turn."""
        async with self._lock:
            now = self._clock()
            at = max(now, self._next)
            self._next = at + self._gap
            if at > now:
                await self._sleep(at - now)

    async def pause(self, seconds: float) -> None:
        """Wait for so long; others may go on."""
        await self._sleep(seconds)
