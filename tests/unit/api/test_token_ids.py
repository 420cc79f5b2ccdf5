"""Token ids: leased in blocks, each on one record at most."""

from __future__ import annotations

import asyncio

import pytest

from mintline.errors import Unavailable
from mintline_api.memory import MemoryTokenIds
from mintline_api.token_ids import MAX_BLOCK, MAX_LEASE, TokenIds

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def counter() -> MemoryTokenIds:
    return MemoryTokenIds()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def token_ids(counter: MemoryTokenIds, clock: Clock) -> TokenIds:
    return TokenIds(counter, clock=clock)


async def test_take__when_mints_come_now_and_then__leases_one_id_for_each(
    token_ids: TokenIds, counter: MemoryTokenIds, clock: Clock
) -> None:
    taken = []
    for _ in range(5):
        taken.append(await token_ids.take(CONTRACT))
        clock.now += 60
    assert taken == [1, 2, 3, 4, 5]
    assert counter.leases == [(CONTRACT, 1)] * 5


async def test_take__when_mints_come_one_after_the_other_in_quick_succession__leases_ever_larger_blocks(
    token_ids: TokenIds, counter: MemoryTokenIds
) -> None:
    assert [await token_ids.take(CONTRACT) for _ in range(1000)] == list(range(1, 1001))
    assert max(count for _, count in counter.leases) == MAX_BLOCK
    assert len(counter.leases) < 20


async def test_take__when_mints_arrive_together__leases_once_for_all_that_wait(
    token_ids: TokenIds, counter: MemoryTokenIds
) -> None:
    taken = await asyncio.gather(*(token_ids.take(CONTRACT) for _ in range(50)), token_ids.take(OTHER))
    assert sorted(taken[:50]) == list(range(1, 51))
    assert taken[50] == 1
    assert sorted(counter.leases) == sorted([(CONTRACT, 50), (OTHER, 1)])


async def test_take__when_very_many_wait__leases_so_many_at_once_and_no_more(
    token_ids: TokenIds, counter: MemoryTokenIds
) -> None:
    taken = await asyncio.gather(*(token_ids.take(CONTRACT) for _ in range(MAX_LEASE + 5)))
    assert len(set(taken)) == MAX_LEASE + 5
    assert max(count for _, count in counter.leases) == MAX_LEASE


async def test_give_back__when_an_id_made_no_mint__then_the_next_one_gets_it(
    token_ids: TokenIds, counter: MemoryTokenIds
) -> None:
    first, second = await token_ids.take(CONTRACT), await token_ids.take(CONTRACT)
    token_ids.give_back(CONTRACT, first)
    assert await token_ids.take(CONTRACT) == first
    assert await token_ids.take(CONTRACT) > second
    del counter


async def test_give_back__when_someone_waits__then_that_one_gets_it_at_once(token_ids: TokenIds) -> None:
    first = await token_ids.take(CONTRACT)
    waiting = asyncio.create_task(token_ids.take(CONTRACT))
    await asyncio.sleep(0)
    token_ids.give_back(CONTRACT, first)
    assert await waiting == first


async def test_take__when_the_lease_fails__then_all_who_wait_hear_of_it_and_the_next_one_tries_again(
    token_ids: TokenIds, counter: MemoryTokenIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(contract: str, count: int) -> int:
        raise Unavailable(f"no {count} of {contract}")

    with monkeypatch.context() as broken:
        broken.setattr(counter, "lease", refuse)
        heard = await asyncio.gather(*(token_ids.take(CONTRACT) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in heard] == [Unavailable] * 3
    assert await token_ids.take(CONTRACT) == 1


async def test_take__when_the_one_who_waits_is_cancelled__then_the_id_goes_to_another(
    token_ids: TokenIds, counter: MemoryTokenIds
) -> None:
    gone = asyncio.create_task(token_ids.take(CONTRACT))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await token_ids.aclose()
    assert await token_ids.take(CONTRACT) == 1
    assert counter.leases == [(CONTRACT, 1)]


async def test_take__when_the_id_arrives_as_the_request_is_cancelled__then_it_goes_to_another(
    token_ids: TokenIds,
) -> None:
    first = await token_ids.take(CONTRACT)
    waiting = asyncio.create_task(token_ids.take(CONTRACT))
    await asyncio.sleep(0)
    token_ids.give_back(CONTRACT, first)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await token_ids.take(CONTRACT) == first
