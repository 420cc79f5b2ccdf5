"""The indexer over several nodes, one of which lags, hides events or lies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import Unavailable
from mintline.states import MintStatus
from mintline_indexer.indexer import Indexer
from mintline_testkit.indexer.polling import catch_up

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

pytestmark = pytest.mark.integration

Start = Callable[[str], Awaitable[Any]]


@pytest.fixture
async def through(harness: Harness) -> AsyncIterator[Callable[..., Indexer]]:
    """Give indexers that see the chain through the nodes given."""
    async with AsyncExitStack() as stack:

        def start(*nodes: Any) -> Indexer:
            rpc = Rpc([node.url for node in nodes], timeout=2.0)
            stack.push_async_callback(rpc.aclose)
            indexer: Indexer = harness.indexer(rpc=rpc, node=Node(rpc, endpoints=rpc))
            return indexer

        yield start


async def minted(harness: Harness, mint_id: str, token_id: int) -> None:
    """Mint a token as a mint of ours, and make the block final."""
    await harness.submitted(await harness.mint([token_id], harness.accounts[1]), mint_id)
    await harness.mine(4)


def hiding(*methods: str) -> Callable[[dict[str, Any], Any], Any]:
    return lambda call, result: [] if call["method"] in methods else result


async def test_follow__when_one_node_hides_events__then_another_shows_them(
    harness: Harness, anvil_automine: str, sick_node: Start, through: Callable[..., Indexer]
) -> None:
    await harness.register()
    hider, well = await sick_node(anvil_automine), await sick_node(anvil_automine)
    hider.tamper = hiding("eth_getLogs", "eth_getBlockReceipts")
    indexer = through(hider, well)
    await minted(harness, "mint_a", 1)
    await catch_up(indexer)
    assert (await harness.mint_record("mint_a")).status is MintStatus.FINALIZED


async def test_follow__when_the_only_node_hides_events__then_nothing_is_indexed_without_them(
    harness: Harness, anvil_automine: str, sick_node: Start, through: Callable[..., Indexer]
) -> None:
    await harness.register()
    hider = await sick_node(anvil_automine)
    indexer = through(hider)
    await catch_up(indexer)
    hider.tamper = hiding("eth_getLogs", "eth_getBlockReceipts")
    await minted(harness, "mint_a", 1)
    with pytest.raises(Unavailable, match="not its receipts"):
        await catch_up(indexer)
    assert (await harness.mint_record("mint_a")).status is MintStatus.SUBMITTED
    hider.tamper = hiding("eth_getLogs")
    await catch_up(indexer)
    assert (await harness.mint_record("mint_a")).status is MintStatus.FINALIZED


def elsewhere(call: dict[str, Any], result: Any) -> Any:
    """Tell of another branch: every block by number has another hash."""
    by_number = call["method"] == "eth_getBlockByNumber" and call["params"][0].startswith("0x")
    return {**result, "hash": "0x" + "9" * 64} if by_number and result else result


async def test_finality__when_two_nodes_disagree__then_nothing_becomes_final_until_they_agree(
    harness: Harness, anvil_automine: str, sick_node: Start, through: Callable[..., Indexer]
) -> None:
    await harness.register()
    well, other = await sick_node(anvil_automine), await sick_node(anvil_automine)
    indexer = through(well, other)
    await catch_up(indexer)
    before = (await harness.progress()).finalized
    other.tamper = elsewhere
    await minted(harness, "mint_a", 1)
    with capture_logs() as logs:
        await catch_up(indexer)
    assert "endpoints_disagree" in [entry["event"] for entry in logs]
    assert (await harness.progress()).finalized == before
    assert (await harness.mint_record("mint_a")).status is MintStatus.MINED
    other.tamper = lambda _, result: result
    await harness.mine()
    await catch_up(indexer)
    assert (await harness.mint_record("mint_a")).status is MintStatus.FINALIZED


async def test_finality__when_one_of_three_leaves_the_chain__then_it_is_outvoted_and_the_index_goes_on(
    harness: Harness, anvil_automine: str, sick_node: Start, through: Callable[..., Indexer]
) -> None:
    await harness.register()
    liar, *well = [await sick_node(anvil_automine) for _ in range(3)]
    indexer = through(liar, *well)
    await minted(harness, "mint_a", 1)
    await catch_up(indexer)

    def lost(call: dict[str, Any], result: Any) -> Any:
        if call["method"] != "eth_getBlockByNumber" or call["params"][0] == "finalized" or not result:
            return result
        stray = {**result, "hash": "0x" + "9" * 64, "parentHash": "0x" + "a" * 64}
        return stray | ({"number": hex(final + 1)} if call["params"][0] == "latest" else {})

    final = (await harness.progress()).finalized.number
    liar.tamper = lost
    with capture_logs() as logs, pytest.raises(Unavailable, match="one endpoint left the chain"):
        await indexer.poll()
    assert "rpc_endpoint_contradicted" in [entry["event"] for entry in logs]
    await minted(harness, "mint_b", 2)
    await catch_up(indexer)
    assert not indexer.halted
    assert (await harness.mint_record("mint_b")).status is MintStatus.FINALIZED
