"""A client's budget that refuses a request is noticed once in its window, over all copies of the API."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import pytest

from mintline.chain.answers import MIN_TIP, FeeMarket
from mintline.errors import Unavailable
from mintline.notices import BudgetReached, Notices
from mintline.records.clients import Client, ClientBudget
from mintline_api.http.problems import RequestRefused
from mintline_api.limits.client_budgets import MINT_GAS, ClientBudgets
from mintline_testkit.api.clients import MemoryClientUse
from mintline_testkit.api.users import MemoryClientRecords
from mintline_testkit.constants import CONTRACT
from mintline_testkit.notices import MemoryNotices

PRICE = 2 + MIN_TIP
NOON = 1_795_435_200_000
HOUR, DAY = 3_600_000, 86_400_000


class Market:
    async def fees(self) -> FeeMarket:
        return FeeMarket(base_fee=PRICE - MIN_TIP, priority_fee=1)


class Setup:
    """Copies of the API that count in one place."""

    def __init__(self, **budget: Any) -> None:
        self.use, self.notices, self.now = MemoryClientUse(), MemoryNotices(), NOON
        self.records = MemoryClientRecords(
            Client(client_id="shop", name="shop", scopes=(), budget=ClientBudget(**budget), created_at=1)
        )

    def copy(self) -> ClientBudgets:
        return ClientBudgets(
            self.use,
            clients=self.records,
            chain=Market(),
            now=lambda: self.now,
            clock=count().__next__,
            notices=Notices(self.notices),
        )


async def refused(budgets: ClientBudgets, times: int) -> None:
    for _ in range(times):
        with pytest.raises(RequestRefused):
            await budgets.take("shop", CONTRACT)


async def test_budget__when_it_refuses__then_noticed_once_an_hour_over_all_copies() -> None:
    setup = Setup(mints_per_hour=2)
    this, other = setup.copy(), setup.copy()
    for copy in (this, other):
        await copy.take("shop", CONTRACT)
    assert setup.notices.by_id == {}

    await asyncio.gather(refused(this, 3), refused(other, 3))
    first = BudgetReached(client_id="shop", budget="mints_per_hour", limit=2, resets_at=NOON + HOUR, at=NOON)
    assert list(setup.notices.by_id.values()) == [first]

    setup.now = NOON + HOUR
    for copy in (this, other):
        await copy.take("shop", CONTRACT)
    await refused(this, 1)
    assert list(setup.notices.by_id.values()) == [
        first,
        first.evolve(resets_at=NOON + 2 * HOUR, at=NOON + HOUR),
    ]


async def test_budget__when_a_days_wei_are_spent__then_noticed_once_a_day() -> None:
    setup = Setup(wei_per_day=MINT_GAS * PRICE)
    budgets = setup.copy()
    await budgets.take("shop", CONTRACT)
    for now in (NOON, NOON + HOUR):
        setup.now = now
        await refused(budgets, 2)
    [notice] = setup.notices.by_id.values()
    assert notice == BudgetReached(
        client_id="shop", budget="wei_per_day", limit=MINT_GAS * PRICE, resets_at=NOON + DAY // 2, at=NOON
    )


async def test_budget__when_the_notice_cannot_be_written__then_the_request_is_refused_as_ever() -> None:
    setup = Setup(mints_per_hour=0)
    budgets = setup.copy()
    setup.notices.failure = Unavailable("no answer")
    await refused(budgets, 1)
    setup.notices.failure = None
    await refused(budgets, 1)
    assert len(setup.notices.by_id) == 1


async def test_budget__when_a_collection_is_not_allowed__then_nothing_is_noticed() -> None:
    setup = Setup(collections=())
    await refused(setup.copy(), 1)
    assert setup.notices.by_id == {}
