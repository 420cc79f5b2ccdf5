"""How much a machine client may have minted: mints an hour, wei a UTC day, and in which collections.

::

    requests that meet ──Batcher──▶ one conditional write per client and window ──▶ as many as still fit
                                                      ▲
             a replay, or a request that failed ──────┘ gives back

The counts are exact over all copies of the api: a write's condition is that the sum stays within the budget.
Requests of one client that meet in a copy share a write. The cost of a mint is not known when it is accepted:
each counts as the gas of a sponsored mint at the price of that moment. The enclave counts on its own, by the
fees that it signs.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Literal, TypeAlias

import structlog

from mintline.batcher import Batcher
from mintline.clock import DAY, HOUR
from mintline.errors import MintlineError, Unavailable
from mintline.notices import BudgetReached, Notices
from mintline.records.clients import Client, ClientBudget
from mintline.records.collections import RegisteredContract
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.http.models import rfc3339
from mintline_api.http.problems import Fault, RequestRefused
from mintline_api.limits.ports import BudgetCounter, ClientRecords, FeeSource
from mintline_api.limits.problems import CLIENT_BUDGET_REACHED, COLLECTION_NOT_ALLOWED

log = structlog.get_logger()
_Counted: TypeAlias = Literal["mints_per_hour", "wei_per_day"]

MINT_GAS = 52_000
"""Gas that a sponsored mint counts for unless something else is set (`Settings.sponsored_mint_gas`)."""
FRESH_SECONDS = 12.0
"""How long a price of gas serves: a block's time."""
_MOST = 500
_KEPT = DAY
"""Seconds past its window for which a count is kept."""


@dataclass(frozen=True, slots=True)
class ClientPermit:
    """The share of a client's budget that its mints take, for `give_back`; `wei` is what all of them cost."""

    client_id: str
    hour: int
    day: int
    wei: int
    mints: int = 1


@dataclass(frozen=True, slots=True)
class ClientUse:
    """What a client has used of its budget in the hour and day of now; `…_resets_at` in Unix milliseconds."""

    mints: int
    mints_reset_at: int
    wei: int
    wei_reset_at: int


@dataclass(frozen=True, slots=True)
class _Ask:
    use_id: str
    amount: int
    limit: int | None
    expires: int


class ClientBudgets:
    """Keeps clients within their budgets.

    `now` returns Unix milliseconds, `clock` monotonic seconds. `refused` is called with the budget that was
    reached: `mints_per_hour`, `wei_per_day` or `collections`.
    """

    def __init__(
        self,
        counter: BudgetCounter,
        *,
        clients: ClientRecords,
        chain: FeeSource | None,
        now: Callable[[], int],
        clock: Callable[[], float],
        notices: Notices,
        mint_gas: int = MINT_GAS,
        refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._counter = counter
        self._mint_gas = mint_gas
        self._clients = clients
        self._chain = chain
        self._now = now
        self._notices = notices
        self._refused = refused
        self._prices: BoundedCache[str, int] = BoundedCache(max_weight=1, clock=clock)
        self._price = 0
        self._flights: SingleFlight[str, int] = SingleFlight()
        self._asks: Batcher[_Ask, bool] = Batcher(self._take_all, max_items=_MOST)
        self._returns: set[asyncio.Task[None]] = set()

    async def take(self, client_id: str, contract: str | None, count: int = 1) -> ClientPermit:
        """Take so many mints in a collection off a client's budget: all of them, or none.

        `contract` is that of `budgeted`; None as well for what mints in no collection.

        Raises RequestRefused: 403 for a collection that it may not mint in, 429 for a budget that is used up.
        """
        client = await self._clients.client(client_id)
        budget = ClientBudget() if client is None else client.budget
        self._check_collection(budget, contract)
        wei = count * await self._cost(budget)
        seconds = self._now() // 1000
        permit = ClientPermit(client_id, seconds // HOUR, seconds // DAY, wei, count)
        await self._take_mint(permit, budget)
        try:
            await self._take_wei(permit, budget)
        except BaseException:
            self._return(_hour_id(client_id, permit.hour), permit.mints)
            raise
        return permit

    async def check_collection(self, client_id: str, collection: RegisteredContract) -> None:
        """Raise RequestRefused (403) for a collection that a client's budget does not let it mint in."""
        client = await self._clients.client(client_id)
        budget = ClientBudget() if client is None else client.budget
        self._check_collection(budget, budgeted(collection))

    def give_back(self, permit: ClientPermit) -> None:
        """Return what made no mint. The write happens soon after; a failure leaves it counted."""
        self._return(_hour_id(permit.client_id, permit.hour), permit.mints)
        if permit.wei:
            self._return(_day_id(permit.client_id, permit.day), permit.wei)

    async def used(self, client: Client) -> ClientUse:
        """Return what a client has used by now."""
        seconds = self._now() // 1000
        hour, day = seconds // HOUR, seconds // DAY
        mints, wei = await asyncio.gather(
            self._counter.used(_hour_id(client.client_id, hour)),
            self._counter.used(_day_id(client.client_id, day)),
        )
        return ClientUse(mints, (hour + 1) * HOUR * 1000, wei, (day + 1) * DAY * 1000)

    async def aclose(self) -> None:
        """Finish what is under way."""
        await self._asks.aclose()
        if self._returns:
            await asyncio.wait(self._returns)

    def _check_collection(self, budget: ClientBudget, contract: str | None) -> None:
        if budget.collections is None or contract is None or contract in budget.collections:
            return
        self._refused("collections")
        allowed = ", ".join(budget.collections) or "none"
        raise RequestRefused(
            COLLECTION_NOT_ALLOWED,
            f"#/contract: the client may not mint in {contract}; it may mint in: {allowed}.",
            faults=[Fault(f"expected one of: {allowed}", pointer="#/contract")],
        )

    async def _take_mint(self, permit: ClientPermit, budget: ClientBudget) -> None:
        end = (permit.hour + 1) * HOUR
        hour_id = _hour_id(permit.client_id, permit.hour)
        ask = _Ask(hour_id, permit.mints, budget.mints_per_hour, end + _KEPT)
        if not await self._ask(ask):
            raise await self._reached(permit, "mints_per_hour", budget.mints_per_hour, "mints an hour", end)

    async def _take_wei(self, permit: ClientPermit, budget: ClientBudget) -> None:
        if not permit.wei:
            return
        end = (permit.day + 1) * DAY
        ask = _Ask(_day_id(permit.client_id, permit.day), permit.wei, budget.wei_per_day, end + _KEPT)
        if not await self._ask(ask):
            raise await self._reached(permit, "wei_per_day", budget.wei_per_day, "wei a day", end)

    async def _ask(self, ask: _Ask) -> bool:
        """Take for one; what was taken for a caller who has gone meanwhile is given back."""
        allowed = asyncio.ensure_future(self._asks.submit(ask))
        try:
            return await asyncio.shield(allowed)
        except asyncio.CancelledError:
            allowed.add_done_callback(partial(self._unwanted, ask))
            raise

    def _unwanted(self, ask: _Ask, allowed: asyncio.Future[bool]) -> None:
        if not allowed.cancelled() and allowed.exception() is None and allowed.result():
            self._return(ask.use_id, ask.amount)

    async def _reached(
        self, permit: ClientPermit, what: _Counted, limit: int | None, unit: str, end: int
    ) -> RequestRefused:
        self._refused(what)
        now = self._now()
        assert limit is not None
        await self._notices.record(
            BudgetReached(client_id=permit.client_id, budget=what, limit=limit, resets_at=end * 1000, at=now)
        )
        seconds = max(1, math.ceil(end - now / 1000))
        return RequestRefused(
            CLIENT_BUDGET_REACHED,
            f"The client's budget of {limit} {unit} is used up; it resets at {rfc3339(end * 1000)}.",
            headers={"Retry-After": str(seconds)},
        )

    async def _cost(self, budget: ClientBudget) -> int:
        """Return what a mint costs now (wei); 0 if that is unknown and no budget depends on it."""
        if self._chain is None:
            return 0
        price = self._prices.get("gas")
        if price is None:
            try:
                price = await self._flights.run("gas", self._ask_price)
            except MintlineError as error:
                if not self._price and budget.wei_per_day is not None:
                    raise Unavailable(
                        "the price of gas is not known, and the client's budget needs it"
                    ) from error
                price = self._price
        return self._mint_gas * price

    async def _ask_price(self) -> int:
        assert self._chain is not None
        market = await self._chain.fees()
        self._price = market.price
        self._prices.put("gas", self._price, ttl=FRESH_SECONDS)
        return self._price

    async def _take_all(self, asks: Sequence[_Ask]) -> Sequence[bool | BaseException]:
        """Take for many at once: one write for each count."""
        groups: dict[tuple[str, int | None], list[int]] = {}
        for place, ask in enumerate(asks):
            groups.setdefault((ask.use_id, ask.limit), []).append(place)
        results: list[bool | BaseException] = [False] * len(asks)
        taken = await asyncio.gather(
            *(self._take_group([asks[place] for place in places]) for places in groups.values()),
            return_exceptions=True,
        )
        for places, fitting in zip(groups.values(), taken, strict=True):
            for order, place in enumerate(places):
                results[place] = fitting if isinstance(fitting, BaseException) else order < fitting
        return results

    async def _take_group(self, asks: Sequence[_Ask]) -> int:
        """Take for as many of one count's asks as fit, in order; return how many."""
        first, fitting = asks[0], len(asks)
        sums = [0, *accumulate(ask.amount for ask in asks)]
        while fitting:
            count = await self._counter.take(
                first.use_id, sums[fitting], limit=first.limit, expires=first.expires
            )
            if count is None:
                return fitting
            assert first.limit is not None
            left = first.limit - count
            # At least one fewer: a count that others have just given back to is asked again.
            fitting = min(fitting - 1, _within(sums, left))
        return 0

    def _return(self, use_id: str, amount: int) -> None:
        task = asyncio.create_task(self._give_back(use_id, amount), name=f"give back {use_id}")
        self._returns.add(task)
        task.add_done_callback(self._returns.discard)

    async def _give_back(self, use_id: str, amount: int) -> None:
        try:
            await self._counter.give_back(use_id, amount)
        except MintlineError as error:
            log.warning("client_budget_not_given_back", use_id=use_id, amount=str(amount), reason=str(error))


def budgeted(collection: RegisteredContract) -> str | None:
    """Return the contract that a client's budget has to list; None for a collection that a client made.

    No other client mints in that one (`MintGate`), and the one that made it does whatever its budget lists.
    """
    return collection.contract if collection.clone is None else None


def _within(sums: Iterable[int], most: int) -> int:
    """Return how many of the running sums' items are within `most`."""
    return max((place for place, total in enumerate(sums) if total <= most), default=0)


def _hour_id(client_id: str, hour: int) -> str:
    return f"{client_id}#hour#{hour}"


def _day_id(client_id: str, day: int) -> str:
    return f"{client_id}#day#{day}"
