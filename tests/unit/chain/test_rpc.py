from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from mintline.chain.rpc import Rpc, RpcError
from mintline.chain.transport import BodyTooLarge, Request
from mintline.errors import Throttled, Unavailable

A, B = "http://a.example/key", "http://b.example/key"


class FakeTransport:
    """Answers each request by what `answers[url]` makes of it, or raises it; all at once by `whole`."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.posts: list[tuple[str, list[Request]]] = []
        self.limit = 1_000
        self.whole: dict[str, Any] = {}

    async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
        await asyncio.sleep(0)
        self.posts.append((url, list(requests)))
        if url in self.whole:
            return self.whole[url]
        scripted = self.answers[url]
        if isinstance(scripted, Exception):
            raise scripted
        if len(requests) == 1:
            return self.response(scripted, requests[0], 0)
        if len(requests) > self.limit:
            raise BodyTooLarge("too large")
        return [self.response(scripted, request, index) for index, request in enumerate(requests)]

    def response(self, scripted: Callable[[Request], Any], request: Request, _index: int) -> Any:
        return scripted(request)

    async def aclose(self) -> None:
        pass


def echo(request: Request) -> dict[str, Any]:
    return {"result": request.params[0]}


@pytest.fixture
def transport() -> FakeTransport:
    return FakeTransport()


def rpc_over(transport: FakeTransport, *urls: str, clock: Callable[[], float] = lambda: 0.0) -> Rpc:
    return Rpc(urls or (A,), transport=transport, clock=clock)


async def test_call__when_alone__then_it_is_asked_alone(transport: FakeTransport) -> None:
    transport.answers[A] = echo
    assert await rpc_over(transport).call("m", ["x"]) == "x"
    assert transport.posts == [(A, [Request("m", ["x"])])]


async def test_calls__when_concurrent__then_one_batch_answers_each_its_own(transport: FakeTransport) -> None:
    transport.answers[A] = echo
    rpc = rpc_over(transport)
    assert await asyncio.gather(*(rpc.call("m", [n]) for n in range(50))) == list(range(50))
    assert len(transport.posts) == 1


async def test_calls__when_more_than_a_batch_takes__then_batches_of_at_most_that(
    transport: FakeTransport,
) -> None:
    transport.answers[A] = echo
    rpc = rpc_over(transport)
    assert await asyncio.gather(*(rpc.call("m", [n]) for n in range(250))) == list(range(250))
    assert max(len(request) for _, request in transport.posts) <= 100


async def test_batch__when_one_call_is_an_error__then_only_that_call_raises(transport: FakeTransport) -> None:
    def answer(request: Request) -> dict[str, Any]:
        if request.params == [1]:
            return {"error": {"code": 3, "message": "execution reverted", "data": "0x1234"}}
        return echo(request)

    transport.answers[A] = answer
    rpc = rpc_over(transport)
    results = await asyncio.gather(*(rpc.call("m", [n]) for n in range(3)), return_exceptions=True)
    assert (results[0], results[2]) == (0, 2)
    error = results[1]
    assert isinstance(error, RpcError)
    assert (error.code, error.message, error.data) == (3, "execution reverted", "0x1234")


async def test_call__when_the_result_is_null__then_it_returns_none(transport: FakeTransport) -> None:
    transport.answers[A] = lambda _: {"result": None}
    assert await rpc_over(transport).call("m", []) is None


@pytest.mark.parametrize("failure", [Unavailable("down"), Throttled("slow")])
async def test_call__when_the_first_endpoint_fails__then_the_second_answers(
    transport: FakeTransport, failure: Exception
) -> None:
    transport.answers = {A: failure, B: echo}
    assert await rpc_over(transport, A, B).call("eth_sendRawTransaction", ["0x02"]) == "0x02"
    assert [url for url, _ in transport.posts] == [A, B]


async def test_call__when_an_endpoint_failed_just_now__then_it_is_spared_until_its_backoff_ends(
    transport: FakeTransport,
) -> None:
    now = 0.0
    transport.answers = {A: Unavailable("down"), B: echo}
    rpc = rpc_over(transport, A, B, clock=lambda: now)
    await rpc.call("m", [0])
    transport.answers[A] = echo
    await rpc.call("m", [1])
    assert [url for url, _ in transport.posts] == [A, B, B]
    now = 0.3
    await rpc.call("m", [2])
    assert transport.posts[-1][0] == A


async def test_call__when_an_endpoint_keeps_failing__then_its_backoff_grows_up_to_half_a_minute(
    transport: FakeTransport,
) -> None:
    now = 0.0
    transport.answers = {A: Unavailable("down"), B: echo}
    rpc = rpc_over(transport, A, B, clock=lambda: now)
    requested = []
    for _ in range(2000):
        await rpc.call("m", [0])
        if len(transport.posts) > 1 and transport.posts[-2][0] == A:
            requested.append(now)
        now += 0.125
    gaps = [round(later - earlier, 3) for earlier, later in pairwise(requested)]
    assert gaps[:4] == [0.25, 0.5, 1.0, 2.0]
    assert gaps[-1] == 30.0


async def test_call__when_every_endpoint_fails__then_it_is_unavailable_and_all_were_asked(
    transport: FakeTransport,
) -> None:
    transport.answers = {A: Unavailable("a is down"), B: Unavailable("b is down")}
    rpc = rpc_over(transport, A, B)
    for _ in range(2):
        with pytest.raises(Unavailable, match="is down"):
            await rpc.call("m", [])
    counts: dict[str, int] = defaultdict(int)
    for url, _ in transport.posts:
        counts[url] += 1
    assert counts == {A: 2, B: 2}


async def test_call__when_a_node_answers_with_an_error__then_no_other_endpoint_is_asked(
    transport: FakeTransport,
) -> None:
    transport.answers = {A: lambda _: {"error": {"code": -32000, "message": "nonce too low"}}, B: echo}
    with pytest.raises(RpcError, match="nonce too low"):
        await rpc_over(transport, A, B).call("m", [0])
    assert len(transport.posts) == 1


@pytest.mark.parametrize(
    "error",
    [
        {"code": 429, "message": "slow down"},
        {"code": -32005, "message": "project ID request rate exceeded"},
        {"code": -32000, "message": "Your app has exceeded its compute units per second capacity."},
        {"code": -32007, "message": "100/second request limit reached - reduce calls: rate limit"},
    ],
)
async def test_call__when_a_node_asks_for_less_within_an_answer__then_it_is_throttled(
    transport: FakeTransport, error: dict[str, Any]
) -> None:
    transport.answers[A] = lambda _: {"error": error}
    with pytest.raises(Throttled):
        await rpc_over(transport).call("m", [0])


async def test_call__when_a_log_query_is_too_wide__then_it_is_no_throttling(transport: FakeTransport) -> None:
    message = "query returned more than 10000 results"
    transport.answers[A] = lambda _: {"error": {"code": -32005, "message": message}}
    with pytest.raises(RpcError, match="10000 results"):
        await rpc_over(transport).call("eth_getLogs", [{}])


@pytest.mark.parametrize(
    ("count", "response"),
    [
        *((count, response) for count in (1, 2) for response in (3, None, "text", {}, {"error": "odd"})),
        (1, []),
        (1, [{"result": 1}]),
        (2, {"result": 1}),
        (2, [None, 3]),
    ],
)
async def test_calls__when_the_answer_is_no_json_rpc__then_unavailable(
    transport: FakeTransport, count: int, response: Any
) -> None:
    transport.whole[A] = response
    rpc = rpc_over(transport)
    results = await asyncio.gather(*(rpc.call("m", [0]) for _ in range(count)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * count


async def test_batch__when_a_call_is_left_unanswered__then_that_one_goes_to_the_next_endpoint(
    transport: FakeTransport,
) -> None:
    transport.whole[A] = [{"result": "from a"}, None]
    transport.answers[B] = lambda _: {"result": "from b"}
    rpc = rpc_over(transport, A, B)
    results = await asyncio.gather(*(rpc.call("m", [n]) for n in range(2)))
    assert results == ["from a", "from b"]


async def test_batch__when_it_is_too_large__then_halves_of_it_are_sent(transport: FakeTransport) -> None:
    transport.answers[A] = echo
    transport.limit = 3
    rpc = rpc_over(transport)
    assert await asyncio.gather(*(rpc.call("m", [n]) for n in range(10))) == list(range(10))


async def test_batch__when_a_node_knows_no_batches__then_calls_go_one_by_one(
    transport: FakeTransport,
) -> None:
    class NoBatches(FakeTransport):
        async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
            if len(requests) > 1:
                return {"id": None, "error": {"code": -32600, "message": "batch not supported"}}
            return await super().exchange(url, requests)

    single = NoBatches()
    single.answers[A] = echo
    rpc = rpc_over(single)
    assert await asyncio.gather(*(rpc.call("m", [n]) for n in range(5))) == list(range(5))


async def test_batch__when_it_is_throttled_as_a_whole__then_no_half_of_it_is_tried(
    transport: FakeTransport,
) -> None:
    transport.whole[A] = {"id": None, "error": {"code": 429, "message": "too many requests"}}
    rpc = rpc_over(transport)
    results = await asyncio.gather(*(rpc.call("m", [n]) for n in range(4)), return_exceptions=True)
    assert all(isinstance(result, Throttled) for result in results)
    assert len(transport.posts) == 1


async def test_batch__when_the_common_answer_grew_too_large__then_what_was_cut_is_asked_alone(
    transport: FakeTransport,
) -> None:
    class Cutting(FakeTransport):
        def response(self, scripted: Callable[[Request], Any], request: Request, index: int) -> Any:
            if index > 0:
                return {"error": {"code": -32003, "message": "response too large"}}
            return super().response(scripted, request, index)

    cutting = Cutting()
    cutting.answers[A] = echo
    rpc = rpc_over(cutting)
    assert await asyncio.gather(*(rpc.call("m", [n]) for n in range(3))) == [0, 1, 2]


async def test_call__when_a_node_says_much__then_its_message_is_cut(transport: FakeTransport) -> None:
    transport.answers[A] = lambda _: {"error": {"code": -32000, "message": "nonce too low " + "x" * 10**6}}
    with pytest.raises(RpcError, match="nonce too low") as caught:
        await rpc_over(transport).call("m", [0])
    assert len(str(caught.value)) < 1_100


def test_rpc__when_it_has_no_endpoint__then_it_refuses() -> None:
    with pytest.raises(ValueError, match="at least one endpoint"):
        Rpc([])
