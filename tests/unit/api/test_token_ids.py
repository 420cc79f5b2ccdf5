"""Token ids: leased in blocks, each on one record at most."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Container
from typing import cast

import pytest
from structlog.testing import capture_logs

from mintline.aws.dynamo import Dynamo, Item
from mintline.errors import Unavailable
from mintline.resource_types import Table
from mintline_api.features.mints.token_ids import (
    AHEAD,
    COMPARE_SECONDS,
    MARGIN,
    MAX_BLOCK,
    MAX_LEASE,
    REACH,
    TokenIds,
)
from mintline_api.features.tokens.store import DynamoIndex
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.api.operations import MemoryTokenIds
from mintline_testkit.constants import CONTRACT

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


async def test_take__when_several_mints_come_within_a_minute__then_few_of_them_lease(
    token_ids: TokenIds, counter: MemoryTokenIds, clock: Clock
) -> None:
    for _ in range(60):
        await token_ids.take(CONTRACT)
        clock.now += 10
    assert len(counter.leases) <= 60 / 5


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


async def test_take__when_few_ids_of_a_large_block_are_left__then_the_next_is_leased_before_anyone_waits(
    token_ids: TokenIds, counter: MemoryTokenIds
) -> None:
    taken: set[int] = set()
    while (CONTRACT, MAX_BLOCK) not in counter.leases:
        taken.add(await token_ids.take(CONTRACT))
        await token_ids.aclose()
    leased, left = len(counter.leases), counter.counters[CONTRACT] - 1 - len(taken)
    while left > AHEAD:
        taken.add(await token_ids.take(CONTRACT))
        left -= 1
    assert len(counter.leases) == leased
    taken.add(await token_ids.take(CONTRACT))
    await token_ids.aclose()
    assert len(counter.leases) == leased + 1
    taken |= {await token_ids.take(CONTRACT) for _ in range(AHEAD + 1)}
    assert len(counter.leases) == leased + 1
    assert taken == set(range(1, len(taken) + 1))


async def test_take__when_a_lease_ahead_fails__then_nobody_hears_of_it_and_the_next_one_tries_again(
    token_ids: TokenIds, counter: MemoryTokenIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(contract: str, count: int) -> int:
        raise Unavailable(f"no {count} of {contract}")

    taken = [await token_ids.take(CONTRACT) for _ in range(2 * MAX_BLOCK)]
    with monkeypatch.context() as broken:
        broken.setattr(counter, "lease", refuse)
        taken += [await token_ids.take(CONTRACT) for _ in range(counter.counters[CONTRACT] - 1 - len(taken))]
        await token_ids.aclose()
    taken.append(await token_ids.take(CONTRACT))
    assert sorted(taken) == list(range(1, len(taken) + 1))


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


class Known:
    """Ids that some records have; `asked` says of which they were asked."""

    def __init__(self, *ids: int) -> None:
        self.ids = list(ids)
        self.requested: list[range] = []
        self.failure: Exception | None = None

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        assert contract == CONTRACT
        self.requested.append(ids)
        if self.failure is not None:
            raise self.failure
        return max((mint_id for mint_id in self.ids if mint_id in ids), default=None)


async def test_take__when_the_counter_was_set_back_before_the_start__then_ids_begin_above_those_in_use(
    counter: MemoryTokenIds, clock: Clock
) -> None:
    tokens, mints, moved = Known(8, 40), Known(52), []
    counter.counters[CONTRACT] = 9
    token_ids = TokenIds(counter, used=(tokens, mints), clock=clock, set_back=lambda: moved.append(1))
    with capture_logs() as lines:
        taken = [await token_ids.take(CONTRACT) for _ in range(50)]
    assert taken == list(range(53 + MARGIN, 103 + MARGIN))
    assert moved == [1]
    assert [line for line in lines if line["event"] == "token_ids_set_back"] == [
        {
            "event": "token_ids_set_back",
            "log_level": "warning",
            "contract": CONTRACT,
            "counter": 9,
            "highest": 52,
            "moved_to": 53 + MARGIN,
        }
    ]


async def test_take__when_two_copies_find_the_counter_set_back__then_no_id_is_given_out_twice(
    counter: MemoryTokenIds, clock: Clock
) -> None:
    counter.counters[CONTRACT] = 9
    copies = [TokenIds(counter, used=(Known(52),), clock=clock) for _ in range(2)]
    taken = await asyncio.gather(*(copy.take(CONTRACT) for _ in range(20) for copy in copies))
    assert len(set(taken)) == 40
    assert min(taken) > 52


async def test_take__when_the_counter_is_set_back_meanwhile__then_the_next_lease_tells_without_asking(
    counter: MemoryTokenIds, clock: Clock
) -> None:
    tokens = Known()
    token_ids = TokenIds(counter, used=(tokens,), clock=clock)
    first = [await token_ids.take(CONTRACT) for _ in range(20)]
    highest = counter.counters[CONTRACT] - 1
    counter.counters[CONTRACT] = 5
    later = [await token_ids.take(CONTRACT) for _ in range(40)]
    assert len(set(first + later)) == 60
    assert max(first) <= highest < counter.counters[CONTRACT] - MARGIN


async def test_take__when_other_copies_used_ids_and_the_counter_is_set_back__then_a_minute_shows_it(
    counter: MemoryTokenIds, clock: Clock
) -> None:
    tokens = Known()
    token_ids = TokenIds(counter, used=(tokens,), clock=clock)
    assert await token_ids.take(CONTRACT) == 1
    tokens.ids = list(range(1, 500))
    counter.counters[CONTRACT] = 300
    clock.now += COMPARE_SECONDS
    assert await token_ids.take(CONTRACT) == 500 + MARGIN


async def test_take__when_all_is_well__then_the_comparison_comes_once_a_minute_and_moves_nothing(
    counter: MemoryTokenIds, clock: Clock
) -> None:
    tokens = Known()
    token_ids = TokenIds(counter, used=(tokens,), clock=clock)
    taken = []
    for _ in range(120):
        taken.append(await token_ids.take(CONTRACT))
        tokens.ids.append(taken[-1])
        clock.now += 2
    assert taken == list(range(1, 121))
    assert len(tokens.requested) == 4


async def test_take__when_another_copy_mints_between_comparison_and_lease__then_nothing_was_set_back(
    counter: MemoryTokenIds, clock: Clock
) -> None:
    class Busy(Known):
        async def highest_token_id(self, contract: str, ids: range) -> int | None:
            highest = await super().highest_token_id(contract, ids)
            self.ids.append(await counter.lease(contract, 7) + 6)
            return highest

    moved: list[int] = []
    token_ids = TokenIds(counter, used=(Busy(),), clock=clock, set_back=lambda: moved.append(1))
    for _ in range(5):
        await token_ids.take(CONTRACT)
        clock.now += COMPARE_SECONDS
    assert moved == []


async def test_take__when_another_issuer_minted_a_far_higher_id__then_the_counter_stays(
    counter: MemoryTokenIds, clock: Clock
) -> None:
    tokens = Known(2**255, 1 + REACH)
    token_ids = TokenIds(counter, used=(tokens,), clock=clock)
    assert await token_ids.take(CONTRACT) == 1


async def test_take__when_the_counter_is_far_behind__then_it_is_moved_on_step_by_step(
    counter: MemoryTokenIds, clock: Clock
) -> None:
    highest = 3 * REACH + 5
    tokens = Known(*range(1, highest + 1, 1000), highest)
    token_ids = TokenIds(counter, used=(tokens,), clock=clock)
    assert await token_ids.take(CONTRACT) == highest + 1 + MARGIN


async def test_take__when_the_ids_in_use_are_not_to_be_had__then_mints_go_on_and_the_next_lease_asks_again(
    counter: MemoryTokenIds, clock: Clock
) -> None:
    tokens = Known(100)
    tokens.failure = Unavailable("DynamoDB is away")
    token_ids = TokenIds(counter, used=(tokens,), clock=clock)
    with capture_logs() as lines:
        assert await token_ids.take(CONTRACT) == 1
    assert [line["event"] for line in lines] == ["token_ids_not_compared"]
    tokens.failure = None
    clock.now += 2
    assert await token_ids.take(CONTRACT) == 101 + MARGIN


async def test_memory_index_and_mints__when_asked_for_the_highest_id__then_each_knows_its_own(
    harness: Harness, client: MemoryClient
) -> None:
    body = {"metadata": {"name": "n", "image": "https://example.com/1.png"}}
    for _ in range(3):
        await client.post_json("/v1/mints", body, headers=harness.headers())
    assert await harness.mints.highest_token_id(CONTRACT, range(100)) == 3
    assert await harness.mints.highest_token_id(CONTRACT, range(3)) == 2
    assert await harness.mints.highest_token_id(OTHER, range(100)) is None
    assert await harness.index.highest_token_id(CONTRACT, range(100)) is None


class Minted:
    """A DynamoDB that has the tokens `ids`, and counts what is read."""

    def __init__(self, ids: Container[int]) -> None:
        self.ids = ids
        self.reads = 0

    async def get(self, _: Table, key: Item) -> Item | None:
        self.reads += 1
        place = str(list(key.values())[-1])
        return key if int(re.findall(r"[0-9]+", place)[-1]) in self.ids else None


@pytest.mark.parametrize("most", [1, 2, 99, 1_000, 123_456, REACH - 1])
async def test_index__when_ids_are_minted_without_gaps__then_few_reads_find_the_highest(most: int) -> None:
    dynamo = Minted(range(1, most + 1))
    index = DynamoIndex(cast("Dynamo", dynamo), chain_id=1)
    for start in (1, most // 2 + 1):
        assert await index.highest_token_id(CONTRACT, range(start, start + REACH)) == most
    assert dynamo.reads < 2 * 5 * 100


async def test_index__when_nothing_is_minted_from_there_on__then_one_request_tells() -> None:
    dynamo = Minted(range(1, 100))
    index = DynamoIndex(cast("Dynamo", dynamo), chain_id=1)
    assert await index.highest_token_id(CONTRACT, range(100, 100 + REACH)) is None
    assert dynamo.reads <= 100


async def test_index__when_one_in_five_ids_is_unused__then_the_margin_covers_what_is_missed() -> None:
    chance = random.Random(5)
    for most in (500, 20_000, 500_000):
        ids = {token_id for token_id in range(1, most + 1) if chance.random() > 0.2}
        index = DynamoIndex(cast("Dynamo", Minted(ids)), chain_id=1)
        highest = await index.highest_token_id(CONTRACT, range(most // 3, most // 3 + REACH))
        assert highest is not None
        assert max(ids) - MARGIN < highest <= max(ids)
