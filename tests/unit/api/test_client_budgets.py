"""How much a machine client may have minted: exactly so many an hour, so much wei a day, and where."""

from __future__ import annotations

import asyncio

import pytest

from mintline.chain.answers import MIN_TIP, FeeMarket
from mintline.errors import Unavailable
from mintline.notices import Notices
from mintline.records.clients import Client, ClientBudget
from mintline_api.http.problems import RequestRefused
from mintline_api.limits.client_budgets import MINT_GAS, ClientBudgets, ClientPermit
from mintline_testkit.api.clients import MemoryClientUse
from mintline_testkit.api.users import MemoryClientRecords
from mintline_testkit.constants import CONTRACT
from mintline_testkit.notices import MemoryNotices

OTHER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
SHOP = "3n4b5shop"
BASE_FEE = 2
PRICE = BASE_FEE + MIN_TIP


class Market:
    """A chain whose price of gas a test sets, or that does not answer."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    async def fees(self) -> FeeMarket:
        if self.failure is not None:
            raise self.failure
        return FeeMarket(base_fee=BASE_FEE, priority_fee=1)


class Time:
    def __init__(self) -> None:
        self.ms = 1_795_392_000_000 + 10 * 60_000  # ten minutes past midnight

    def now(self) -> int:
        return self.ms

    def clock(self) -> float:
        return self.ms / 1000


class Setup:
    """Copies of the api that count in one place."""

    def __init__(self, budget: ClientBudget) -> None:
        self.use = MemoryClientUse()
        self.records = MemoryClientRecords(
            Client(client_id=SHOP, name="shop", scopes=(), budget=budget, created_at=1)
        )
        self.market = Market()
        self.time = Time()
        self.refused: list[str] = []
        self.notices = MemoryNotices()

    def copy(self, *, chain: bool = True) -> ClientBudgets:
        return ClientBudgets(
            self.use,
            clients=self.records,
            chain=self.market if chain else None,
            now=self.time.now,
            clock=self.time.clock,
            notices=Notices(self.notices),
            refused=self.refused.append,
        )


async def taken(budgets: ClientBudgets, count: int) -> list[ClientPermit]:
    outcomes = await asyncio.gather(
        *(budgets.take(SHOP, CONTRACT) for _ in range(count)), return_exceptions=True
    )
    assert all(isinstance(outcome, ClientPermit | RequestRefused) for outcome in outcomes)
    return [outcome for outcome in outcomes if isinstance(outcome, ClientPermit)]


@pytest.mark.parametrize("limit", [0, 1, 7, 100])
async def test_mints__when_two_copies_are_asked_at_once_for_more__then_exactly_the_budget(limit: int) -> None:
    setup = Setup(ClientBudget(mints_per_hour=limit))
    first, other = setup.copy(), setup.copy()

    permits = await asyncio.gather(taken(first, 51), taken(other, 50))

    assert sum(map(len, permits)) == limit
    assert setup.refused == ["mints_per_hour"] * (101 - limit)
    assert sum(count for use, count in setup.use.counts.items() if "#hour#" in use) == limit


async def test_mints__when_requests_meet__then_they_share_a_write() -> None:
    setup = Setup(ClientBudget(mints_per_hour=1_000))

    assert len(await taken(setup.copy(chain=False), 400)) == 400

    assert setup.use.requests <= 4


async def test_mints__when_the_hour_ends__then_the_budget_is_new() -> None:
    setup = Setup(ClientBudget(mints_per_hour=2))
    budgets = setup.copy()
    assert len(await taken(budgets, 3)) == 2

    setup.time.ms += 50 * 60_000

    assert len(await taken(budgets, 3)) == 2


async def test_wei__when_the_day_is_used_up__then_the_hours_permit_is_given_back() -> None:
    setup = Setup(ClientBudget(mints_per_hour=10, wei_per_day=MINT_GAS * PRICE * 3 + 1))
    budgets = setup.copy()

    assert len(await taken(budgets, 5)) == 3
    await budgets.aclose()

    used = await budgets.used(setup.records.records[SHOP])
    assert (used.mints, used.wei) == (3, MINT_GAS * PRICE * 3)
    assert setup.refused == ["wei_per_day"] * 2


@pytest.mark.parametrize(
    ("budget", "message", "after"),
    [
        (ClientBudget(mints_per_hour=0), "0 mints an hour", 50 * 60),
        (ClientBudget(wei_per_day=1), "1 wei a day", 24 * 3600 - 10 * 60),
    ],
)
async def test_budget__when_it_is_used_up__then_the_refusal_says_when_it_resets(
    budget: ClientBudget, message: str, after: int
) -> None:
    with pytest.raises(RequestRefused, match=message) as refused:
        await Setup(budget).copy().take(SHOP, CONTRACT)

    assert (refused.value.kind.slug, refused.value.kind.status) == ("client-budget-reached", 429)
    assert refused.value.headers["Retry-After"] == str(after)
    assert "resets at 20" in refused.value.detail


async def test_permit__when_it_made_nothing__then_another_request_gets_it() -> None:
    setup = Setup(ClientBudget(mints_per_hour=1))
    budgets = setup.copy()
    (permit,) = await taken(budgets, 2)

    budgets.give_back(permit)
    await asyncio.sleep(0.01)

    assert len(await taken(setup.copy(), 2)) == 1


async def test_permit__when_its_caller_goes_while_it_is_taken__then_it_is_given_back() -> None:
    setup = Setup(ClientBudget(mints_per_hour=1))
    budgets = setup.copy(chain=False)
    caller = asyncio.create_task(budgets.take(SHOP, CONTRACT))
    await setup.use.requested.wait()
    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller
    await asyncio.sleep(0.01)

    assert sum(setup.use.counts.values()) == 0
    assert len(await taken(budgets, 2)) == 1


@pytest.mark.parametrize(
    ("collections", "allowed"), [(None, True), ((CONTRACT,), True), ((OTHER,), False), ((), False)]
)
async def test_collection__when_the_budget_names_some__then_no_other_is_minted_in(
    *, collections: tuple[str, ...] | None, allowed: bool
) -> None:
    setup = Setup(ClientBudget(collections=collections))
    if allowed:
        await setup.copy().take(SHOP, CONTRACT)
        return
    with pytest.raises(RequestRefused, match="#/contract") as refused:
        await setup.copy().take(SHOP, CONTRACT)
    assert (refused.value.kind.slug, refused.value.kind.status) == ("collection-not-allowed", 403)
    assert setup.refused == ["collections"]
    assert not setup.use.counts


async def test_client__when_it_has_no_budget__then_nothing_is_refused_and_all_is_counted() -> None:
    setup = Setup(ClientBudget())
    budgets = setup.copy()

    assert len(await taken(budgets, 20)) == 20

    used = await budgets.used(setup.records.records[SHOP])
    assert (used.mints, used.wei) == (20, 20 * MINT_GAS * PRICE)


@pytest.mark.parametrize(("limited", "refused"), [(True, True), (False, False)])
async def test_price__when_no_node_answers__then_only_a_budget_of_wei_waits(
    *, limited: bool, refused: bool
) -> None:
    setup = Setup(ClientBudget(wei_per_day=10**18 if limited else None))
    setup.market.failure = Unavailable("no node answers")
    taking = setup.copy().take(SHOP, CONTRACT)
    if refused:
        with pytest.raises(Unavailable, match="price of gas"):
            await taking
    else:
        assert (await taking).wei == 0


async def test_price__when_nodes_stop_answering__then_the_last_one_serves() -> None:
    setup = Setup(ClientBudget(wei_per_day=10**18))
    budgets = setup.copy()
    await budgets.take(SHOP, CONTRACT)
    setup.market.failure = Unavailable("no node answers")
    setup.time.ms += 600_000

    assert (await budgets.take(SHOP, CONTRACT)).wei == MINT_GAS * PRICE


async def test_count__when_storage_fails__then_the_request_fails_and_nothing_is_given_away() -> None:
    setup = Setup(ClientBudget(mints_per_hour=10))
    setup.use.failure = Unavailable("DynamoDB is away")

    with pytest.raises(Unavailable):
        await setup.copy().take(SHOP, CONTRACT)
