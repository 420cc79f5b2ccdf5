"""Every wording in `send_errors.json` is a node's own: from its sources, or recorded from a running one.

Each entry is the JSON-RPC error that answers `eth_sendRawTransaction`, with its code where that is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mintline.chain.node import Node
from mintline.chain.rpc import RpcError
from mintline.chain.send_facts import WORDINGS, SendFact, classify

NODES = json.loads(Path(__file__).with_name("send_errors.json").read_text())
ERRORS = [
    pytest.param(error, id=f"{node}-{number}-{error['message'][:30]}")
    for node, recorded in NODES.items()
    for number, error in enumerate(recorded["errors"])
]
LAYERS = {"geth", "Nethermind", "Besu", "Erigon", "reth", "anvil"}


class Refusing:
    """A node that answers everything with one error."""

    def __init__(self, error: RpcError) -> None:
        self._error = error

    async def call(self, method: str, params: Sequence[Any], **_: Any) -> Any:
        assert method == "eth_sendRawTransaction"
        assert params == ["0x02"]
        raise self._error


@pytest.mark.parametrize("error", ERRORS)
async def test_send__when_a_node_answers_an_error__then_the_fact_behind_it(error: dict[str, Any]) -> None:
    answered = RpcError(error.get("code", -32000), error["message"], error.get("data"))
    response = await Node(Refusing(answered)).send_raw(b"\x02")
    assert (response.fact, response.message) == (SendFact(error["fact"]), error["message"])


async def test_send__when_the_words_are_in_the_data__then_they_are_read_there() -> None:
    answered = RpcError(-32000, "transaction rejected", "nonce too low")
    assert (await Node(Refusing(answered)).send_raw(b"\x02")).fact is SendFact.NONCE_TOO_LOW


def test_errors__when_counted__then_every_fact_and_every_node_is_there() -> None:
    facts = {error["fact"] for recorded in NODES.values() for error in recorded["errors"]}
    assert facts == {fact.value for fact in SendFact} - {"accepted"}
    assert set(NODES) >= LAYERS
    for node in LAYERS:
        known_facts = {error["fact"] for error in NODES[node]["errors"]}
        assert known_facts >= {
            "already_known",
            "nonce_too_low",
            "replacement_underpriced",
            "insufficient_funds",
        }


def test_wordings__when_one_is_taken_out__then_an_error_is_read_wrongly() -> None:
    """A wording that no recorded error needs is one that nobody has seen."""
    texts = [
        (error["message"].lower(), error["fact"])
        for recorded in NODES.values()
        for error in recorded["errors"]
    ]
    for left_out, _ in WORDINGS:
        table = [(re.compile(pattern), fact) for pattern, fact in WORDINGS if pattern != left_out]
        read = [
            next((fact for pattern, fact in table if pattern.search(text)), SendFact.UNKNOWN)
            for text, _ in texts
        ]
        assert read != [SendFact(fact) for _, fact in texts], left_out


def test_classify__when_nobody_says_it__then_unknown() -> None:
    assert classify("the moon is full of cheese") is SendFact.UNKNOWN
