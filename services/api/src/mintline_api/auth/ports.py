"""What authentication needs from the user pool and from storage."""

from __future__ import annotations

from typing import Any, Protocol

from mintline.records.clients import Client


class RevocationStore(Protocol):
    """Where revoked tokens are on record, for the enclave."""

    async def record(self, sub: str, *, revoked_before: int, statement: bytes, expires: int) -> None:
        """Record it, unless as much is on record of the user; it is dropped some time after `expires`.

        Both times are in Unix seconds.
        """
        ...

    async def revoked_before(self, sub: str) -> int:
        """Return the Unix second before which issued tokens of the user do not count; 0 if all count."""
        ...


class ClientStore(Protocol):
    """Where machine clients are on record."""

    async def client(self, client_id: str) -> Client | None:
        """Return a client's record, None if there is none; raises Unavailable."""
        ...


class TokenStatus(Protocol):
    """The user pool, asked about a token."""

    async def counts(self, token: str, *, sub: str) -> bool:
        """Tell whether the pool still accepts the token of this user; raises Unavailable."""
        ...


class JwksSource(Protocol):
    """Where the user pool's signing keys come from."""

    async def fetch(self) -> dict[str, Any]:
        """Return the JWKS document; raises Unavailable."""
        ...
