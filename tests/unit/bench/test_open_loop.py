"""A steady load: mints are posted at their moments, and waiting counts."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import aiohttp
import pytest

from mintline_bench.load import Driver, Posted, arrivals


class SlowDriver(Driver):
    """Accepts nothing before all have been posted: a closed loop would never end."""

    all_posted: asyncio.Event
    expected: int
    numbers: list[int]

    async def post(self, number: int, *, started: float | None = None) -> Posted:
        assert started is not None
        self.numbers.append(number)
        if len(self.numbers) == self.expected:
            self.all_posted.set()
        await self.all_posted.wait()
        return Posted(str(number), 0, str(number), started, time.time())


async def test_post_at_rate__when_none_is_accepted__goes_on_posting_and_counts_from_each_moment() -> None:
    async with aiohttp.ClientSession() as session:
        driver = SlowDriver(session, api_url="http://api", tokens=["a"], deadline=0.0)
        driver.all_posted, driver.expected, driver.numbers = asyncio.Event(), 10, []
        async with asyncio.timeout(10):
            posted = await driver.post_at_rate(10, rate=1000.0)
    assert sorted(driver.numbers) == list(range(10))
    gaps = [after.started - before.started for before, after in pairwise(posted)]
    expected = [after - before for before, after in pairwise(arrivals(10, rate=1000.0))]
    assert gaps == pytest.approx(expected, abs=1e-5)
    assert all(mint.answered >= posted[-1].started for mint in posted)


def test_arrivals__when_there_are_many__come_at_the_rate_and_by_chance() -> None:
    came = arrivals(10_000, rate=20.0)
    gaps = [after - before for before, after in pairwise(came)]
    assert came[-1] == pytest.approx(500, rel=0.05)
    assert sum(gap < 0.0347 for gap in gaps) == pytest.approx(5_000, rel=0.05), "half are below the median"
    assert arrivals(10_000, rate=20.0) == came
