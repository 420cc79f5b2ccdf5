"""Token ids, leased from a collection's counter in blocks: one request to AWS for many mints.

::

    counter ──lease(n)──▶ free ids of this process ──take──▶ a mint's record
                                   ▲                 │
                                   └────give back────┘  the request made no new mint

An id is on one record at most. Ids that are free when the process ends are never used; so are those of writes
whose outcome is unknown. Such gaps are harmless, since the contract knows no order.

A counter that was set back (by a restored backup, say) would give out ids that are in use, and each such mint
would end `token_taken`. Ids that are known before a lease were leased before it, so the lease begins above
them, unless the counter was set back: then it is moved forward, and the lease is dropped. Known are

- the highest id that this process ever leased, at no cost;
- the highest token in the index, and the highest id of the newest open mints, whose tokens are not there yet:
  both are read with a process's first lease, and at most once a minute after that.

A mint that ends `token_taken` starts no comparison: the api does not learn of it, and it comes minutes later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from heapq import heappop, heappush

import structlog

from mintline.errors import Retryable, Unavailable
from mintline_api.features.mints.ports import TokenIdCounter, UsedTokenIds

log = structlog.get_logger()

MAX_BLOCK = 100
"""Ids of one lease that is ahead of the mints that want them, at most; up to AHEAD more may be left then."""
AHEAD = 10
"""So few ids of a large block have the next one leased, before anyone waits for it."""
MAX_LEASE = 1000
COMPARE_SECONDS = 60.0
MARGIN = MAX_LEASE
"""How far above the highest known id the counter goes: other copies have leases and mints that none shows."""
REACH = 1_000_000
"""Ids so far above the counter are not looked at: another issuer may choose any, up to 2^256."""
_ROUNDS = 20
BUSY_SECONDS = 60.0
"""A lease that comes so soon after the one before is twice as large; a later one is half as large."""


@dataclass(slots=True)
class _Pool:
    """One contract's free ids, lowest first, and who waits for one."""

    free: list[int] = field(default_factory=list)
    waiting: deque[asyncio.Future[int]] = field(default_factory=deque)
    lease: asyncio.Task[None] | None = None
    leasing: asyncio.Lock = field(default_factory=asyncio.Lock)
    block: int = 1
    leased_at: float = float("-inf")
    compared_at: float = float("-inf")
    highest: int | None = None
    """The highest id that is known to have been leased."""


class TokenIds:
    """Gives out token ids, no lower than those that `used` knows. `clock` is monotonic, in seconds.

    `set_back` is called for each lease that shows that the counter was set back.
    """

    def __init__(
        self,
        counter: TokenIdCounter,
        *,
        clock: Callable[[], float],
        used: Sequence[UsedTokenIds] = (),
        set_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._counter = counter
        self._used = used
        self._clock = clock
        self._set_back = set_back
        self._pools: dict[str, _Pool] = {}

    async def take(self, contract: str) -> int:
        """Return a token id that no other mint has; raises what leasing one raises."""
        pool = self._pools.setdefault(contract, _Pool())
        if pool.free:
            token_id = heappop(pool.free)
            if len(pool.free) < AHEAD and pool.block > 2 * AHEAD:
                self._begin_lease(contract, pool, ahead=True)
            return token_id
        wanted: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        pool.waiting.append(wanted)
        self._begin_lease(contract, pool)
        try:
            return await wanted
        except asyncio.CancelledError:
            if wanted.done() and not wanted.cancelled() and wanted.exception() is None:
                self.give_back(contract, wanted.result())
            raise

    async def take_run(self, contract: str, count: int) -> int:
        """Return the first of `count` contiguous ids that no other mint has, leased by one addition.

        Raises what leasing raises. At most MAX_LEASE.
        """
        if not 0 < count <= MAX_LEASE:
            raise ValueError(f"1 to {MAX_LEASE} ids are leased at once")
        return await self._lease_unused(contract, self._pools.setdefault(contract, _Pool()), count)

    def give_back(self, contract: str, token_id: int) -> None:
        """Take an id back that is on no record, and never was."""
        pool = self._pools.setdefault(contract, _Pool())
        heappush(pool.free, token_id)
        self._serve(pool)

    async def aclose(self) -> None:
        """Wait for the leases under way."""
        leases = [pool.lease for pool in self._pools.values() if pool.lease is not None]
        await asyncio.gather(*leases, return_exceptions=True)

    def _begin_lease(self, contract: str, pool: _Pool, *, ahead: bool = False) -> None:
        if pool.lease is None:
            # A context of its own: the lease serves many requests, and must not log under one's ids.
            pool.lease = asyncio.create_task(
                self._lease(contract, pool, ahead=ahead),
                name=f"lease token ids of {contract}",
                context=Context(),
            )

    async def _lease(self, contract: str, pool: _Pool, *, ahead: bool) -> None:
        """Lease until nobody waits: for all who wait, and as far ahead as the load asks for.

        Once even if nobody waits, if it is `ahead` of them.
        """
        try:
            while pool.waiting or ahead:
                ahead = False
                now = self._clock()
                busy = now - pool.leased_at < BUSY_SECONDS
                pool.block = min(2 * pool.block, MAX_BLOCK) if busy else max(1, pool.block // 2)
                pool.leased_at = now
                count = min(max(len(pool.waiting), pool.block), MAX_LEASE)
                first = await self._lease_unused(contract, pool, count)
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

    async def _lease_unused(self, contract: str, pool: _Pool, count: int) -> int:
        """Lease ids above all that are known to be in use, and return the first."""
        # One at a time: the answer to a later lease, if it came first, would look like a counter set back.
        async with pool.leasing:
            return await self._lease_above_known(contract, pool, count)

    async def _lease_above_known(self, contract: str, pool: _Pool, count: int) -> int:
        for _ in range(_ROUNDS):
            # Before the lease: what is known after it may be of another copy's later one.
            await self._compare(contract, pool)
            first = await self._counter.lease(contract, count)
            highest = pool.highest
            if highest is None or highest < first:
                pool.highest = first + count - 1
                return first
            to = highest + 1 + MARGIN
            log.warning("token_ids_set_back", contract=contract, counter=first, highest=highest, moved_to=to)
            self._set_back()
            await self._counter.advance(contract, to)
            # Beyond REACH of where the counter stood there may be more.
            pool.compared_at = float("-inf")
        raise Unavailable("the counter of token ids is still behind ids in use: repeat to move it on")

    async def _compare(self, contract: str, pool: _Pool) -> None:
        """Learn the highest id in use, unless that was done within the last minute.

        A failure stops no mint: an id that is used twice ends one mint, and makes no second token.
        """
        now = self._clock()
        if now - pool.compared_at < COMPARE_SECONDS or not self._used:
            return
        try:
            upcoming = await self._counter.upcoming(contract)
            ids = range(upcoming, upcoming + REACH)
            highest = await asyncio.gather(*(used.highest_token_id(contract, ids) for used in self._used))
        except Retryable as error:
            log.warning("token_ids_not_compared", contract=contract, reason=str(error))
            return
        pool.compared_at = now
        pool.highest = max(
            (token_id for token_id in (pool.highest, *highest) if token_id is not None), default=None
        )

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
