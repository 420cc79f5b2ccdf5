"""Looking for the event by which a serial of an ERC-1155 collection was used."""

from __future__ import annotations

import pytest

from mintline.chain import serials
from mintline.chain.answers import Log
from mintline.chain.multi_token import ITEM_MINTED_TOPIC
from mintline.chain.rpc import RpcError
from mintline.chain.serials import SerialSearch
from mintline.errors import Throttled, Unavailable
from mintline.eth import word

ITEMS = "0x" + "0a" * 20
SERIAL = 7


class Chain:
    """One use of a serial, and a bound for the blocks of a request."""

    def __init__(self, *, used_in: int | None, widest: int = 10**9) -> None:
        self.used_in, self.widest = used_in, widest
        self.requested: list[tuple[int, int]] = []
        self.failure: Exception | None = None
        self.kept_from = 0
        """The oldest block that has logs."""

    async def logs(self, contract: str, serial: int, first: int, last: int) -> tuple[Log, ...]:
        self.requested.append((first, last))
        if self.failure is not None:
            raise self.failure
        if last - first + 1 > self.widest:
            raise RpcError(-32005, "query exceeds max block range")
        if first < self.kept_from:
            raise RpcError(-32000, "pruned history unavailable")
        if self.used_in is None or not first <= self.used_in <= last:
            return ()
        topics = (ITEM_MINTED_TOPIC, word(serial))
        return (Log(contract, topics, b"", bytes(32), self.used_in, bytes(32), 0, removed=False),)


async def test_search__when_the_node_takes_any_range__then_it_asks_once() -> None:
    chain = Chain(used_in=3)
    log = await SerialSearch(chain.logs).find(ITEMS, SERIAL, last=1_000_000)
    assert log is not None
    assert log.block_number == 3
    assert chain.requested == [(0, 1_000_000)]


async def test_search__when_ranges_are_bounded__then_it_goes_down_in_ranges_that_the_node_takes() -> None:
    chain = Chain(used_in=5, widest=30)
    search = SerialSearch(chain.logs)
    log = await search.find(ITEMS, SERIAL, last=99)
    assert log is not None
    assert chain.requested == [(0, 99), (50, 99), (75, 99), (50, 74), (25, 49), (0, 24)]
    await search.find(ITEMS, 8, last=99)
    assert chain.requested[6] == (75, 99)


async def test_search__when_one_call_does_not_end_it__then_the_next_goes_on_below(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serials, "REQUESTS", 4)
    chain = Chain(used_in=1, widest=25)
    search = SerialSearch(chain.logs)
    assert await search.find(ITEMS, SERIAL, last=99) is None
    assert await search.find(ITEMS, SERIAL, last=120) is not None
    assert chain.requested == [(0, 99), (50, 99), (75, 99), (50, 74), (25, 49), (0, 24)]


async def test_search__when_nothing_is_found_down_to_the_genesis__then_the_next_begins_at_the_top() -> None:
    chain = Chain(used_in=None)
    search = SerialSearch(chain.logs)
    assert [await search.find(ITEMS, SERIAL, last=last) for last in (9, 12)] == [None, None]
    assert chain.requested == [(0, 9), (0, 12)]


@pytest.mark.parametrize(
    "failure", [Throttled("slower"), Unavailable("nobody there"), RpcError(-32000, "no")]
)
async def test_search__when_nodes_answer_nothing__then_it_says_so(failure: Exception) -> None:
    chain = Chain(used_in=1)
    chain.failure = failure
    with pytest.raises(type(failure)):
        await SerialSearch(chain.logs).find(ITEMS, SERIAL, last=99)
    assert len(chain.requested) <= serials.REQUESTS


async def test_search__when_many_are_left_open__then_the_oldest_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serials, "REQUESTS", 1)
    monkeypatch.setattr(serials, "REMEMBERED", 2)
    chain = Chain(used_in=None, widest=10)
    search = SerialSearch(chain.logs)
    search._widest = 10
    for serial in (1, 2, 3):
        assert await search.find(ITEMS, serial, last=99) is None
    assert set(search._left) == {(ITEMS, 2), (ITEMS, 3)}


@pytest.mark.parametrize("failure", [Unavailable("nobody there"), RpcError(-32000, "no")])
async def test_search__when_nodes_answered_nothing_for_a_while__then_others_ask_for_all_blocks_again(
    failure: Exception,
) -> None:
    chain = Chain(used_in=1)
    search = SerialSearch(chain.logs)
    chain.failure = failure
    for serial in range(40):
        with pytest.raises(type(failure)):
            await search.find(ITEMS, serial, last=20_000_000)
    chain.failure, chain.requested = None, []
    assert await search.find(ITEMS, 40, last=20_000_000) is not None
    assert chain.requested == [(0, 20_000_000)]


@pytest.mark.parametrize(
    "failure", [Throttled("slower"), Unavailable("nobody there"), RpcError(-32000, "no")]
)
async def test_search__when_it_fails_on_the_way__then_the_next_goes_on_below_what_was_answered(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(serials, "REQUESTS", 3)
    chain = Chain(used_in=1, widest=25)
    search = SerialSearch(chain.logs)
    assert await search.find(ITEMS, SERIAL, last=99) is None
    chain.failure = failure
    monkeypatch.setattr(serials, "REQUESTS", 32)
    with pytest.raises(type(failure)):
        await search.find(ITEMS, SERIAL, last=99)
    chain.failure, chain.requested = None, []
    assert await search.find(ITEMS, SERIAL, last=120) is not None
    assert max(last for _, last in chain.requested) == 74


async def test_search__when_all_blocks_take_a_node_too_long__then_the_next_asks_for_fewer() -> None:
    chain = Chain(used_in=1)
    search = SerialSearch(chain.logs)
    chain.failure = Unavailable("silent, or not done in 10 s")
    for _ in range(20):
        with pytest.raises(Unavailable):
            await search.find(ITEMS, SERIAL, last=79_999)
    widths = [last - first + 1 for first, last in chain.requested]
    assert widths == [80_000, 40_000, 20_000, *[serials.UNANSWERED] * 17]
    chain.failure = None
    assert await search.find(ITEMS, SERIAL, last=79_999) is not None
    assert chain.requested[20:] == [(70_000, 79_999), (50_000, 69_999), (10_000, 49_999), (0, 9_999)]


async def test_search__when_old_logs_are_gone__then_it_says_so_and_does_not_narrow_the_others() -> None:
    chain = Chain(used_in=700)
    chain.kept_from = 601
    search = SerialSearch(chain.logs)
    assert await search.find(ITEMS, 8, last=999) is not None
    chain.used_in = 1
    for _ in range(3):
        with pytest.raises(RpcError):
            await search.find(ITEMS, SERIAL, last=999)
    chain.used_in, chain.requested = 700, []
    assert await search.find(ITEMS, 9, last=999) is not None
    assert chain.requested[0] == (750, 999), "as wide as the first range that was answered"
