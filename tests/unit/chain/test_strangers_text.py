"""What a contract or a node says is bounded where it enters, and moves nobody but its own call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from mintline.chain import collection
from mintline.chain.calls import CallReverted, refusal
from mintline.chain.rpc import Rpc, RpcError
from mintline.chain.transport import AnswerTooLarge, Request
from mintline.errors import Rejected, Unavailable
from mintline.eth import selector, word
from mintline.records.problems import Problem

HUGE = "0x" + "ff" * 300_000
MOST = 10_000
"""Characters that this test's transport reads of one answer."""


class Endpoint:
    """Answers by the first parameter: `huge` reverts with 600 kB, an object is the error, all else echoes."""

    def __init__(self) -> None:
        self.exchanges = 0

    async def exchange(self, _url: str, requests: Sequence[Request]) -> Any:
        await asyncio.sleep(0)
        self.exchanges += 1
        answers = [self._answer(request.params[0]) for request in requests]
        if len(str(answers)) > MOST:
            raise AnswerTooLarge("too long")
        return answers if len(requests) > 1 else answers[0]

    def _answer(self, scripted: Any) -> Any:
        if scripted == "huge":
            return {"error": {"code": 3, "message": "execution reverted", "data": HUGE}}
        return {"error": scripted} if isinstance(scripted, dict) else {"result": scripted}

    async def aclose(self) -> None:
        pass


def rpc_over(endpoint: Endpoint) -> Rpc:
    return Rpc(["http://a.example"], transport=endpoint, clock=lambda: 0.0)


@pytest.mark.parametrize(
    "error",
    [
        RpcError(3, "execution reverted", HUGE),
        RpcError(-32015, "VM execution error.", "Reverted " + HUGE),
        RpcError(-32603, "execution failed", {"data": HUGE, "more": "x" * 10**6}),
        RpcError(3, f"execution reverted: {HUGE}"),
        RpcError(3, "execution reverted: \x1b[2J\u202e" * 100_000),
    ],
    ids=["geth", "Nethermind", "an object", "in the message", "controls"],
)
def test_refusal__when_a_contract_says_much__then_all_that_is_kept_of_it_is_bounded(
    error: RpcError,
) -> None:
    assert len(str(error.data)) < 10_000
    refused = refusal(error)
    assert isinstance(refused, CallReverted)
    problem = Problem(code=refused.code, reason=refused.reason)
    for text in (error.message, str(error), str(refused), refused.reason, problem.reason):
        assert len(text) <= 1000
        assert text.isprintable()


def test_revert__when_its_message_was_cut__then_its_start_is_told() -> None:
    message = ("no " * 60_000).encode()
    data = selector("Error(string)") + word(32) + word(len(message)) + message
    kept = RpcError(3, "execution reverted", "0x" + data.hex()).data
    assert str(collection.decode_revert(bytes.fromhex(kept[2:]))).startswith("no no no ")


@pytest.mark.parametrize(
    "words", ["too many requests", "rate limit exceeded", "response too large", "header not found", "pruned"]
)
async def test_refusal__when_a_contract_speaks_as_a_node_in_trouble__then_it_is_the_contracts(
    words: str,
) -> None:
    endpoint = Endpoint()
    rpc = rpc_over(endpoint)
    response_error: Any = {"code": 3, "message": f"execution reverted: {words}", "data": "0x"}
    refused = asyncio.create_task(rpc.call("eth_call", [response_error]))
    assert await rpc.call("eth_call", ["fine"]) == "fine"
    with pytest.raises(RpcError, match=words) as error:
        await refused
    assert endpoint.exchanges == 1
    assert isinstance(refusal(error.value), CallReverted)


@pytest.mark.parametrize("neighbours", [1, 7, 99])
async def test_batch__when_one_answer_is_too_long__then_its_call_alone_fails(neighbours: int) -> None:
    endpoint = Endpoint()
    rpc = rpc_over(endpoint)
    calls = [rpc.call("eth_call", [hex(number)]) for number in range(neighbours)]
    calls.insert(neighbours // 2, rpc.call("eth_call", ["huge"]))
    answers: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
    failed = answers.pop(neighbours // 2)
    assert isinstance(failed, Unavailable)
    assert answers == [hex(number) for number in range(neighbours)]
    assert endpoint.exchanges < 4 + 2 * (neighbours + 1).bit_length()
    # The endpoint stays in service: the call was too large, not the endpoint at fault.
    assert await rpc.call("eth_call", ["later"]) == "later"


def test_problem__when_its_reason_is_long_or_stored_long__then_it_is_cut_and_not_refused() -> None:
    stored = {"code": "reverted", "reason": "x\n" * 200_000}
    assert len(Problem.model_validate(stored).reason) <= 1000
    assert Problem.model_validate(stored).reason.startswith("x\\u000ax")


@pytest.mark.parametrize("error", [Rejected("c" * 5000, "r" * 5000), Unavailable("x\r" * 5000)])
def test_error__when_it_quotes_much__then_its_text_is_bounded(error: Exception) -> None:
    assert len(str(error)) <= 1000
    assert str(error).isprintable()
