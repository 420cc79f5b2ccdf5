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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mintline.drop_records import Drop, SupplyReservations
from mintline.errors import Conflict, Unavailable, Unreadable
from mintline_api.caches import BoundedCache
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.collections.ports import Reserved
from mintline_api.features.drops.ports import DropStore
from mintline_api.features.drops.problems import TOO_MANY_DROPS
from mintline_api.http.problems import RequestRefused

MOST_DROPS = 100
"""Drops that have reserved tokens of one collection at a time: each is read before any of them reserves."""
KEPT_SECONDS = 2.0
"""For how long single mints go by what was read."""
_COLLECTIONS = 10_000
_TRIES = 10


class Room(NamedTuple):
    """For how many more tokens a drop has a reservation."""

    tokens: int
    at_most: int
    """As many it could be: other drops' lines on their way may be counted twice, as mined and as to come."""

    def without(self, tokens: int) -> Room:
        """Return what is left after so many tokens."""
        return Room(self.tokens - tokens, self.at_most - tokens)


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

    async def tokens(self, contract: str, *, without: str | None, fresh: bool) -> Reserved:
        """Return how many tokens drops have reserved that were not mined; `without` is a drop left out.

        Not `fresh`: as it was up to KEPT_SECONDS ago.
        """
        shares = None if fresh else self.read.get(contract)
        if shares is None:
            shares = await self._shares(await self.store.reservations(self.chain_id, contract))
            self.read.put(contract, shares, ttl=KEPT_SECONDS)
        others = [share for drop_id, share in shares.items() if drop_id != without]
        return Reserved(sum(share.to_come for share in others), sum(share.under_way for share in others))

    async def check_room(self, drop: Drop, gate: MintGate) -> None:
        """Raise RequestRefused if too many other drops of a capped collection have reservations."""
        if await gate.cap(drop.contract) is None:
            return
        shares = await self._shares(await self.store.reservations(self.chain_id, drop.contract))
        _check_number(drop, shares)

    async def claim(self, drop: Drop, gate: MintGate) -> Room | None:
        """Reserve what a drop has still to mint, as far as there is room; None without a supply cap.

        Raises Unavailable if no node answers, and RequestRefused if too many other drops have reservations.
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
            _check_number(drop, shares)
            handed_on = drop.tokens_handed_on
            tokens = max(handed_on, min(drop.tokens, drop.tokens_done + left))
            if await self._set(before, drop.drop_id, tokens, shares):
                room = tokens - handed_on
                return Room(room, room + sum(share.under_way for share in others))
        raise Unavailable("other drops kept reserving in the same collection")

    async def give_back(self, drop: Drop) -> None:
        """Reserve no more for a drop than what it has handed on."""
        handed_on = drop.tokens_handed_on
        for _ in range(_TRIES):
            before = await self.store.reservations(self.chain_id, drop.contract)
            if before.drops.get(drop.drop_id, 0) <= handed_on:
                return
            if await self._set(before, drop.drop_id, handed_on, await self._shares(before)):
                return
        raise Unavailable("other drops kept reserving in the same collection")

    async def _set(
        self, before: SupplyReservations, drop_id: str, tokens: int, open_drops: dict[str, _Share]
    ) -> bool:
        """Put a drop's number on record, without drops that hold nothing; False if others were quicker."""
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
        """Return what each drop that holds tokens is still to mint of what it reserved."""
        drop_shares = await asyncio.gather(*(self._share(*reserved) for reserved in record.drops.items()))
        shares = zip(record.drops, drop_shares, strict=True)
        return {drop_id: share for drop_id, share in shares if share is not None}

    async def _share(self, drop_id: str, tokens: int) -> _Share | None:
        """Return how much of a drop's tokens is still to come; None if nothing is."""
        try:
            drop = await self.store.get(drop_id)
        except Unreadable:
            return _Share(tokens, 0)
        if drop is None or drop.ended_at is not None:
            return None
        to_come = max(0, min(tokens, drop.may_hand_on) - drop.tokens_done)
        if not to_come:
            return None
        return _Share(to_come, min(to_come, max(0, drop.tokens_handed_on - drop.tokens_done)))


def _check_number(drop: Drop, shares: Mapping[str, _Share]) -> None:
    if drop.drop_id not in shares and len(shares) >= MOST_DROPS:
        raise RequestRefused(
            TOO_MANY_DROPS, f"{len(shares)} drops have reserved tokens of {drop.contract}, and are not done."
        )
