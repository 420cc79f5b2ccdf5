"""A budget of retries: what is tried again stays a small part of what is tried, however much fails."""

from __future__ import annotations

BURST = 20.0
SHARE = 0.1


class RetryBudget:
    """Every success earns a tenth of a retry, up to a burst; a retry that is not earned is not made.

    So an outage of everything costs a dependency a tenth more requests than it got before, not several times
    as many (Google, Site Reliability Engineering, "Handling Overload").
    """

    def __init__(self, *, burst: float = BURST, share: float = SHARE) -> None:
        self._burst = burst
        self._share = share
        self._left = burst

    def earn(self) -> None:
        """Note a success."""
        self._left = min(self._burst, self._left + self._share)

    def spend(self) -> bool:
        """Tell whether a retry may be made, and take it from what is left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
