"""A concurrency limit that adapts: lower while a dependency throttles us, higher again as work succeeds.

Additive increase, multiplicative decrease, as TCP does (RFC 5681, section 3.1): many processes that share a
throttled dependency converge on a load that it can bear, without coordination.
"""

from __future__ import annotations

from collections.abc import Callable

CUT_INTERVAL = 1.0
"""Seconds during which further throttling concerns the same load: work that was already started."""
GROWTH = 0.25
"""How much one success raises the limit."""


class AdaptiveLimit:
    """A limit between 1 and `most`; `clock` is in seconds."""

    def __init__(self, most: int, *, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._limit = float(most)
        self._cut_at = float("-inf")

    @property
    def value(self) -> int:
        """How many pieces of work may be under way at once."""
        return int(self._limit)

    def throttled(self) -> None:
        """Halve the limit, once a second at most."""
        now = self._clock()
        if now - self._cut_at >= CUT_INTERVAL:
            self._cut_at = now
            self._limit = max(1.0, self._limit / 2)

    def done(self) -> None:
        """Raise the limit a little."""
        self._limit = min(float(self._most), self._limit + GROWTH)
