"""What the API keeps and asks about its users, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mintline.records.clients import Client, ClientBudget
from mintline.scopes import MACHINE_SCOPES
from mintline_api.features.users.emails import Email
from mintline_api.features.users.ports import PoolUser


class MemoryRates:
    """Counts in a dict."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}
        self.requests = 0

    async def add(self, rate_id: str, count: int, *, expires: int) -> int:  # noqa: ARG002 - nothing is dropped
        """Add to a count."""
        self.requests += 1
        self.taken[rate_id] = self.taken.get(rate_id, 0) + count
        return self.taken[rate_id]


class MemoryRevocations:
    """Revocations in a dict, or no place for them."""

    def __init__(self) -> None:
        self.recorded: dict[str, tuple[int, bytes, int]] = {}
        """By `sub`: `revoked_before`, the statement, `expires`."""
        self.failure: Exception | None = None
        self.requests = 0

    async def record(self, sub: str, *, revoked_before: int, statement: bytes, expires: int) -> None:
        """Record a revocation, or raise the planned failure."""
        self.requests += 1
        if self.failure is not None:
            raise self.failure
        if sub not in self.recorded or self.recorded[sub][0] < revoked_before:
            self.recorded[sub] = revoked_before, statement, expires

    async def revoked_before(self, sub: str) -> int:
        """Return until when the user's tokens were issued that count no more."""
        if self.failure is not None:
            raise self.failure
        return self.recorded[sub][0] if sub in self.recorded else 0


class MemoryClientRecords:
    """Machine clients' records in a dict, or no storage."""

    def __init__(self, *clients: Client) -> None:
        self.records: dict[str, Client] = {client.client_id: client for client in clients}
        self.failure: Exception | None = None
        self.requests = 0

    def add(self, client_id: str, *, disabled_at: int | None = None) -> Client:
        """Put a client on record, or change what is on record of it."""
        record = Client(
            client_id=client_id,
            name=f"The backend {client_id}",
            scopes=tuple(scope.short for scope in MACHINE_SCOPES),
            created_at=0,
            disabled_at=disabled_at,
        )
        self.records[client_id] = record
        return record

    async def get(self, client_id: str) -> Client | None:
        """Return a client's record."""
        assert client_id, "DynamoDB refuses an empty key"
        return self.records.get(client_id)

    async def every(self) -> list[Client]:
        """Return all records by name."""
        return sorted(self.records.values(), key=lambda client: client.name)

    async def set_budget(self, client_id: str, budget: ClientBudget) -> Client | None:
        return self._change(client_id, budget=budget)

    async def disable(self, client_id: str, *, at: int) -> Client | None:
        """Disable a client."""
        return self._change(client_id, disabled_at=at)

    async def enable(self, client_id: str) -> Client | None:
        """Enable a client."""
        return self._change(client_id, disabled_at=None)

    def _change(self, client_id: str, **changes: Any) -> Client | None:
        if client_id not in self.records:
            return None
        self.records[client_id] = self.records[client_id].evolve(**changes)
        return self.records[client_id]

    async def client(self, client_id: str) -> Client | None:
        """Return a client's record, or raise the planned failure."""
        self.requests += 1
        if self.failure is not None:
            raise self.failure
        return self.records.get(client_id)


class MemoryGas:
    """Wallets' gas in a dict."""

    def __init__(self) -> None:
        self.given: dict[str, tuple[int, int]] = {}

    async def gas_given(self, address: str) -> tuple[int, int]:
        """Return day and wei."""
        return self.given.get(address, (0, 0))


class MemoryUserPool:
    """A user pool that a test may sign users out of, or take away."""

    def __init__(self) -> None:
        self.signed_out: set[str] = set()
        """The `sub`s whose tokens count no more."""
        self.requested: list[str] = []
        self.failure: Exception | None = None

    async def counts(self, token: str, *, sub: str) -> bool:
        """Tell whether the user is still signed in, or raise the planned failure."""
        assert token
        self.requested.append(sub)
        if self.failure is not None:
            raise self.failure
        return sub not in self.signed_out


@dataclass(slots=True)
class UserRow:
    """A user of `MemoryPoolUsers`."""

    user: PoolUser
    address: str
    verified: bool = True


class MemoryPoolUsers:
    """The users of a pool, by their user names; every request lets others go first."""

    def __init__(self, *, email_verified: bool = True) -> None:
        self.rows: dict[str, UserRow] = {}
        self.email_verified = email_verified
        self.failure: Exception | None = None
        self.requests: list[str] = []
        self.hidden: set[str] = set()
        """User names that exist, and are not shown yet."""

    def add(self, sub: str, *, address: str = "", verified: bool = True) -> PoolUser:
        """Add a user as somebody else made them."""
        user = PoolUser(sub=sub, created_at=1_795_000_000_000)
        self.rows[f"name-of-{sub}"] = UserRow(user, address, verified)
        return user

    async def by_sub(self, sub: str) -> PoolUser | None:
        await self._ask("by_sub")
        return next((row.user for row in self.rows.values() if row.user.sub == sub), None)

    async def by_address(self, email: Email) -> PoolUser | None:
        await self._ask("by_address")
        rows = (row for name, row in self.rows.items() if name not in self.hidden)
        return next((row.user for row in rows if row.verified and row.address == email.address), None)

    async def by_name(self, email: Email) -> PoolUser | None:
        await self._ask("by_name")
        row = self.rows.get(email.name)
        return None if row is None or email.name in self.hidden else row.user

    async def create(self, email: Email) -> PoolUser | None:
        """Make a user unless their name exists, or a verified address does."""
        await self._ask("create")
        taken = any(row.verified and row.address == email.address for row in self.rows.values())
        if email.name in self.rows or (taken and self.email_verified):
            return None
        user = PoolUser(sub=f"sub-{len(self.rows)}", created_at=1_795_000_000_000)
        self.rows[email.name] = UserRow(user, email.address, self.email_verified)
        return user

    async def _ask(self, request: str) -> None:
        self.requests.append(request)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure


class MemoryJwks:
    """A JWKS document that a test may rotate or take away."""

    def __init__(self, keys: Iterable[dict[str, Any]] = ()) -> None:
        self.keys = list(keys)
        self.fetches = 0
        self.failure: Exception | None = None

    async def fetch(self) -> dict[str, Any]:
        """Return the document, or raise the planned failure."""
        self.fetches += 1
        if self.failure is not None:
            raise self.failure
        return {"keys": list(self.keys)}
