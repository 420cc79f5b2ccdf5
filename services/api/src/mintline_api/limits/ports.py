"""What limits need from storage."""

from __future__ import annotations

from typing import Protocol


class RateCounter(Protocol):
    """Counts what all copies of the api have taken."""

    async def add(self, rate_id: str, count: int, *, expires: int) -> int:
        """Add to a count and return what it is then; it is dropped some time after `expires` (Unix s)."""
        ...


class GasAccounts(Protocol):
    """What the builder has noted of wallets' gas."""

    async def gas_given(self, address: str) -> tuple[int, int]:
        """Return the last day (since the epoch) on which a wallet got gas, and how much then (wei)."""
        ...
