"""A steady load: mints are posted at their moments, and waiting counts."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import aiohttp

from mintline_bench.load import Driver, Posted


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
    gaps = [round(after.started - before.started, 6) for before, after in pairwise(posted)]
    assert gaps == [0.001] * 9
    assert all(mint.answered >= posted[-1].started for mint in posted)
