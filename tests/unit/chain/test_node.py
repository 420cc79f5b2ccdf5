from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mintline.chain.calls import Call, Override
from mintline.chain.collection import MINTED_TOPIC
from mintline.chain.multi_token import ITEM_MINTED_TOPIC
from mintline.chain.node import Node
from mintline.chain.rpc import RpcError, Suspect
from mintline.chain.send_facts import SendFact
from mintline.errors import Rejected, Unavailable
from mintline.eth import keccak256, selector, word
from mintline_testkit.constants import ALICE

BOB = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
CALL = Call(sender=ALICE, to=BOB, data=b"\x01\x02")


class FakeRpc:
    """Answers every call with `result`, or raises it, and remembers the questions."""

    def __init__(self, result: Any) -> None:
        self.result = result
        self.requested: list[tuple[str, list[Any]]] = []
        self.suspects: list[Suspect | None] = []

    async def call(self, method: str, params: Sequence[Any], *, suspect: Suspect | None = None) -> Any:
        self.requested.append((method, list(params)))
        self.suspects.append(suspect)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.mark.parametrize(
    ("ref", "method", "name"),
    [
        (16, "eth_getBlockByNumber", "0x10"),
        ("finalized", "eth_getBlockByNumber", "finalized"),
        (bytes(32), "eth_getBlockByHash", "0x" + "00" * 32),
    ],
)
async def test_block__when_asked_for__then_by_number_tag_or_hash(ref: Any, method: str, name: str) -> None:
    rpc = FakeRpc(None)
    assert await Node(rpc).block(ref, full=True) is None
    assert rpc.requested == [(method, [name, True])]


@pytest.mark.parametrize(
    "words",
    ["finalized block not found", "Unknown block", "header not found", "block not found: 0x10"],
)
async def test_block__when_the_node_says_there_is_none__then_none(words: str) -> None:
    assert await Node(FakeRpc(RpcError(-39001, words))).block("finalized") is None


async def test_block__when_the_node_fails_otherwise__then_the_error() -> None:
    with pytest.raises(RpcError, match="internal"):
        await Node(FakeRpc(RpcError(-32603, "internal error"))).block("latest")


async def test_count_on_a_block__when_asked_for__then_of_the_very_block_by_its_hash() -> None:
    rpc = FakeRpc("0x5")
    assert await Node(rpc).transaction_count_at(BOB, bytes(32)) == 5
    assert rpc.requested == [("eth_getTransactionCount", [BOB, {"blockHash": "0x" + "00" * 32}])]


@pytest.mark.parametrize(("result", "minted"), [(word(1), True), (word(0), False), (None, None)])
async def test_minted__when_asked_of_a_block__then_of_the_very_block_by_its_hash(
    result: bytes | None, *, minted: bool | None
) -> None:
    rpc = FakeRpc(RpcError(-32000, "header not found") if result is None else "0x" + result.hex())
    assert await Node(rpc).is_minted(BOB, 7, bytes(32)) is minted
    [(method, [call, at])] = rpc.requested
    data = "0x" + (selector("isMinted(uint256)") + word(7)).hex()
    assert (method, call["to"], call["input"], at) == (
        "eth_call",
        BOB,
        data,
        {"blockHash": "0x" + "00" * 32},
    )


async def test_minted__when_the_contract_has_no_such_function__then_nobody_can_tell() -> None:
    with pytest.raises(Unavailable, match="flag"):
        await Node(FakeRpc("0x")).is_minted(BOB, 7, bytes(32))


async def test_minted_digest__when_the_block_holds_no_such_event__then_none() -> None:
    rpc = FakeRpc([])
    assert await Node(rpc).minted_digest(BOB, 7, bytes(32)) is None
    assert rpc.requested[0][1][0]["topics"] == ["0x" + MINTED_TOPIC.hex(), "0x" + word(7).hex()]


async def test_serial__when_what_used_it_is_asked_for__then_by_its_topic_in_a_range_or_a_block() -> None:
    rpc = FakeRpc([])
    assert await Node(rpc).serial_used(BOB, 7, last=9) is None
    assert await Node(rpc).item_minted(BOB, 7, bytes(32)) is None
    topics = ["0x" + ITEM_MINTED_TOPIC.hex(), "0x" + word(7).hex()]
    by_serial = {"address": [BOB], "topics": topics}
    assert [params for _, params in rpc.requested] == [
        [{"fromBlock": "0x0", "toBlock": "0x9", **by_serial}],
        [{"blockHash": "0x" + "00" * 32, **by_serial}],
    ]


async def test_logs__when_the_block_is_gone__then_unavailable() -> None:
    with pytest.raises(Unavailable, match="unknown block"):
        await Node(FakeRpc(RpcError(-32000, "unknown block"))).logs(block_hash=bytes(32), addresses=[BOB])


async def test_logs__when_topics_are_given__then_any_of_them_matches_the_first() -> None:
    rpc = FakeRpc([])
    await Node(rpc).logs_range(1, 20, [BOB], [bytes(32), b"\x01" * 32])
    [(_, [query])] = rpc.requested
    assert query == {
        "fromBlock": "0x1",
        "toBlock": "0x14",
        "address": [BOB],
        "topics": [["0x" + "00" * 32, "0x" + "01" * 32]],
    }


async def test_estimate__when_overridden__then_the_nodes_names_of_it() -> None:
    rpc = FakeRpc("0x5208")
    overrides = {
        BOB: Override(storage={bytes(32): b"\x01" * 32}),
        ALICE: Override(balance=5, nonce=1, code=b"\xfe"),
    }
    assert await Node(rpc).estimate_gas(CALL, overrides) == 21_000
    call = {"from": ALICE, "to": BOB, "input": "0x0102", "value": "0x0"}
    accounts = {
        BOB: {"stateDiff": {"0x" + "00" * 32: "0x" + "01" * 32}},
        ALICE: {"balance": "0x5", "nonce": "0x1", "code": "0xfe"},
    }
    assert rpc.requested == [("eth_estimateGas", [call, "latest", accounts])]


REVERT = selector("AlreadyMinted(uint256)") + word(9)


@pytest.mark.parametrize(
    "error",
    [
        RpcError(3, "execution reverted", "0x" + REVERT.hex()),  # geth, reth, anvil
        RpcError(-32015, "VM execution error.", "Reverted 0x" + REVERT.hex()),  # Nethermind
        RpcError(-32000, "Execution reverted", "0x" + REVERT.hex()),  # Besu
        RpcError(-32603, "execution failed", {"data": "0x" + REVERT.hex()}),  # some providers
    ],
)
async def test_estimate__when_the_contract_refuses__then_rejected_with_its_reason(error: RpcError) -> None:
    with pytest.raises(Rejected) as caught:
        await Node(FakeRpc(error)).estimate_gas(CALL)
    assert caught.value.code == "simulation_reverted"
    assert "AlreadyMinted(tokenId=9)" in caught.value.reason


async def test_estimate__when_it_reverts_without_data__then_the_nodes_words() -> None:
    with pytest.raises(Rejected, match="execution reverted: paused") as caught:
        await Node(FakeRpc(RpcError(3, "execution reverted: paused"))).estimate_gas(CALL)
    assert caught.value.code == "simulation_reverted"


@pytest.mark.parametrize(
    "words", ["gas required exceeds allowance (50000)", "out of gas", "EVM error OutOfGas"]
)
async def test_estimate__when_no_gas_would_do__then_rejected(words: str) -> None:
    with pytest.raises(Rejected) as caught:
        await Node(FakeRpc(RpcError(-32000, words))).estimate_gas(CALL)
    assert caught.value.code == "simulation_out_of_gas"


@pytest.mark.parametrize("words", ["internal error", "missing trie node", "header not found"])
async def test_estimate__when_the_node_is_in_trouble__then_unavailable_and_no_mint_dies(words: str) -> None:
    with pytest.raises(Unavailable, match=words):
        await Node(FakeRpc(RpcError(-32000, words))).estimate_gas(CALL)


async def test_send__when_taken__then_accepted() -> None:
    raw = b"\x02raw"
    rpc = FakeRpc("0x" + keccak256(raw).hex())
    assert (await Node(rpc).send_raw(raw)).fact is SendFact.ACCEPTED
    assert rpc.requested == [("eth_sendRawTransaction", ["0x" + raw.hex()])]


async def test_send__when_the_node_answers_another_hash__then_unavailable() -> None:
    with pytest.raises(Unavailable, match="another transaction"):
        await Node(FakeRpc("0x" + "00" * 32)).send_raw(b"\x02raw")


async def test_send__when_refused__then_the_fact_and_the_words() -> None:
    response = await Node(FakeRpc(RpcError(-32000, "nonce too low"))).send_raw(b"\x02raw")
    assert (response.fact, response.message) == (SendFact.NONCE_TOO_LOW, "nonce too low")


async def test_send__when_the_words_are_in_the_data__then_the_fact_all_the_same() -> None:
    error = RpcError(-32000, "Transaction rejected", "Gas price below current base fee")
    response = await Node(FakeRpc(error)).send_raw(b"\x02raw")
    assert response.fact is SendFact.FEE_CAP_BELOW_BASE_FEE


async def test_fees__when_asked_within_a_second__then_one_question() -> None:
    now = 0.0
    rpc = FakeRpc({"baseFeePerGas": ["0x1", "0x2"], "reward": [["0x3"]]})
    node = Node(rpc, clock=lambda: now)
    assert (await node.fees(), await node.fees()) == (await node.fees(), await node.fees())
    assert len(rpc.requested) == 1
    now = 1.0
    await node.fees()
    assert len(rpc.requested) == 2
