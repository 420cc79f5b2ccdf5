"""What limits need from storage."""

from __future__ import annotations

from typing import Protocol

from mintline.chain.answers import FeeMarket
from mintline.records.clients import Client


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


class BudgetCounter(Protocol):
    """Counts what machine clients have used, over all copies of the api."""

    async def take(self, use_id: str, amount: int, *, limit: int | None, expires: int) -> int | None:
        """Add to a count unless it would pass `limit`.

        Return None if it was added, else the count as it is. It is dropped some time after `expires`
        (Unix s).
        """
        ...

    async def give_back(self, use_id: str, amount: int) -> None:
        """Subtract from a count what was added for a request that failed."""
        ...

    async def used(self, use_id: str) -> int:
        """Return a count."""
        ...


class ClientRecords(Protocol):
    """The machine clients on record."""

    async def client(self, client_id: str) -> Client | None:
        """Return a client's record, None if there is none."""
        ...


class FeeSource(Protocol):
    """What the chain asks for gas."""

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""
        ...
