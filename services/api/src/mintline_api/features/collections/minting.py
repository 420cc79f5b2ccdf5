"""Whether a collection takes a mint now, by its record and the chain: refused before anything is spent.

The chain decides in the end: the builder simulates each batch, and what it refuses ends or waits there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from mintline.chain.calls import Call
from mintline.errors import Rejected, Retryable, Unavailable
from mintline.eth import selector
from mintline.messages.parts import Clone
from mintline.records.collections import RegisteredContract
from mintline.views.collections import is_paused
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.chain import ChainReader
from mintline_api.features.collections.ports import ManagedCollections, Reserved, ReservedTokens
from mintline_api.features.collections.problems import (
    COLLECTION_CLOSED,
    COLLECTION_FULL,
    COLLECTION_NOT_OPEN,
    COLLECTION_NOT_READY,
    COLLECTION_PAUSED,
    COLLECTION_READ_ONLY,
    NOT_YOUR_COLLECTION,
)
from mintline_api.features.collections.reads import as_it_stands
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.http.models import rfc3339
from mintline_api.http.problems import Fault, ProblemType, RequestRefused

log = structlog.get_logger()

CLOSED_TO_MINTS = (
    COLLECTION_READ_ONLY,
    NOT_YOUR_COLLECTION,
    COLLECTION_NOT_OPEN,
    COLLECTION_NOT_READY,
    COLLECTION_PAUSED,
    COLLECTION_CLOSED,
    COLLECTION_FULL,
)
"""What a mint may be refused for because of its collection."""

_CHAIN_SECONDS = 2.0
"""How long a request waits for a node that is asked about a supply."""
_COUNT_SECONDS = 2.0
"""For how long a count serves, and with readers that no node gave one."""
_COUNTED = 10_000
_TOTAL_MINTED = selector("totalMinted()")


class Left(NamedTuple):
    """Tokens that a supply cap leaves beside what drops have reserved."""

    tokens: int
    at_most: int
    """As many it could be: drops' lines on their way may be counted twice, as minted and as to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MintGate:
    """Lets mints into collections; without a `chain` no supply cap is checked. `clock` is in seconds.

    `reserved` is None where there are no drops.
    """

    registry: CollectionRegistry
    collections: ManagedCollections
    chain: ChainReader | None
    reserved: ReservedTokens | None
    clock: Callable[[], float]
    _counts: BoundedCache[str, int] = field(init=False)
    _uncounted: BoundedCache[str, bool] = field(init=False)
    _flights: SingleFlight[str, int | None] = field(init=False, default_factory=SingleFlight)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_counts", BoundedCache(max_weight=_COUNTED, clock=self.clock))
        object.__setattr__(self, "_uncounted", BoundedCache(max_weight=_COUNTED, clock=self.clock))

    async def pass_(
        self, contract: str, *, client_id: str | None, now: int, count: int = 1, drop_id: str | None = None
    ) -> RegisteredContract:
        """Return the collection if it takes mints of this client, or of users if that is None.

        `count` mints, of a drop if `drop_id` is given: its own reservation is no hindrance. If `count` is 0,
        the supply cap does not matter. `now` is in Unix milliseconds. Raises RequestRefused, with what stands
        in the way.
        """
        collection = await self.registry.known(contract)
        if collection.read_only:
            raise _refused(COLLECTION_READ_ONLY, _why_read_only(collection))
        clone = collection.clone
        if clone is None:
            return collection
        if client_id not in (None, clone.principal):
            raise _refused(NOT_YOUR_COLLECTION, f"{contract} is another client's collection.")
        if client_id is None and not collection.sponsored:
            raise _refused(COLLECTION_NOT_OPEN, f"Only the client that made {contract} mints in it.")
        collection = await self._as_it_stands(collection)
        _check_ready(collection)
        if is_paused(collection):
            raise _refused(COLLECTION_PAUSED, f"{contract} is paused.")
        _check_window(clone, contract, now // 1000)
        if count:
            await self._check_supply(clone, contract, count, drop_id)
        return collection

    async def cap(self, contract: str) -> int | None:
        """Return a collection's supply cap; None without one, and without a chain."""
        clone = (await self.registry.known(contract)).clone
        if clone is None or self.chain is None:
            return None
        return clone.args.supply_cap or None

    async def minted(self, collection: RegisteredContract) -> int | None:
        """Return how many tokens were ever minted in a client's collection; None if no node says."""
        if self.chain is None or collection.clone is None or collection.status != "ready":
            return None
        if self._uncounted.get(collection.contract):
            return None
        return await self._recent_count(collection.contract, self.chain)

    async def left(self, contract: str, *, reserved: int = 0) -> int | None:
        """Return how many more tokens a collection's supply cap allows, by the chain as it is now.

        `reserved` is how many more count as minted. None without a cap, and without a chain. Raises
        Unavailable if no node answers.
        """
        cap = await self.cap(contract)
        if cap is None or self.chain is None:
            return None
        minted = await self._count(contract, self.chain)
        if minted is None:
            raise Unavailable("no node says how many tokens of the collection were minted")
        return max(0, cap - minted - reserved)

    async def left_beside_drops(self, contract: str, *, drop_id: str, reserved: int = 0) -> Left | None:
        """Return what `left` does, beside what drops other than `drop_id` have reserved."""
        if await self.cap(contract) is None:
            return None
        # Before the chain: what is mined by then is in its count.
        others = await self.others(contract, drop_id=drop_id)
        left = await self.left(contract, reserved=reserved + others.tokens - others.under_way)
        return None if left is None else Left(max(0, left - others.under_way), left)

    async def others(self, contract: str, *, drop_id: str) -> Reserved:
        """Return how many tokens of a collection are reserved for drops other than `drop_id`."""
        if self.reserved is None:
            return Reserved(0, 0)
        return await self.reserved.tokens(contract, without=drop_id, fresh=True)

    async def _as_it_stands(self, collection: RegisteredContract) -> RegisteredContract:
        """Return a collection by its operations while the index may not have noted what they did."""
        if collection.status != "deploying" and all(change.mined for change in collection.changes):
            return collection
        return (await as_it_stands(collection, collections=self.collections)).collection

    async def _check_supply(self, clone: Clone, contract: str, count: int, drop_id: str | None) -> None:
        cap = clone.args.supply_cap
        if not cap or self.chain is None:
            return
        reserved = 0
        if self.reserved is not None:
            reserved = (await self.reserved.tokens(contract, without=drop_id, fresh=False)).tokens
        minted = await self._recent_count(contract, self.chain)
        if minted is None:
            log.warning("supply_unchecked", contract=contract)
        elif minted + reserved + count > cap:
            raise _refused(COLLECTION_FULL, _full(contract, cap, minted=minted, reserved=reserved))

    async def _recent_count(self, contract: str, chain: ChainReader) -> int | None:
        """Return a count of the last moments, asked for once for all who want it."""
        counted = self._counts.get(contract)
        if counted is not None:
            return counted
        return await self._flights.run(contract, lambda: self._count(contract, chain))

    async def _count(self, contract: str, chain: ChainReader) -> int | None:
        """Return how many tokens were ever minted in a collection; None if no node says."""
        call = Call(sender=contract, to=contract, data=_TOTAL_MINTED)
        try:
            async with asyncio.timeout(_CHAIN_SECONDS):
                result = await chain.call(call)
        except (Retryable, Rejected, TimeoutError) as error:
            log.warning("supply_unread", contract=contract, error=type(error).__name__)
            result = b""
        if len(result) != 32:
            self._uncounted.put(contract, value=True, ttl=_COUNT_SECONDS)
            return None
        minted = int.from_bytes(result, "big")
        self._uncounted.discard(contract)
        self._counts.put(contract, minted, ttl=_COUNT_SECONDS)
        return minted


def _full(contract: str, cap: int, *, minted: int, reserved: int) -> str:
    if minted >= cap:
        return f"All {cap} tokens of {contract} were minted."
    left = max(0, cap - minted - reserved)
    beside = f" beside {reserved} that running drops have reserved" if reserved else ""
    return f"{left} of the {cap} tokens of {contract} are left{beside}: ask for no more than that."


def _why_read_only(collection: RegisteredContract) -> str:
    text = f"{collection.contract} was imported, and is not minted in"
    if collection.standard == "erc1155":
        return f"{text}: its mints have no serial. Create a collection by POST /v1/collections."
    return f"{text}: an operator has to register it for that."


def _check_ready(collection: RegisteredContract) -> None:
    if collection.status == "deploying":
        raise _refused(COLLECTION_NOT_READY, f"{collection.contract} is being deployed.")
    if collection.status == "failed":
        raise _refused(COLLECTION_NOT_READY, f"The deployment of {collection.contract} came to nothing.")


def _check_window(clone: Clone, contract: str, now: int) -> None:
    start, end = clone.args.mint_start, clone.args.mint_end
    if start and now < start:
        raise _refused(COLLECTION_CLOSED, f"{contract} mints from {rfc3339(start * 1000)} on.")
    if end and now >= end:
        raise _refused(COLLECTION_CLOSED, f"{contract} minted until {rfc3339(end * 1000)}.")


def _refused(kind: ProblemType, detail: str) -> RequestRefused:
    return RequestRefused(kind, detail, faults=[Fault(detail, pointer="#/contract")])
