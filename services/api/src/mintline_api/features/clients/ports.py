"""What managing machine clients needs from the user pool and from storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mintline.records.clients import Client, ClientBudget


class ClientRecords(Protocol):
    """Where machine clients are on record."""

    async def get(self, client_id: str) -> Client | None:
        """Return a client, or None."""
        ...

    async def every(self) -> list[Client]:
        """Return all clients by name."""
        ...

    async def set_budget(self, client_id: str, budget: ClientBudget) -> Client | None:
        """Give a client another budget, and return it; None if there is no such client."""
        ...

    async def disable(self, client_id: str, *, at: int) -> Client | None:
        """Have a client's tokens refused from `at` (Unix milliseconds); None if there is no such client."""
        ...

    async def enable(self, client_id: str) -> Client | None:
        """Have a client's tokens accepted again; None if there is no such client."""
        ...


class AppClientSecrets(Protocol):
    """The secrets of app clients in the user pool."""

    async def add_secret(self, client_id: str) -> str | None:
        """Give an app client another secret, and return it; None if there is no such client."""
        ...

    async def retire_secrets(self, client_id: str) -> int | None:
        """Drop all secrets but the newest, and return how many; None if there is no such client."""
        ...


class Registry(Protocol):
    """Makes and removes machine clients: record and app client together."""

    @property
    def records(self) -> ClientRecords:
        """The clients' records."""
        ...

    @property
    def app_clients(self) -> AppClientSecrets:
        """The clients' app clients."""
        ...

    async def create(
        self, name: str, *, scopes: Sequence[str], budget: ClientBudget, at: int
    ) -> tuple[Client, str]:
        """Create a client, and return it with its secret; `at` is in Unix milliseconds."""
        ...

    async def delete(self, client_id: str) -> bool:
        """Delete a client; False if there was no record of one."""
        ...
