"""How many writes a user may make a minute, over all copies of the api.

::

    windows of a minute ──add(n)──▶ permits of this copy ──take──▶ a write
    one item per user             ▲   and `FREE` unasked │
                                  └──────give back───────┘  the request was a replay

Each copy leases permits in growing blocks, so that a write costs a small part of a request. A few writes a
minute are free in each copy: most users never cause a lease. With n copies a user has at most
`limit + n * (limit // FREE)` writes a window. See decision 0046.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.http.problems import RequestRefused
from mintline_api.limits.ports import RateCounter
from mintline_api.limits.problems import TOO_MANY_WRITES

WINDOW = 60
"""Seconds."""
FREE = 60
"""One in so many permits is free in each copy, so a limit below this is kept exactly."""
LARGEST = 8
"""A lease takes no more than one in so many permits, lest a copy that rests keep them from another."""
FIRST = 10
_USERS = 100_000


@dataclass(slots=True)
class _Window:
    """One user's minute as this copy knows it."""

    number: int
    free: int
    """Permits that may be used now."""
    unasked: int
    """Free permits that the shared counter has not been unreported of."""
    granted: int = 0
    """What all copies have taken, as last seen."""
    block: int = FIRST


@dataclass(frozen=True, slots=True)
class WritesLeft:
    """What the RateLimit headers say (draft-ietf-httpapi-ratelimit-headers, 10); `reset` in seconds."""

    limit: int
    left: int
    reset: int

    def headers(self) -> dict[str, str]:
        """Return both of the draft's header fields."""
        return {
            "RateLimit-Policy": f'"writes";q={self.limit};w={WINDOW}',
            "RateLimit": f'"writes";r={self.left};t={self.reset}',
        }


class Rates:
    """Admits writes. `now` returns Unix milliseconds, `clock` monotonic seconds."""

    def __init__(
        self,
        counter: RateCounter,
        *,
        limit: int,
        now: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._counter = counter
        self._limit = limit
        self._now = now
        self._windows: BoundedCache[str, _Window] = BoundedCache(max_weight=_USERS, clock=clock)
        self._leases: SingleFlight[str, None] = SingleFlight()

    async def take(self, sub: str, count: int = 1) -> int:
        """Take permits for so many writes of a user's and return their window, for `give_back`.

        Raises RequestRefused (429) if there are not so many in this window: then none is taken.
        """
        while True:
            window = self._window(sub)
            if window.free >= count:
                window.free -= count
                return window.number
            if window.granted >= self._limit:
                left = self.left(sub)
                detail = f"You have made {self._limit} writes in this minute. Nothing was done."
                headers = {**left.headers(), "Retry-After": str(left.reset)}
                raise RequestRefused(TOO_MANY_WRITES, detail, headers=headers)
            await self._leases.run(sub, partial(self._lease, sub, window))

    def give_back(self, sub: str, number: int, count: int = 1) -> None:
        """Take back permits of window `number` from a request that wrote nothing; good in no other."""
        window = self._window(sub)
        if window.number == number:
            window.free += count

    def left(self, sub: str) -> WritesLeft:
        """Return what a user has left, as far as this copy knows."""
        window = self._window(sub)
        left = window.free + max(0, self._limit - window.granted - window.unasked)
        reset = math.ceil(((window.number + 1) * WINDOW * 1000 - self._now()) / 1000)
        return WritesLeft(limit=self._limit, left=min(self._limit, left), reset=max(1, reset))

    def _window(self, sub: str) -> _Window:
        number = self._now() // (WINDOW * 1000)
        window = self._windows.get(sub)
        if window is None or window.number != number:
            free = self._limit // FREE
            window = _Window(number=number, free=free, unasked=free)
            self._windows.put(sub, window, ttl=2 * WINDOW)
        return window

    async def _lease(self, sub: str, window: _Window) -> None:
        block = min(window.block, max(1, self._limit // LARGEST))
        expires = (window.number + 2) * WINDOW
        unreported = window.unasked
        window.granted = await self._counter.add(
            f"{sub}#{window.number}", unreported + block, expires=expires
        )
        window.unasked -= unreported
        window.free += max(0, min(block, block - (window.granted - self._limit)))
        window.block *= 2
