"""Final blocks by several endpoints: to one on a branch that loses, nothing is, so it has no say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.chain.transport import Request

NUMBER = 7
CANONICAL, LOSING = b"\x11" * 32, b"\x22" * 32


def shown(number: int, block_hash: bytes) -> dict[str, str]:
    return {
        "number": hex(number),
        "hash": "0x" + block_hash.hex(),
        "parentHash": "0x" + "33" * 32,
        "timestamp": "0x1",
        "logsBloom": "0x" + "00" * 256,
    }


class Branches:
    """Endpoints by place, each with its final height and the hash of its block 7, None if it lacks it."""

    def __init__(self, *nodes: tuple[int, bytes | None]) -> None:
        self.nodes = nodes

    async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
        await asyncio.sleep(0)
        final, block_hash = self.nodes[int(url[-1])]
        [request] = requests
        if request.params[0] == "finalized":
            return {"result": shown(final, b"\x44" * 32)}
        return {"result": None if block_hash is None else shown(NUMBER, block_hash)}

    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize(
    ("nodes", "agreed"),
    [
        ([(9, None), (3, LOSING)], None),
        ([(9, CANONICAL), (3, LOSING)], CANONICAL),
        ([(7, CANONICAL), (6, CANONICAL)], CANONICAL),
        ([(9, CANONICAL), (9, None), (3, CANONICAL)], None),
        ([(9, CANONICAL), (9, CANONICAL), (9, LOSING)], CANONICAL),
    ],
)
async def test_final_block__when_an_endpoint_calls_it_not_final__then_has_no_say(
    nodes: list[tuple[int, bytes | None]], agreed: bytes | None
) -> None:
    rpc = Rpc([f"http://{place}" for place in range(len(nodes))], transport=Branches(*nodes))
    assert await Node(rpc, endpoints=rpc).majority_hash(NUMBER, final=True) == agreed
