"""Leases of drops: one process works on a drop at a time, and another takes over if it stops saying so.

::

    drop's record   lease absent or over ──▶ mine until now + 20 s ──every 5 s──▶ mine until …
                                                      │ gone, or another's
                                                      ▼
                                                   LeaseLost: stop

Invariant: every write of a holder to a drop or its parts goes through `Leased.update`, which is conditional
on the drop's version and on the lease. A process that was held up for longer than its lease fails there. What
it does otherwise (users, token ids, mints, messages) may be done twice without harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import structlog

from mintline.drop_records import Drop, DropPart, Lease
from mintline.errors import Conflict, MintlineError, Retryable, Unavailable
from mintline_api.features.drops.ports import DropStore
from mintline_api.features.drops.use_cases import moved

log = structlog.get_logger()

LEASE_MS = 20_000
RENEW_SECONDS = 5.0
_TRIES = 10

Change = Callable[[Drop], Drop | None]
"""Returns the drop as it is to be; None if nothing is to change."""


class LeaseLost(Conflict):
    """Another process has the drop now, or its record is gone."""


@dataclass(slots=True)
class Leased:
    """A drop that this process has; `now` returns Unix milliseconds."""

    drop: Drop
    """As it was read or written last."""
    owner: str
    store: DropStore
    now: Callable[[], int]
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def update(self, change: Change, part: DropPart | None = None) -> Drop:
        """Change the drop as it is at that moment, and store a part with it.

        Raises LeaseLost, and stores nothing, if another process has the drop.
        """
        async with self._lock:
            drop = self.drop
            for _ in range(_TRIES):
                changed = change(drop)
                if changed is None:
                    self.drop = drop
                    return drop
                try:
                    await self.store.replace(changed, part)
                except Conflict:
                    drop = await self._mine()
                    continue
                self.drop = changed
                return changed
        raise Unavailable("the drop kept moving")

    async def save(self, part: DropPart) -> Drop:
        """Store a part; raises as `update`."""
        now = self.now()
        return await self.update(lambda drop: moved(drop, now=now), part)

    async def refresh(self) -> Drop:
        """Read the drop; raises LeaseLost."""
        async with self._lock:
            self.drop = await self._mine()
            return self.drop

    async def _mine(self) -> Drop:
        drop = await self.store.get(self.drop.drop_id)
        if drop is None or drop.lease is None or drop.lease.owner != self.owner:
            raise LeaseLost("another process has the drop")
        return drop

    async def renew(self) -> None:
        """Have the lease last from now on."""
        now = self.now()
        lease = Lease(owner=self.owner, until=now + LEASE_MS)
        await self.update(lambda drop: moved(drop, now=now, lease=lease))

    async def keep(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Renew the lease again and again; ends when it is lost."""
        while True:
            await sleep(RENEW_SECONDS)
            try:
                await self.renew()
            except LeaseLost:
                return
            except Retryable as error:
                # It lasts for a few more of these.
                log.warning("drop_lease_not_renewed", drop_id=self.drop.drop_id, reason=str(error))


@asynccontextmanager
async def leased(
    drop_id: str,
    *,
    owner: str,
    store: DropStore,
    now: Callable[[], int],
) -> AsyncIterator[Leased | None]:
    """Lease a drop while this is open; yields None if another process has it, or nothing is to be done.

    A process that ends in order gives it back, so that the next one need not wait.
    """
    held = await _take(drop_id, owner=owner, store=store, now=now)
    try:
        yield held
    finally:
        if held is not None:
            with suppress(MintlineError):
                await held.update(lambda drop: moved(drop, now=now(), lease=None))


async def _take(drop_id: str, *, owner: str, store: DropStore, now: Callable[[], int]) -> Leased | None:
    drop, at = await store.get(drop_id), now()
    if drop is None or not drop.open:
        return None
    if drop.lease is not None and drop.lease.owner != owner and drop.lease.until > at:
        return None
    mine = moved(drop, now=at, lease=Lease(owner=owner, until=at + LEASE_MS))
    try:
        await store.replace(mine)
    except Conflict:
        return None
    if drop.lease is not None:
        log.warning("drop_taken_over", drop_id=drop_id, was_until=drop.lease.until)
    return Leased(mine, owner, store, now)
