"""Notices in DynamoDB and in memory behave alike: of those who write one at once, one creates it."""

from __future__ import annotations

import asyncio

import pytest

from mintline.aws.dynamo import Dynamo
from mintline.aws.notices import DynamoNotices, notice_of
from mintline.notices import BudgetReached, NoticeStore, RelayerLow
from mintline.resources import NOTICES
from mintline_testkit.notices import MemoryNotices

pytestmark = pytest.mark.integration

AT = 1_795_398_654_000
LOW = RelayerLow(chain_id=1, address="0x" + "3" * 40, balance=2**200, batches_left=7, at=AT)
REACHED = BudgetReached(client_id="shop", budget="wei_per_day", limit=2**200, resets_at=AT + 1, at=AT)


@pytest.fixture(params=["memory", "dynamo"])
def store(request: pytest.FixtureRequest, dynamo: Dynamo) -> NoticeStore:
    return MemoryNotices() if request.param == "memory" else DynamoNotices(dynamo)


async def test_notice__when_several_write_it_at_once__then_one_creates_it(store: NoticeStore) -> None:
    for notice in (LOW, REACHED):
        added = await asyncio.gather(*(store.add(notice) for _ in range(8)))
        assert sorted(added) == [False] * 7 + [True]
    assert not await store.add(LOW.evolve(balance=1))


async def test_notice__when_it_is_read__then_as_it_was_first_written(dynamo: Dynamo) -> None:
    store = DynamoNotices(dynamo)
    for notice in (LOW, LOW.evolve(balance=1), REACHED):
        await store.add(notice)
    notices = [notice_of(item) for item in (await dynamo.scan(NOTICES, limit=10)).items]
    assert sorted(notices, key=lambda notice: notice.type) == [REACHED, LOW]
