"""How much to take in at once: less when what we depend on asks for less, more again as work gets done.

Additive increase, multiplicative decrease, as TCP does (RFC 5681, section 3.1): many processes that share a
throttled dependency settle on a pace that it can bear, without knowing of each other.
"""

from __future__ import annotations

from collections.abc import Callable

CUT_INTERVAL = 1.0
"""Seconds for which further complaints are about the same moment: work that was already taken in."""
GROWTH = 0.25
"""By how much one piece of work that got done widens the intake."""


class Intake:
    """A limit between 1 and `most`; `clock` is in seconds."""

    def __init__(self, most: int, *, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._width = float(most)
        self._cut_at = float("-inf")

    @property
    def width(self) -> int:
        """How many may be in hand at once."""
        return int(self._width)

    def throttled(self) -> None:
        """Halve the limit, once a second at most."""
        now = self._clock()
        if now - self._cut_at >= CUT_INTERVAL:
            self._cut_at = now
            self._width = max(1.0, self._width / 2)

    def done(self) -> None:
        """Widen the limit a little."""
        self._width = min(float(self._most), self._width + GROWTH)
