"""Machine clients of the API, in memory."""

from __future__ import annotations

import asyncio
from collections import Counter

from mintline.records import Client


class MemoryClientUse:
    """What clients have used, in a dict; every request lets others go first."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.requests = 0
        self.asked = asyncio.Event()
        self.failure: Exception | None = None

    async def take(self, use_id: str, amount: int, *, limit: int | None, expires: int) -> int | None:
        """Add to a count unless it would pass the limit."""
        await self._ask()
        assert expires
        if limit is not None and self.counts[use_id] + amount > limit:
            return self.counts[use_id]
        self.counts[use_id] += amount
        return None

    async def give_back(self, use_id: str, amount: int) -> None:
        """Take off a count, down to nothing."""
        await self._ask()
        if self.counts[use_id] >= amount:
            self.counts[use_id] -= amount

    async def used(self, use_id: str) -> int:
        """Return a count."""
        await self._ask()
        return self.counts[use_id]

    async def _ask(self) -> None:
        self.requests += 1
        self.asked.set()
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure


class MemoryClientRecords:
    """Machine clients' records in a dict."""

    def __init__(self, *clients: Client) -> None:
        self.records = {client.client_id: client for client in clients}

    async def client(self, client_id: str) -> Client | None:
        """Return a client's record."""
        return self.records.get(client_id)
