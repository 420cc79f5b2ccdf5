"""What finding and making users needs from the user pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mintline_api.features.users.emails import Email


@dataclass(frozen=True, slots=True)
class PoolUser:
    """A user of the pool; `created_at` is in Unix milliseconds."""

    sub: str
    created_at: int


class UserPool(Protocol):
    """The user pool. All methods raise Unavailable or Throttled."""

    async def by_sub(self, sub: str) -> PoolUser | None:
        """Return the user with this `sub`."""
        ...

    async def by_address(self, email: Email) -> PoolUser | None:
        """Return the user who signs in with this address, which the pool has as verified."""
        ...

    async def by_name(self, email: Email) -> PoolUser | None:
        """Return the user that was made for this address, whatever their address is now."""
        ...

    async def create(self, email: Email) -> PoolUser | None:
        """Make the user of an address, without a message to it; None if there is one meanwhile.

        The pool's user name is the address's: the pool has it once, so this is the lock.
        """
        ...
