"""The use of clients' budgets in DynamoDB: exact, even if others count."""

from __future__ import annotations

import asyncio

import pytest

from mintline.aws.dynamo import Dynamo
from mintline.notices import Notices
from mintline.records.clients import Client, ClientBudget
from mintline_api.http.problems import RequestRefused
from mintline_api.limits.client_budgets import ClientBudgets, ClientPermit
from mintline_api.limits.store import DynamoClientUse
from mintline_testkit.api.users import MemoryClientRecords
from mintline_testkit.constants import CONTRACT
from mintline_testkit.notices import MemoryNotices

pytestmark = pytest.mark.integration

NOW = 1_795_392_600_000
EXPIRES = 2_000_000_000


async def test_count__when_it_would_pass_the_limit__then_it_stays_and_is_told(dynamo: Dynamo) -> None:
    use = DynamoClientUse(dynamo)

    assert await use.take("shop#hour#1", 11, limit=10, expires=EXPIRES) == 0
    assert await use.take("shop#hour#1", 7, limit=10, expires=EXPIRES) is None
    assert await use.take("shop#hour#1", 4, limit=10, expires=EXPIRES) == 7
    assert await use.take("shop#hour#1", 3, limit=10, expires=EXPIRES) is None
    assert await use.used("shop#hour#1") == 10


async def test_count__when_it_is_given_back__then_never_below_nothing(dynamo: Dynamo) -> None:
    use = DynamoClientUse(dynamo)
    await use.take("shop#day#1", 10**18, limit=None, expires=EXPIRES)

    await use.give_back("shop#day#1", 10**18 + 1)
    assert await use.used("shop#day#1") == 10**18
    await use.give_back("shop#day#1", 10**18)
    assert await use.used("shop#day#1") == 0
    await use.give_back("nobody#day#1", 1)
    assert await use.used("nobody#day#1") == 0


async def test_count__when_many_take_the_first_at_once__then_each_is_counted(dynamo: Dynamo) -> None:
    use = DynamoClientUse(dynamo)

    outcomes = await asyncio.gather(
        *(use.take("shop#hour#2", 1, limit=10, expires=EXPIRES) for _ in range(25))
    )

    assert outcomes.count(None) == 10
    assert await use.used("shop#hour#2") == 10


async def test_budget__when_two_copies_take_101_at_once__then_exactly_100(dynamo: Dynamo) -> None:
    client = Client(
        client_id="shop", name="shop", scopes=(), budget=ClientBudget(mints_per_hour=100), created_at=1
    )
    copies = [
        ClientBudgets(
            DynamoClientUse(dynamo),
            clients=MemoryClientRecords(client),
            chain=None,
            now=lambda: NOW,
            clock=lambda: NOW / 1000,
            notices=Notices(MemoryNotices()),
        )
        for _ in range(2)
    ]

    outcomes = await asyncio.gather(
        *(copies[place % 2].take("shop", CONTRACT) for place in range(101)), return_exceptions=True
    )

    assert sum(isinstance(outcome, ClientPermit) for outcome in outcomes) == 100
    assert sum(isinstance(outcome, RequestRefused) for outcome in outcomes) == 1
    assert (await copies[0].used(client)).mints == 100
