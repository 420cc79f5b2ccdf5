"""The end of a run is seen by a sample of its mints, so that looking costs next to nothing."""

from __future__ import annotations

import time

import aiohttp
import pytest

from mintline_bench.load import SAMPLE, Driver, Posted


class CountingDriver(Driver):
    """Sees each mint end at the second look."""

    looks: dict[str, int]

    async def has_ended(self, mint: Posted) -> bool:
        self.looks[mint.mint_id] = self.looks.get(mint.mint_id, 0) + 1
        return self.looks[mint.mint_id] == 2


def posted(count: int) -> list[Posted]:
    return [Posted(str(number), 0, "", 0.0, 0.0) for number in range(count)]


@pytest.mark.parametrize(("count", "seen"), [(0, 0), (1, 1), (10, 10), (11, 6), (1000, 10), (1001, 10)])
async def test_settle__when_mints_are_many__then_waits_for_the_end_of_the_last_and_of_some_among_all(
    count: int, seen: int
) -> None:
    async with aiohttp.ClientSession() as session:
        driver = CountingDriver(session, api_url="http://api", tokens=["a"], deadline=time.time() + 60)
        driver.looks = {}
        await driver.settle(posted(count), pause=0)
    assert len(driver.looks) == seen <= SAMPLE
    assert set(driver.looks.values()) <= {2}
    if count:
        assert str(count - 1) in driver.looks
        assert min(map(int, driver.looks)) < -(-count // SAMPLE)


async def test_settle__when_a_mint_never_ends__then_stops_at_the_deadline() -> None:
    async with aiohttp.ClientSession() as session:
        driver = CountingDriver(session, api_url="http://api", tokens=["a"], deadline=time.time() - 1)
        driver.looks = {}
        await driver.settle(posted(3), pause=0)
    assert driver.looks == {"2": 1}
