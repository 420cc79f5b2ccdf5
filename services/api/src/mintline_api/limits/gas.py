"""The gas that the platform has paid for a wallet today, and whether that is all it pays.

The builder writes it down with each top-up (`gas_day`, `gas_given`) and keeps the budget; the api reads it to
say so at once, instead of accepting a mint that waits until tomorrow.
"""

from __future__ import annotations

from collections.abc import Callable

from mintline.clock import DAY
from mintline.eth import GWEI
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.http.models import rfc3339
from mintline_api.http.problems import RequestRefused
from mintline_api.limits.ports import GasAccounts
from mintline_api.limits.problems import GAS_BUDGET_REACHED

FRESH_SECONDS = 5.0
_WALLETS = 100_000


class GasBudget:
    """Refuses custodial mints of wallets whose budget (wei a UTC day) is used up.

    `now` returns Unix milliseconds, `clock` monotonic seconds.
    """

    def __init__(
        self,
        accounts: GasAccounts,
        *,
        budget: int,
        now: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._budget = budget
        self._now = now
        self._cache: BoundedCache[str, tuple[int, int]] = BoundedCache(max_weight=_WALLETS, clock=clock)
        self._flights: SingleFlight[str, tuple[int, int]] = SingleFlight()

    async def check(self, address: str) -> None:
        """Raise RequestRefused (429) if the wallet has had all of today's gas."""
        known = self._cache.get(address)
        if known is None:
            known = await self._flights.run(address, lambda: self._accounts.gas_given(address))
            self._cache.put(address, known, ttl=FRESH_SECONDS)
        day, given = known
        seconds = self._now() // 1000
        if day == seconds // DAY and given >= self._budget:
            resets = (day + 1) * DAY
            raise RequestRefused(
                GAS_BUDGET_REACHED,
                f"Your wallet's gas budget for today is used up until {rfc3339(resets * 1000)}.",
                headers={
                    "Retry-After": str(resets - seconds),
                    # In gwei: a structured field's integers end at fifteen digits (RFC 9651).
                    "RateLimit-Policy": f'"gas-gwei";q={self._budget // GWEI};w={DAY}',
                    "RateLimit": f'"gas-gwei";r=0;t={resets - seconds}',
                },
            )
