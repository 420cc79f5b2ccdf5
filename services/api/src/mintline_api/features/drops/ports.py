"""What drops need from storage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from mintline.drop_records import Drop, DropPart, SupplyReservations
from mintline_api.features.pages import Page


class DropStore(Protocol):
    """The records of drops and of their parts."""

    async def create(self, drop: Drop) -> Drop | None:
        """Create a drop unless its id exists; return None if created, else the one that was there."""
        ...

    async def get(self, drop_id: str) -> Drop | None:
        """Return a drop as it is now."""
        ...

    async def ids_of(self, client_id: str, *, limit: int, after: str | None) -> Page[str]:
        """Return a client's drop ids, newest first; may lag behind `create` by moments."""
        ...

    async def open(self) -> list[str]:
        """Return the ids of the drops for which a runner may have something to do; may lag by moments."""
        ...

    async def replace(self, drop: Drop, part: DropPart | None = None, marks: bytes | None = None) -> None:
        """Store the next version of a drop, with a part and its marks if they are given, in one write.

        Raises Conflict, and stores nothing, unless the stored drop is the version before.
        """
        ...

    async def renew(self, drop_id: str, chunk: int, envelope: bytes) -> None:
        """Replace the authorization of a chunk that is on record; harmless if it is not."""
        ...

    async def part(self, drop_id: str, number: int) -> DropPart | None:
        """Return a part as it is now."""
        ...

    def parts(self, drop_id: str, *, first: int = 0) -> AsyncIterator[DropPart]:
        """Yield the parts of a drop in order, from `first` on."""
        ...

    def marks(self, drop_id: str) -> AsyncIterator[bytes]:
        """Yield the marks of a drop's parts in order."""
        ...

    async def reservations(self, chain_id: int, contract: str) -> SupplyReservations:
        """Return what the drops of a collection have reserved of its supply cap, as it is now."""
        ...

    async def reserve(self, reservations: SupplyReservations) -> None:
        """Store the next version of a collection's reservations.

        Raises Conflict, and stores nothing, unless the stored version is the one before.
        """
        ...


class LineObjects(Protocol):
    """The objects that hold lines."""

    async def put(self, key: str, data: bytes) -> None:
        """Store an object."""
        ...

    async def get(self, key: str) -> bytes:
        """Return an object; raises Unreadable if there is none."""
        ...

    async def delete(self, key: str) -> None:
        """Delete an object; harmless if there is none."""
        ...
