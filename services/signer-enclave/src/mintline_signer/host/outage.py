"""How often the log says that the enclave cannot be reached: an alarm tells an outage from a roll by it."""

from __future__ import annotations

from collections.abc import Callable

EVERY = 30.0
"""Seconds between two reports of the same outage."""


class Outage:
    """The time for which something has failed, and when to say so again; `clock` is monotonic, in seconds."""

    def __init__(self, *, clock: Callable[[], float], every: float = EVERY) -> None:
        self._clock = clock
        self._every = every
        self._since: float | None = None
        self._reported = 0.0

    def goes_on(self) -> float | None:
        """Note a failure; return the outage's seconds if they are to be reported, else None."""
        now = self._clock()
        if self._since is None:
            self._since = self._reported = now
            return 0.0
        if now - self._reported < self._every:
            return None
        self._reported = now
        return now - self._since

    def ended(self) -> None:
        """Note that it works again."""
        self._since = None
