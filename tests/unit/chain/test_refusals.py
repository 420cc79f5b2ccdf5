"""A refusal that ends a mint: with several endpoints, one's word is not enough for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from mintline.chain.calls import Call, CallReverted
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.chain.send_facts import SendFact
from mintline.chain.transport import Request
from mintline.errors import Rejected, Retryable, Unavailable
from mintline.eth import keccak256

CALL = Call(sender="0x" + "0a" * 20, to="0x" + "0b" * 20, data=b"\x01")
RAW = b"signed"
TAKEN = "0x" + keccak256(RAW).hex()

REVERTS = {"code": 3, "message": "execution reverted"}
TOO_DEAR = {"code": -32000, "message": "gas required exceeds allowance (30000000)"}
TROUBLE = {"code": -32000, "message": "missing trie node"}
DOWN = Unavailable("down")

BLOCK_GAS = {"code": -32000, "message": "exceeds block gas limit"}
INTRINSIC = {"code": -32000, "message": "intrinsic gas too low"}
KNOWN = {"code": -32000, "message": "already known"}
TOO_LOW = {"code": -32000, "message": "nonce too low"}
FULL = {"code": -32000, "message": "txpool is full"}


class Endpoints:
    """Endpoint `i` gives the `i`th answer, whatever it is asked: a result, an error object, or a failure."""

    def __init__(self, *answers: Any) -> None:
        self.answers = answers
        self.requested: list[int] = []

    async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
        await asyncio.sleep(0)
        place = int(url[-1])
        self.requested += [place] * len(requests)
        scripted = self.answers[place]
        if isinstance(scripted, Retryable):
            raise scripted
        response = {"error": scripted} if isinstance(scripted, dict) else {"result": scripted}
        return [response] * len(requests) if len(requests) > 1 else response

    async def aclose(self) -> None:
        pass


def node_over(*answers: Any) -> tuple[Node, Endpoints]:
    endpoints = Endpoints(*answers)
    urls = [f"http://node/{place}" for place in range(len(answers))]
    rpc = Rpc(urls, transport=endpoints, clock=lambda: 0.0)
    return Node(rpc, endpoints=rpc), endpoints


@pytest.mark.parametrize(
    "answers",
    [
        (REVERTS,),
        (REVERTS, REVERTS),
        (REVERTS, DOWN),  # of two, one goes on alone
        (REVERTS, TROUBLE),
        (REVERTS, REVERTS, DOWN),
        (REVERTS, "0x5208", REVERTS),
        (REVERTS, TOO_DEAR, "0x5208"),
    ],
)
async def test_estimate__when_a_majority_refuses__then_the_call_is_refused(answers: Any) -> None:
    node, _ = node_over(*answers)
    with pytest.raises(CallReverted):
        await node.estimate_gas(CALL)


@pytest.mark.parametrize(
    "answers",
    [
        (REVERTS, "0x5208"),
        (REVERTS, "0x5208", "0x5208"),
        (REVERTS, DOWN, DOWN),  # the two others may be out of service for seconds only
        (REVERTS, TROUBLE, TROUBLE),
        (REVERTS, "0x5208", DOWN),
        (TOO_DEAR, "0x5208", "0x5208"),
    ],
)
async def test_estimate__when_no_majority_refuses__then_nothing_is_decided(answers: Any) -> None:
    node, _ = node_over(*answers)
    with pytest.raises(Unavailable, match="do not agree"):
        await node.estimate_gas(CALL)


async def test_estimate__when_others_pass_the_call__then_the_one_is_asked_on() -> None:
    # Two nodes in good order may be a block apart: that is no reason to do without one for minutes.
    node, endpoints = node_over(REVERTS, "0x5208", "0x5208")
    for _ in range(2):
        with pytest.raises(Unavailable):
            await node.estimate_gas(CALL)
    assert endpoints.requested == [0, 0, 1, 2] * 2


async def test_estimate__when_it_is_no_refusal__then_nobody_else_is_asked() -> None:
    node, endpoints = node_over("0x5208", REVERTS, REVERTS)
    assert await node.estimate_gas(CALL, most=21_000) == 21_000
    assert endpoints.requested == [0]


async def test_estimate__when_a_majority_needs_more_than_the_most__then_it_is_told() -> None:
    node, _ = node_over("0x5209", "0x5300", "0x5208")
    assert await node.estimate_gas(CALL, most=0x5208) == 0x5209


async def test_estimate__when_one_alone_needs_more_than_the_most__then_nothing_is_decided() -> None:
    node, _ = node_over("0x5209", "0x5208", "0x5208")
    with pytest.raises(Unavailable, match="do not agree"):
        await node.estimate_gas(CALL, most=0x5208)


async def test_estimate__when_no_limit_would_do_for_anyone__then_rejected() -> None:
    node, _ = node_over(TOO_DEAR, TOO_DEAR, TOO_DEAR)
    with pytest.raises(Rejected) as caught:
        await node.estimate_gas(CALL)
    assert caught.value.code == "simulation_out_of_gas"


@pytest.mark.parametrize(
    ("answers", "fact"),
    [
        ((BLOCK_GAS,), SendFact.EXCEEDS_BLOCK_GAS),
        ((BLOCK_GAS, BLOCK_GAS, INTRINSIC), SendFact.EXCEEDS_BLOCK_GAS),
        ((BLOCK_GAS, DOWN), SendFact.EXCEEDS_BLOCK_GAS),
        ((BLOCK_GAS, BLOCK_GAS, DOWN), SendFact.EXCEEDS_BLOCK_GAS),
        ((BLOCK_GAS, DOWN, DOWN), SendFact.UNKNOWN),
        ((INTRINSIC, BLOCK_GAS, TAKEN), SendFact.ACCEPTED),
        ((INTRINSIC, FULL, KNOWN), SendFact.ALREADY_KNOWN),
        ((INTRINSIC, TOO_LOW, INTRINSIC), SendFact.NONCE_TOO_LOW),
    ],
)
async def test_send__when_one_endpoint_says_never__then_only_all_of_them_together_are_believed(
    answers: Any, fact: SendFact
) -> None:
    node, _ = node_over(*answers)
    assert (await node.send_raw(RAW)).fact is fact


async def test_send__when_one_endpoint_refuses_for_now__then_nobody_else_is_asked() -> None:
    node, endpoints = node_over(TOO_LOW, TAKEN, TAKEN)
    assert (await node.send_raw(RAW)).fact is SendFact.NONCE_TOO_LOW
    assert endpoints.requested == [0]
