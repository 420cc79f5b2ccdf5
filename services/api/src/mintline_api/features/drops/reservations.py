"""How many tokens of a collection's supply cap its running drops have reserved.

::

    drop A   reserves 700 of 1,000 ─┐                    ┌▶ drop B: 300 are left
                                    ├▶ collection's item ┤
    drop A   500 mined ─────────────┘  {A: 700}          └▶ single mint: chain's 500 + A's other 200 + B's 300

One item for each collection says how many lines each drop may mint in all, and is written under its version
alone, so that of two drops at once one sees what the other reserved. What of it is still to come follows from
the drop's own record, so nothing is written as its lines are mined, and a drop that has ended holds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from mintline.drop_records import Drop, SupplyReservations
from mintline.errors import Conflict, Unavailable, Unreadable
from mintline_api.caches import BoundedCache
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.drops.ports import DropStore

KEPT_SECONDS = 2.0
"""For how long single mints go by what was read."""
_COLLECTIONS = 10_000
_TRIES = 10


class Room(NamedTuple):
    """For how many more lines a drop has a reservation."""

    lines: int
    at_most: int
    """As many it could be: other drops' lines on their way may be counted twice, as mined and as to come."""

    def without(self, lines: int) -> Room:
        """Return what is left after so many lines."""
        return Room(self.lines - lines, self.at_most - lines)


class _Share(NamedTuple):
    """A drop's tokens that are still to come, and how many of those are on their way."""

    to_come: int
    under_way: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservations:
    """The reservations of all collections of a chain; `clock` is in seconds."""

    chain_id: int
    store: DropStore
    clock: Callable[[], float]
    read: BoundedCache[str, dict[str, _Share]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "read", BoundedCache(max_weight=_COLLECTIONS, clock=self.clock))

    async def tokens(self, contract: str, *, besides: str | None, fresh: bool) -> int:
        """Return how many tokens drops have reserved that were not mined; `besides` is a drop left out.

        Not `fresh`: as it was up to KEPT_SECONDS ago.
        """
        shares = None if fresh else self.read.get(contract)
        if shares is None:
            shares = await self._shares(await self.store.reservations(self.chain_id, contract))
            self.read.put(contract, shares, ttl=KEPT_SECONDS)
        return sum(share.to_come for drop_id, share in shares.items() if drop_id != besides)

    async def claim(self, drop: Drop, gate: MintGate) -> Room | None:
        """Reserve what a drop has still to mint, as far as there is room; None without a supply cap.

        Raises Unavailable if no node answers.
        """
        if await gate.cap(drop.contract) is None:
            return None
        for _ in range(_TRIES):
            before = await self.store.reservations(self.chain_id, drop.contract)
            # Both before the chain is asked: what is mined by then is in its count.
            shares = await self._shares(before)
            others = [share for drop_id, share in shares.items() if drop_id != drop.drop_id]
            left = await gate.left(drop.contract, reserved=sum(share.to_come for share in others))
            if left is None:
                return None
            tokens = max(drop.fed, min(drop.lines, drop.done + left))
            if await self._set(before, drop.drop_id, tokens, shares):
                lines = tokens - drop.fed
                return Room(lines, lines + sum(share.under_way for share in others))
        raise Unavailable("other drops kept reserving in the same collection")

    async def give_back(self, drop: Drop) -> None:
        """Reserve no more for a drop than what it has handed on."""
        for _ in range(_TRIES):
            before = await self.store.reservations(self.chain_id, drop.contract)
            if before.drops.get(drop.drop_id, 0) <= drop.fed:
                return
            if await self._set(before, drop.drop_id, drop.fed, await self._shares(before)):
                return
        raise Unavailable("other drops kept reserving in the same collection")

    async def _set(
        self, before: SupplyReservations, drop_id: str, tokens: int, open_drops: dict[str, _Share]
    ) -> bool:
        """Put a drop's number on record, without drops that have ended; False if others were quicker."""
        if before.drops.get(drop_id) == tokens:
            return True
        kept = {name: count for name, count in before.drops.items() if name in open_drops}
        after = before.evolve(version=before.version + 1, drops={**kept, drop_id: tokens})
        try:
            await self.store.reserve(after)
        except Conflict:
            return False
        self.read.discard(before.contract)
        return True

    async def _shares(self, record: SupplyReservations) -> dict[str, _Share]:
        """Return what each drop that has not ended is still to mint of what it reserved."""
        found = await asyncio.gather(*(self._share(*reserved) for reserved in record.drops.items()))
        shares = zip(record.drops, found, strict=True)
        return {drop_id: share for drop_id, share in shares if share is not None}

    async def _share(self, drop_id: str, tokens: int) -> _Share | None:
        """Return how much of a drop's tokens is still to come; None if it has ended."""
        try:
            drop = await self.store.get(drop_id)
        except Unreadable:
            return _Share(tokens, 0)
        if drop is None or drop.ended_at is not None:
            return None
        to_come = max(0, min(tokens, drop.may_hand_on) - drop.done)
        return _Share(to_come, min(to_come, max(0, drop.fed - drop.done)))
