"""A budget of retries: what is tried again stays a small part of what is tried, however much fails."""

from __future__ import annotations

BURST = 20
PRICE = 10
"""Successes that earn a retry."""


class RetryBudget:
    """Ten successes earn a retry, up to a burst; a retry that is not earned is not made.

    So an outage of everything costs a dependency a tenth more requests than it got before, not several times
    as many (Google, Site Reliability Engineering, "Handling Overload").
    """

    def __init__(self, *, burst: int = BURST) -> None:
        self._most = burst * PRICE
        self._left = self._most

    def earn(self) -> None:
        """Note a success."""
        self._left = min(self._most, self._left + 1)

    def spend(self) -> bool:
        """Tell whether a retry may be made, and take it from what is left."""
        if self._left < PRICE:
            return False
        self._left -= PRICE
        return True
