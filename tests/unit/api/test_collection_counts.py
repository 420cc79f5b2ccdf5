"""How many tokens a collection has minted: asked of a node once for all who read it within moments."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from mintline.chain.calls import Call
from mintline.eth import word
from mintline_api.features.collections import minting
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from tests.unit.api.test_api_collections import MINT, deployed, post


class Node:
    """A node that hangs until it is told how many tokens were minted."""

    def __init__(self) -> None:
        self.minted: int | None = None
        self.requested = 0

    async def call(self, _: Call) -> bytes:
        self.requested += 1
        await asyncio.sleep(0)
        if self.minted is None:
            await asyncio.Event().wait()
        return word(self.minted or 0)


@pytest.fixture
def node(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Node:
    node = Node()
    monkeypatch.setattr(harness.chain, "call", node.call)
    monkeypatch.setattr(minting, "_CHAIN_SECONDS", 0.01)
    return node


@pytest.fixture
async def contract(harness: Harness, client: MemoryClient) -> str:
    harness.clients.add("shop")
    return await deployed(harness, client, supply_cap=2)


async def minted(
    harness: Harness, client: MemoryClient, contract: str, *, readers: int = 1
) -> set[str | None]:
    path = f"/v1/collections/{contract}"
    reads = (client.request("GET", path, headers=harness.headers()) for _ in range(readers))
    return {response.json()["minted"] for response in await asyncio.gather(*reads)}


async def test_collection__when_many_read_it_at_once__then_they_share_one_call(
    harness: Harness, client: MemoryClient, contract: str, node: Node
) -> None:
    node.minted, before = 1, node.requested

    assert await minted(harness, client, contract, readers=5) == {"1"}
    assert node.requested == before + 1


async def test_collection__when_the_node_hangs__then_only_the_first_readers_wait_for_it_for_a_while(
    harness: Harness, client: MemoryClient, contract: str, node: Node
) -> None:
    before = node.requested

    with capture_logs() as logs:
        assert await minted(harness, client, contract, readers=3) == {None}
        assert await minted(harness, client, contract) == {None}
    assert node.requested == before + 1
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["supply_unread"]

    node.minted = 2
    harness.now += 3
    assert await minted(harness, client, contract) == {"2"}


async def test_mint__when_a_reader_has_just_had_no_count__then_the_cap_is_checked_all_the_same(
    harness: Harness, client: MemoryClient, contract: str, node: Node
) -> None:
    mint = {**MINT, "contract": contract}
    assert await minted(harness, client, contract) == {None}
    with capture_logs() as logs:
        assert (await post(harness, client, "/v1/mints", mint)).status == 202
    assert "supply_unchecked" in {line["event"] for line in logs}
    node.minted = 2
    assert (await post(harness, client, "/v1/mints", mint)).status == 409
