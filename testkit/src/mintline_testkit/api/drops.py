"""Drops and their lines in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mintline.drop_records import Drop, DropPart, SupplyReservations
from mintline.errors import Conflict, Unreadable
from mintline.records.keys import created_key
from mintline_api.features.pages import Page
from mintline_testkit.api.pages import page_of


class MemoryDrops:
    """Drops and their parts in dicts."""

    def __init__(self) -> None:
        self.items: dict[str, Drop] = {}
        self.parts_of: dict[str, dict[int, DropPart]] = {}
        self.marks_of: dict[str, dict[int, bytes]] = {}
        self.renewed: dict[tuple[str, int], bytes] = {}
        self.reserved: dict[str, SupplyReservations] = {}
        self.writes = 0

    async def create(self, drop: Drop) -> Drop | None:
        """Create unless it exists."""
        if drop.drop_id in self.items:
            return self.items[drop.drop_id]
        self.items[drop.drop_id] = drop
        return None

    async def get(self, drop_id: str) -> Drop | None:
        return self.items.get(drop_id)

    async def ids_of(self, client_id: str, *, limit: int, after: str | None) -> Page[str]:
        mine = [
            (created_key(drop.created_at, drop.drop_id), drop.drop_id)
            for drop in self.items.values()
            if drop.client_id == client_id
        ]
        return page_of(mine, limit=limit, after=after, newest_first=True)

    async def open(self) -> list[str]:
        """Return what a runner may have to do with."""
        return [drop.drop_id for drop in self.items.values() if drop.open]

    async def replace(self, drop: Drop, part: DropPart | None = None, marks: bytes | None = None) -> None:
        if self.items[drop.drop_id].version != drop.version - 1:
            raise Conflict("another version")
        self.writes += 1
        self.items[drop.drop_id] = drop
        if part is not None:
            self.parts_of.setdefault(part.drop_id, {})[part.number] = part
            if marks is not None:
                self.marks_of.setdefault(drop.drop_id, {})[part.number] = marks

    async def renew(self, drop_id: str, chunk: int, envelope: bytes) -> None:
        """Remember the authorization."""
        self.renewed[(drop_id, chunk)] = envelope

    async def part(self, drop_id: str, number: int) -> DropPart | None:
        return self.parts_of.get(drop_id, {}).get(number)

    async def parts(self, drop_id: str, *, first: int = 0) -> AsyncIterator[DropPart]:
        for number, part in sorted(self.parts_of.get(drop_id, {}).items()):
            if number >= first:
                yield part

    async def marks(self, drop_id: str) -> AsyncIterator[bytes]:
        for _, marks in sorted(self.marks_of.get(drop_id, {}).items()):
            yield marks

    async def reservations(self, chain_id: int, contract: str) -> SupplyReservations:
        """Return a collection's reservations."""
        return self.reserved.get(contract) or SupplyReservations(chain_id=chain_id, contract=contract)

    async def reserve(self, reservations: SupplyReservations) -> None:
        before = await self.reservations(reservations.chain_id, reservations.contract)
        if before.version != reservations.version - 1:
            raise Conflict("another version")
        self.writes += 1
        self.reserved[reservations.contract] = reservations


class MemoryLineObjects:
    """Objects in a dict."""

    def __init__(self) -> None:
        self.items: dict[str, bytes] = {}

    async def put(self, key: str, data: bytes) -> None:
        self.items[key] = data

    async def get(self, key: str) -> bytes:
        if key not in self.items:
            raise Unreadable(f"the lines of {key} are not there")
        return self.items[key]

    async def delete(self, key: str) -> None:
        self.items.pop(key, None)
