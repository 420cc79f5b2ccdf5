"""Token ids, leased from a collection's counter in blocks: one request to AWS for many mints.

::

    counter ──lease(n)──▶ free ids of this process ──take──▶ a mint's record
                                   ▲                 │
                                   └────give back────┘  the request made no new mint

An id is on one record at most. Ids that are free when the process ends are never used; so are those of writes
whose outcome is unknown. Such gaps are harmless, since the contract knows no order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from heapq import heappop, heappush

from mintline.errors import Unavailable
from mintline_api.ports import TokenIdCounter

MAX_BLOCK = 100
"""Ids that are leased ahead of the mints that want them, at most."""
MAX_LEASE = 1000
BUSY_SECONDS = 1.0
"""A lease that comes so soon after the one before is twice as large; a later one is for one mint again."""


@dataclass(slots=True)
class _Pool:
    """One contract's free ids, lowest first, and who waits for one."""

    free: list[int] = field(default_factory=list)
    waiting: deque[asyncio.Future[int]] = field(default_factory=deque)
    lease: asyncio.Task[None] | None = None
    block: int = 1
    leased_at: float = float("-inf")


class TokenIds:
    """Gives out token ids. `clock` is monotonic, in seconds."""

    def __init__(self, counter: TokenIdCounter, *, clock: Callable[[], float]) -> None:
        self._counter = counter
        self._clock = clock
        self._pools: dict[str, _Pool] = {}

    async def take(self, contract: str) -> int:
        """Return a token id that no other mint has; raises what leasing one raises."""
        pool = self._pools.setdefault(contract, _Pool())
        if pool.free:
            return heappop(pool.free)
        wanted: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        pool.waiting.append(wanted)
        if pool.lease is None:
            # A context of its own: the lease serves many requests, and must not log under one's ids.
            pool.lease = asyncio.create_task(
                self._lease(contract, pool), name=f"lease token ids of {contract}", context=Context()
            )
        try:
            return await wanted
        except asyncio.CancelledError:
            if wanted.done() and not wanted.cancelled() and wanted.exception() is None:
                self.give_back(contract, wanted.result())
            raise

    def give_back(self, contract: str, token_id: int) -> None:
        """Take an id back that is on no record, and never was."""
        pool = self._pools.setdefault(contract, _Pool())
        heappush(pool.free, token_id)
        self._serve(pool)

    async def aclose(self) -> None:
        """Wait for the leases under way."""
        leases = [pool.lease for pool in self._pools.values() if pool.lease is not None]
        await asyncio.gather(*leases, return_exceptions=True)

    async def _lease(self, contract: str, pool: _Pool) -> None:
        """Lease until nobody waits: for all who wait, and as far ahead as the load asks for."""
        try:
            while pool.waiting:
                now = self._clock()
                busy = now - pool.leased_at < BUSY_SECONDS
                pool.block = min(2 * pool.block, MAX_BLOCK) if busy else 1
                pool.leased_at = now
                count = min(max(len(pool.waiting), pool.block), MAX_LEASE)
                first = await self._counter.lease(contract, count)
                for token_id in range(first, first + count):
                    heappush(pool.free, token_id)
                self._serve(pool)
        except asyncio.CancelledError:
            _fail(pool, Unavailable("no token id was leased: stopped"))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, each request must hear of it
            _fail(pool, error)
        finally:
            pool.lease = None

    @staticmethod
    def _serve(pool: _Pool) -> None:
        while pool.waiting and pool.free:
            wanted = pool.waiting.popleft()
            if not wanted.done():
                wanted.set_result(heappop(pool.free))


def _fail(pool: _Pool, error: Exception) -> None:
    while pool.waiting:
        wanted = pool.waiting.popleft()
        if not wanted.done():
            wanted.set_exception(error)
