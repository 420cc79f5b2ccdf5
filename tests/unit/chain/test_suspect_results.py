"""Results that another endpoint contradicts: suspect ones, heads, chain ids, and decisions by a majority."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mintline.chain.node import Node
from mintline.chain.quorum import Disagreement, majority
from mintline.chain.rpc import Rpc, RpcError
from mintline.chain.transport import Request
from mintline.errors import MintlineError, Misconfigured, Throttled, Unavailable

A, B, C = "http://a.example/key", "http://b.example/key", "http://c.example/key"
TRIE = {"code": -32000, "message": "missing trie node 0xabc"}


class Nodes:
    """Each endpoint answers by its own table of methods: a result, an error object or an exception."""

    def __init__(self, **tables: dict[str, Any]) -> None:
        self.tables = tables
        self.requested: list[tuple[str, str]] = []

    async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
        await asyncio.sleep(0)
        name = url[7]
        self.requested += [(name, request.method) for request in requests]
        answers = [self.answer(name, request) for request in requests]
        return answers if len(answers) > 1 else answers[0]

    def answer(self, name: str, request: Request) -> dict[str, Any]:
        scripted = self.tables[name][request.method]
        if isinstance(scripted, MintlineError):
            raise scripted
        return (
            {"error": scripted} if isinstance(scripted, dict) and "code" in scripted else {"result": scripted}
        )

    def of(self, name: str) -> int:
        return sum(endpoint == name for endpoint, _ in self.requested)

    async def aclose(self) -> None:
        pass


class Heard:
    """Remembers what an observer hears."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.contradictions: list[str] = []
        self.up: dict[str, tuple[bool, int | None]] = {}

    def called(self, endpoint: str, method: str, outcome: str) -> None:
        self.calls.append((endpoint[0], method, outcome))

    def exchanged(self, endpoint: str, seconds: float) -> None:
        pass

    def is_up(self, endpoint: str, *, up: bool, head: int | None) -> None:
        self.up[endpoint[0]] = (up, head)

    def contradicted(self, endpoint: str) -> None:
        self.contradictions.append(endpoint[0])


def is_empty(result: Any) -> bool:
    return result in (None, [])


def rpc_over(nodes: Nodes, *urls: str, clock: Callable[[], float] = lambda: 0.0, **more: Any) -> Rpc:
    return Rpc(urls or (A, B), transport=nodes, clock=clock, **more)


async def test_suspect__when_the_next_endpoint_knows_better__then_it_counts_and_the_first_is_spared() -> None:
    nodes, heard = Nodes(a={"logs": []}, b={"logs": ["a log"]}), Heard()
    rpc = rpc_over(nodes, observer=heard)
    assert await rpc.call("logs", [], suspect=is_empty) == ["a log"]
    assert heard.calls == [("a", "logs", "doubted"), ("b", "logs", "answered")]
    assert heard.contradictions == ["a"]
    assert heard.up == {"a": (True, None), "b": (True, None)}
    await rpc.call("logs", [], suspect=is_empty)
    assert nodes.of("a") == 1


async def test_suspect__when_all_say_the_same__then_it_stands_and_nobody_is_blamed() -> None:
    nodes, heard = Nodes(a={"logs": []}, b={"logs": []}), Heard()
    rpc = rpc_over(nodes, observer=heard)
    assert await rpc.call("logs", [], suspect=is_empty) == []
    assert heard.contradictions == []
    await rpc.call("logs", [], suspect=is_empty)
    assert nodes.of("a") == 2


async def test_suspect__when_the_other_endpoint_is_down__then_the_suspect_result_is_better_than_none() -> (
    None
):
    nodes = Nodes(a={"logs": []}, b={"logs": Unavailable("down")})
    assert await rpc_over(nodes).call("logs", [], suspect=is_empty) == []


async def test_suspect__when_one_call_of_a_batch_is_suspect__then_only_that_one_is_asked_again() -> None:
    nodes = Nodes(a={"logs": [], "other": 1}, b={"logs": ["a log"], "other": 2})
    rpc = rpc_over(nodes)
    logs, other = await asyncio.gather(rpc.call("logs", [], suspect=is_empty), rpc.call("other", []))
    assert (logs, other) == (["a log"], 1)
    assert nodes.requested.count(("b", "other")) == 0


@pytest.mark.parametrize(("other", "expected"), [("0x5", "0x5"), (TRIE, None)])
async def test_error__when_it_is_about_what_one_node_has__then_another_is_asked(
    other: Any, expected: Any
) -> None:
    rpc = rpc_over(Nodes(a={"eth_getBalance": TRIE}, b={"eth_getBalance": other}))
    if expected is None:
        with pytest.raises(RpcError, match="missing trie node"):
            await rpc.call("eth_getBalance", [])
    else:
        assert await rpc.call("eth_getBalance", []) == expected


async def test_head__when_it_is_far_behind_one_already_seen__then_another_endpoint_is_asked() -> None:
    nodes = Nodes(a={"eth_blockNumber": "0x64"}, b={"eth_blockNumber": "0x65"})
    rpc = rpc_over(nodes)
    assert await rpc.call("eth_blockNumber", []) == "0x64"
    nodes.tables["a"]["eth_blockNumber"] = "0x50"
    assert await rpc.call("eth_blockNumber", []) == "0x65"


async def test_head__when_every_endpoint_is_behind__then_the_chain_went_back_and_is_not_suspect_again() -> (
    None
):
    nodes = Nodes(a={"eth_blockNumber": "0x64"}, b={"eth_blockNumber": "0x50"})
    rpc = rpc_over(nodes)
    assert await rpc.call("eth_blockNumber", []) == "0x64"
    nodes.tables["a"]["eth_blockNumber"] = "0x50"
    assert await rpc.call("eth_blockNumber", []) == "0x50"
    assert nodes.of("b") == 1
    assert await rpc.call("eth_blockNumber", []) == "0x50"
    assert nodes.of("b") == 1


async def test_retries__when_everything_fails_for_long__then_become_a_tenth_of_the_calls_at_most() -> None:
    nodes = Nodes(a={"m": Unavailable("down")}, b={"m": Unavailable("down")}, c={"m": Unavailable("down")})
    rpc = rpc_over(nodes, A, B, C)
    for _ in range(100):
        with pytest.raises(Unavailable):
            await rpc.call("m", [])
    assert len(nodes.requested) == 120


async def test_suspect__when_there_are_many__then_each_gets_its_second_opinion() -> None:
    nodes = Nodes(a={"logs": []}, b={"logs": []})
    rpc = rpc_over(nodes)
    for _ in range(100):
        assert await rpc.call("logs", [], suspect=is_empty) == []
    assert (nodes.of("a"), nodes.of("b")) == (100, 100)


async def test_throttled__when_an_endpoint_says_for_how_long__then_it_is_spared_that_long() -> None:
    now = 0.0
    nodes = Nodes(a={"m": Throttled("slow down", retry_after=7.0)}, b={"m": "b"})
    rpc = rpc_over(nodes, clock=lambda: now)
    counts = []
    for second in range(10):
        now = float(second)
        await rpc.call("m", [])
        counts.append(nodes.of("a"))
    assert counts == [1] * 7 + [2] * 3


async def test_chain__when_an_endpoint_serves_another__then_the_next_one_is_asked() -> None:
    nodes = Nodes(a={"eth_chainId": "0x5", "m": "wrong"}, b={"eth_chainId": "0x1", "m": "right"})
    rpc = rpc_over(nodes, chain_id=1)
    for _ in range(3):
        assert await rpc.call("m", []) == "right"
    assert ("a", "m") not in nodes.requested
    assert nodes.requested.count(("b", "eth_chainId")) == 1
    await rpc.check_chain()


async def test_chain__when_all_endpoints_serve_another__then_the_settings_are_wrong() -> None:
    nodes = Nodes(a={"eth_chainId": "0x5"}, b={"eth_chainId": "0x5"})
    with pytest.raises(Misconfigured, match="MINTLINE_RPC_URLS serve chain 5, but MINTLINE_CHAIN_ID is 1"):
        await rpc_over(nodes, chain_id=1).check_chain()


async def test_chain__when_the_right_endpoint_is_down__then_it_is_unavailable_and_not_misconfigured() -> None:
    nodes = Nodes(a={"eth_chainId": "0x5"}, b={"eth_chainId": Unavailable("down")})
    with pytest.raises(Unavailable):
        await rpc_over(nodes, chain_id=1).check_chain()


def block(number: int, timestamp: int) -> dict[str, str]:
    return {"number": hex(number), "timestamp": hex(timestamp)}


async def watched(nodes: Nodes, *urls: str, clock: Callable[[], float] = lambda: 0.0) -> Rpc:
    rpc = rpc_over(nodes, *urls, clock=clock)
    rpc.watch(interval=3_600)
    await rpc.check_heads()
    return rpc


async def test_watch__when_the_first_endpoint_stands_still__then_the_second_is_asked_first() -> None:
    nodes = Nodes(
        a={"eth_getBlockByNumber": block(100, 1_000), "m": "a"},
        b={"eth_getBlockByNumber": block(110, 1_120), "m": "b"},
    )
    rpc = await watched(nodes)
    assert await rpc.call("m", []) == "b"
    nodes.tables["a"]["eth_getBlockByNumber"] = block(110, 1_120)
    await rpc.check_heads()
    assert await rpc.call("m", []) == "a"
    await rpc.aclose()


@pytest.mark.parametrize("behind", [block(99, 990), block(90, 998)])
async def test_watch__when_a_head_is_only_a_little_behind__then_preference_stands(behind: Any) -> None:
    nodes = Nodes(a={"eth_getBlockByNumber": behind, "m": "a"}, b={"eth_getBlockByNumber": block(100, 1_000)})
    rpc = await watched(nodes)
    assert await rpc.call("m", []) == "a"
    await rpc.aclose()


async def test_watch__when_an_endpoint_was_down__then_only_a_look_brings_calls_back_to_it() -> None:
    now = 0.0
    head = {"eth_getBlockByNumber": block(1, 1)}
    nodes = Nodes(a={"eth_getBlockByNumber": Unavailable("down"), "m": "a"}, b={**head, "m": "b"})
    rpc = await watched(nodes, clock=lambda: now)
    now = 10.0
    assert await rpc.call("m", []) == "b"
    nodes.tables["a"].update(head)
    await rpc.check_heads()
    assert await rpc.call("m", []) == "a"
    await rpc.aclose()


async def test_watch__when_a_look_fails_in_an_unforeseen_way__then_the_next_one_is_made_all_the_same() -> (
    None
):
    head = {"eth_getBlockByNumber": block(1, 1)}
    looks = asyncio.Event()

    class Odd(Nodes):
        async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
            if len(self.requested) < 2:
                self.requested.append((url[7], "odd"))
                raise ArithmeticError
            looks.set()
            return await super().exchange(url, requests)

    rpc = rpc_over(Odd(a=head, b=head))
    rpc.watch(interval=0.001)
    async with asyncio.timeout(5):
        await looks.wait()
    await rpc.aclose()


async def test_watch__when_an_endpoint_is_slow__then_the_fast_one_is_asked_first() -> None:
    now = [0.0]

    class Slow(Nodes):
        async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
            if url == A and requests[0].method == "eth_getBlockByNumber":
                now[0] += 4.0
                return self.answer("a", requests[0])
            return await super().exchange(url, requests)

    nodes = Slow(
        a={"eth_getBlockByNumber": block(1, 1), "m": "a"}, b={"eth_getBlockByNumber": block(1, 1), "m": "b"}
    )
    rpc = rpc_over(nodes, clock=lambda: now[0])
    rpc.watch(interval=3_600)
    # One after the other, so that the clock of the first does not run for the second.
    for endpoint in rpc._endpoints:
        await rpc._head(endpoint)
    assert await rpc.call("m", []) == "b"
    await rpc.aclose()


async def test_half_open__when_a_probe_is_under_way__then_other_calls_go_elsewhere() -> None:
    now = 0.0
    begun, release = asyncio.Event(), asyncio.Event()

    class Hanging(Nodes):
        async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
            if url == A and now > 0:
                self.requested.append(("a", requests[0].method))
                begun.set()
                await release.wait()
                return {"result": "a"}
            return await super().exchange(url, requests)

    nodes = Hanging(a={"m": Unavailable("down")}, b={"m": "b"})
    rpc = rpc_over(nodes, clock=lambda: now)
    assert await rpc.call("m", []) == "b"
    now = 1.0
    probe = asyncio.create_task(rpc.call("m", []))
    await asyncio.wait_for(begun.wait(), 5)
    assert await rpc.call("m", []) == "b"
    release.set()
    assert await probe == "a"
    assert await rpc.call("m", []) == "a"


async def asked_majority(nodes: Nodes, *urls: str) -> tuple[Rpc, Any]:
    rpc = rpc_over(nodes, *urls)
    return rpc, await majority(rpc, "m", ["0x7"], lambda result: result)


async def test_majority__when_one_of_three_differs__then_the_majority_counts_and_it_is_quarantined() -> None:
    nodes = Nodes(a={"m": "lie"}, b={"m": "truth"}, c={"m": "truth"})
    rpc, fact = await asked_majority(nodes, A, B, C)
    assert fact == "truth"
    assert await rpc.call("m", []) == "truth"
    assert nodes.of("a") == 1


async def test_majority__when_one_of_two_differs__then_nothing_is_decided() -> None:
    with pytest.raises(Disagreement, match=r"a\.example and b.example disagree about m 0x7"):
        await asked_majority(Nodes(a={"m": "lie"}, b={"m": "truth"}))


@pytest.mark.parametrize("silent", [None, TRIE, Unavailable("down")])
async def test_majority__when_one_has_no_say__then_the_others_decide(silent: Any) -> None:
    _, fact = await asked_majority(Nodes(a={"m": silent}, b={"m": "truth"}))
    assert fact == "truth"


HASH = bytes.fromhex("11" * 32)
BLOCK = {
    "number": "0x7",
    "hash": "0x" + HASH.hex(),
    "parentHash": "0x" + "22" * 32,
    "timestamp": "0x1",
    "logsBloom": "0x" + "00" * 256,
}


@pytest.mark.parametrize(
    ("in_service", "endpoints", "final"),
    [(1, 3, None), (2, 3, HASH), (3, 3, HASH), (1, 2, HASH), (1, 1, HASH)],
)
async def test_final_block__when_only_some_endpoints_serve__then_two_of_three_have_to_tell(
    in_service: int, endpoints: int, final: bytes | None
) -> None:
    method = "eth_getBlockByNumber"
    tables: dict[str, dict[str, Any]] = {
        name: {method: BLOCK if place < in_service else Unavailable("down")}
        for place, name in enumerate("abc")
    }
    rpc = rpc_over(Nodes(**tables), *(A, B, C)[:endpoints])
    node = Node(rpc, endpoints=rpc)
    assert await node.majority_hash(7, final=True) == final
    assert await node.majority_hash(7) == HASH


NO_BLOCK = {"code": -32000, "message": "header for hash not found"}


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [("0x5", "0x9", 5), (NO_BLOCK, "0x5", 5), (TRIE, "0x5", 5), (NO_BLOCK, NO_BLOCK, None)],
)
async def test_count_on_a_block__when_an_endpoint_is_on_another_branch__then_one_that_has_the_block_tells(
    first: Any, second: Any, count: int | None
) -> None:
    method = "eth_getTransactionCount"
    nodes = Nodes(a={method: first}, b={method: second})
    rpc = rpc_over(nodes, A, B)
    assert await Node(rpc, endpoints=rpc).transaction_count_at("0x" + "0a" * 20, HASH) == count


MINTED, NOT_MINTED = "0x" + "00" * 31 + "01", "0x" + "00" * 32


@pytest.mark.parametrize(
    ("results", "minted"),
    [
        ((NOT_MINTED, NOT_MINTED, MINTED), False),
        ((MINTED, MINTED, NOT_MINTED), True),
        ((NOT_MINTED, NO_BLOCK, NO_BLOCK), None),
        ((NO_BLOCK, NO_BLOCK, NO_BLOCK), None),
    ],
)
async def test_minted__when_endpoints_tell_different_things__then_a_majority_of_two_at_least_decides(
    results: tuple[Any, Any, Any], *, minted: bool | None
) -> None:
    nodes = Nodes(**{name: {"eth_call": result} for name, result in zip("abc", results, strict=True)})
    rpc = rpc_over(nodes, A, B, C)
    assert await Node(rpc, endpoints=rpc).is_minted("0x" + "0a" * 20, 7, HASH) is minted


async def test_majority__when_nobody_knows__then_none() -> None:
    _, fact = await asked_majority(Nodes(a={"m": None}, b={"m": None}))
    assert fact is None
