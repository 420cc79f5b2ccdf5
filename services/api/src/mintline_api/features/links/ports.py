"""What linked wallets need from storage."""

from __future__ import annotations

from typing import Protocol

from mintline.errors import Conflict
from mintline.records.wallets import Challenge, Link


class ChallengeSpent(Conflict):
    """A challenge that is not open: answered, expired, or never this user's."""


class AddressTaken(Conflict):
    """An address that is linked to another user."""


class LinkStore(Protocol):
    """The users' own wallets, and the challenges by which they prove themselves."""

    async def challenge(self, challenge: Challenge) -> None:
        """Keep a challenge until it expires."""
        ...

    async def link(self, link: Link, *, now: int) -> Link:
        """Spend the link's challenge and link its address, both or neither; return the link on record.

        `now` is in Unix seconds. An address that is the user's already stays so. Raises ChallengeSpent or
        AddressTaken.
        """
        ...

    async def get(self, address: str) -> Link | None:
        """Return an address's link as it is now."""
        ...

    async def of_user(self, sub: str) -> tuple[Link, ...]:
        """Return a user's links, oldest first; may lag behind `link` by moments."""
        ...

    async def unlink(self, address: str, *, sub: str) -> bool:
        """Drop a user's link; tell whether there was one."""
        ...
