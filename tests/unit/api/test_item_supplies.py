"""Where an item stands on chain: asked of a node once for all who read it within moments."""

from __future__ import annotations

import asyncio

import pytest

from mintline.chain.calls import Call
from mintline.eth import selector, word
from mintline.records.index import Token
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID
from tests.unit.api.test_api_collections import deployed

MINTED = selector("minted(uint256)")


class Counting:
    """A node that has minted one token more each time it is asked, of at most 100."""

    def __init__(self) -> None:
        self.minted = 0

    async def call(self, call: Call) -> bytes:
        if call.data.startswith(MINTED):
            self.minted += 1
            await asyncio.sleep(0)
            return word(self.minted)
        return word(100)


@pytest.fixture
async def contract(harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch) -> str:
    harness.clients.add("shop")
    contract = await deployed(harness, client, standard="erc1155")
    harness.index.tokens[contract, 7] = Token(
        chain_id=CHAIN_ID,
        contract=contract,
        token_id=7,
        owner=None,
        metadata_digest=None,
        mint_id=None,
        minted_block=1,
        block_number=1,
        tx_hash=bytes(32),
        standard="erc1155",
    )
    harness.index.balances[contract, 7, None] = 5
    monkeypatch.setattr(harness.chain, "call", Counting().call)
    return contract


async def minted(harness: Harness, client: MemoryClient, contract: str) -> str:
    response = await client.request("GET", f"/v1/tokens/{contract}/7", headers=harness.headers())
    assert response.json()["item_cap"] == "100", response.body
    number: str = response.json()["minted"]
    return number


async def test_item__when_it_is_read_often__then_a_node_is_asked_once_for_a_while(
    harness: Harness, client: MemoryClient, contract: str
) -> None:
    at_once = await asyncio.gather(*(minted(harness, client, contract) for _ in range(5)))
    soon = await minted(harness, client, contract)
    harness.now += 3
    later = await minted(harness, client, contract)

    assert ([*at_once, soon], later) == (["1"] * 6, "2")


async def test_item__when_another_block_is_indexed__then_a_node_is_asked_again(
    harness: Harness, client: MemoryClient, contract: str
) -> None:
    before = await minted(harness, client, contract)
    assert harness.index.head is not None
    harness.index.head = harness.index.head.evolve(head_number=harness.index.head.head_number + 1)

    assert (before, await minted(harness, client, contract)) == ("1", "2")
