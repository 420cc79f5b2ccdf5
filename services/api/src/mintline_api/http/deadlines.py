"""The deadline of a request, by which it is answered even if a dependency hangs.

Until its record is committed, a request that takes too long is cancelled and answered with 503. What follows
the commit takes no longer than what is `left`, so that the response still shows the record.
"""

from __future__ import annotations

import asyncio

MARGIN = 0.5
"""Seconds kept for writing the response."""


class Deadline:
    """A request's deadline, `seconds` after its arrival; the time that its body takes is not counted."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.limit = asyncio.timeout(seconds)

    def suspend(self) -> None:
        """Stop counting: the client is sending its body, which has a limit of its own."""
        self.limit.reschedule(None)

    def restart(self) -> None:
        """Count from the beginning."""
        self.limit.reschedule(asyncio.get_running_loop().time() + self._seconds)

    def left(self) -> float:
        """Return for how many seconds the request may still be worked on, 0 when there are none."""
        when = self.limit.when()
        if when is None:
            return self._seconds
        return max(0.0, when - asyncio.get_running_loop().time() - MARGIN)
