"""A retry budget: retries stay a small share of all requests, however many fail."""

from __future__ import annotations

BURST = 20
PRICE = 10
"""Successes that earn a retry."""


class RetryBudget:
    """Ten successes earn one retry, up to a burst; without a retry left in the budget, none is made.

    So a complete outage costs a dependency a tenth more requests than before, not several times as many
    (Google, Site Reliability Engineering, "Handling Overload").
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
