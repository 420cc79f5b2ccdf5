"""Machine clients of the API, in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from mintline.records.clients import Client, ClientBudget
from mintline_testkit.api.users import MemoryClientRecords


class MemoryClientUse:
    """What clients have used, in a dict; every request lets others go first."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.requests = 0
        self.requested = asyncio.Event()
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
        await self._ask()
        return self.counts[use_id]

    async def _ask(self) -> None:
        self.requests += 1
        self.requested.set()
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure


class MemoryRegistry:
    """Machine clients and their secrets, in memory."""

    def __init__(self, records: MemoryClientRecords) -> None:
        self.records = records
        self.app_clients = self
        self.secrets: dict[str, list[str]] = {}
        """Each client's, oldest first."""

    async def create(
        self, name: str, *, scopes: Sequence[str], budget: ClientBudget, at: int
    ) -> tuple[Client, str]:
        """Create a client."""
        client_id = f"client{len(self.secrets)}"
        client = Client(client_id=client_id, name=name, scopes=tuple(scopes), budget=budget, created_at=at)
        self.records.records[client_id] = client
        self.secrets[client_id] = [f"secret of {client_id}"]
        return client, self.secrets[client_id][0]

    async def delete(self, client_id: str) -> bool:
        """Delete a client; False if there is none."""
        self.secrets.pop(client_id, None)
        return self.records.records.pop(client_id, None) is not None

    async def add_secret(self, client_id: str) -> str | None:
        """Give a client another secret."""
        if client_id not in self.secrets:
            return None
        self.secrets[client_id] = [*self.secrets[client_id][-1:], f"another secret of {client_id}"]
        return self.secrets[client_id][-1]

    async def retire_secrets(self, client_id: str) -> int | None:
        """Drop a client's secrets but the newest."""
        if client_id not in self.secrets:
            return None
        dropped = len(self.secrets[client_id]) - 1
        self.secrets[client_id] = self.secrets[client_id][-1:]
        return dropped
