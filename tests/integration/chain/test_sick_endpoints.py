"""Endpoints in front of a real node, some of them sick in every way that is known of providers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest

from mintline.chain import transport
from mintline.chain.node import Node
from mintline.chain.quorum import Disagreement
from mintline.chain.rpc import Rpc
from mintline.errors import Throttled, Unavailable
from mintline_testkit.constants import CHAIN_ID

pytestmark = pytest.mark.integration

Start = Callable[[str], Awaitable[Any]]


@pytest.fixture
async def open_rpc() -> AsyncIterator[Callable[..., Rpc]]:
    opened: list[Rpc] = []

    def open_one(*nodes: Any, **more: Any) -> Rpc:
        opened.append(Rpc([node.url for node in nodes], **{"timeout": 0.6, **more}))
        return opened[-1]

    yield open_one
    for rpc in opened:
        await rpc.aclose()


@pytest.mark.parametrize("sickness", ["throttles", "hangs", "garbage", "stalls", "cut"])
async def test_calls__when_the_first_endpoint_is_sick__then_the_second_answers_in_time(
    anvil_automine: str, sick_node: Start, open_rpc: Callable[..., Rpc], sickness: str
) -> None:
    sick, well = await sick_node(anvil_automine), await sick_node(anvil_automine)
    sick.sick = sickness
    rpc = open_rpc(sick, well)
    started = time.monotonic()
    assert await Node(rpc).chain_id() == CHAIN_ID
    assert time.monotonic() - started < 2
    sick.requested.clear()
    await Node(rpc).chain_id()
    assert sick.requested == []


@pytest.mark.parametrize(
    ("sickness", "error"),
    [("throttles", Throttled), *((fault, Unavailable) for fault in ("hangs", "garbage", "stalls", "cut"))],
)
async def test_call__when_the_only_endpoint_is_sick__then_it_says_so_and_recovers(
    anvil_automine: str,
    sick_node: Start,
    open_rpc: Callable[..., Rpc],
    sickness: str,
    error: type[Exception],
) -> None:
    node = await sick_node(anvil_automine)
    rpc = open_rpc(node)
    node.sick = sickness
    with pytest.raises(error):
        await Node(rpc).chain_id()
    node.sick = ""
    assert await Node(rpc).chain_id() == CHAIN_ID


async def test_call__when_the_answer_has_no_end__then_it_is_not_read_to_the_last_byte(
    anvil_automine: str, sick_node: Start, open_rpc: Callable[..., Rpc], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MOST_BYTES", 2**22)
    node = await sick_node(anvil_automine)
    node.sick = "endless"
    with pytest.raises(Unavailable, match="without end"):
        await Node(open_rpc(node, timeout=20.0)).chain_id()


async def test_watch__when_an_endpoint_stands_still__then_the_other_is_asked(
    anvil_automine: str, sick_node: Start, open_rpc: Callable[..., Rpc]
) -> None:
    still, well = await sick_node(anvil_automine), await sick_node(anvil_automine)
    rpc = open_rpc(still, well, chain_id=CHAIN_ID)
    node = Node(rpc)
    old = await rpc.call("eth_getBlockByNumber", ["latest", False])
    still.tamper = lambda call, result: old if call["method"] == "eth_getBlockByNumber" else result
    await rpc.call("anvil_mine", ["0xa", "0x2"])
    rpc.watch()
    await rpc.check_heads()
    latest = await node.block("latest")
    assert latest is not None
    assert latest.number == int(old["number"], 16) + 10
    well.requested.clear()
    await node.chain_id()
    assert well.requested == ["eth_chainId"]


async def mined(rpc: Rpc) -> bytes:
    """Mine a transaction, and return its hash."""
    [first, second, *_] = await rpc.call("eth_accounts", [])
    sent = await rpc.call("eth_sendTransaction", [{"from": first, "to": second, "value": "0x1"}])
    while await rpc.call("eth_getTransactionReceipt", [sent]) is None:
        pass
    return bytes.fromhex(sent[2:])


def claiming(method: str, fields: Mapping[str, str]) -> Callable[[dict[str, Any], Any], Any]:
    def tamper(call: dict[str, Any], result: Any) -> Any:
        return {**result, **fields} if call["method"] == method and result else result

    return tamper


RECEIPT_LIES = [
    claiming("eth_getTransactionReceipt", {"status": "0x0"}),
    claiming("eth_getTransactionReceipt", {"blockHash": "0x" + "7" * 64}),
]


@pytest.mark.parametrize("lie", RECEIPT_LIES)
async def test_receipt__when_one_of_two_lies__then_it_decides_nothing(
    anvil_automine: str, sick_node: Start, open_rpc: Callable[..., Rpc], lie: Any
) -> None:
    liar, well = await sick_node(anvil_automine), await sick_node(anvil_automine)
    rpc = open_rpc(liar, well)
    tx_hash = await mined(rpc)
    node = Node(rpc, endpoints=rpc)
    assert (await node.receipt(tx_hash)) is not None
    liar.tamper = lie
    with pytest.raises(Disagreement):
        await node.receipt(tx_hash)


@pytest.mark.parametrize("lie", RECEIPT_LIES)
async def test_receipt__when_one_of_three_lies__then_the_truth_comes_out_and_the_liar_is_left_alone(
    anvil_automine: str, sick_node: Start, open_rpc: Callable[..., Rpc], lie: Any
) -> None:
    liar, *well = [await sick_node(anvil_automine) for _ in range(3)]
    rpc = open_rpc(liar, *well)
    tx_hash = await mined(rpc)
    node = Node(rpc, endpoints=rpc)
    liar.tamper = lie
    with pytest.raises(Unavailable, match="contradict the receipt"):
        await node.receipt(tx_hash)
    liar.requested.clear()
    receipt = await node.receipt(tx_hash)
    assert receipt is not None
    assert receipt.status
    assert liar.requested == []


async def test_receipt__when_the_block_it_names_is_not_the_others__then_it_is_not_believed(
    anvil_automine: str, sick_node: Start, open_rpc: Callable[..., Rpc]
) -> None:
    liar, *others = [await sick_node(anvil_automine) for _ in range(3)]
    rpc = open_rpc(liar, *others)
    tx_hash = await mined(rpc)
    for other in others:
        # They are on another branch, which has no such transaction.
        other.tamper = lambda call, result: (
            None
            if call["method"] == "eth_getTransactionReceipt"
            else {**result, "hash": "0x" + "8" * 64}
            if call["method"] == "eth_getBlockByNumber"
            else result
        )
    with pytest.raises(Unavailable, match="contradict the receipt"):
        await Node(rpc, endpoints=rpc).receipt(tx_hash)
