"""Sponsored mints of a user's, from the API to the chain, on the whole stack."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

BURST = 30


async def sponsored(user: User, *names: str) -> Any:
    """Have a relayer pay for mints to the user's wallet, all asked for at once."""
    return await asyncio.gather(*(user.mint(name, custody="sponsored") for name in names))


async def owner(user: User, mint: Any) -> Any:
    return (await user.client.tokens.get(mint["contract"], mint["token_id"]))["owner"]


async def test_sponsored_mints__when_posted_at_once__share_transactions_of_the_relayers(
    harness: Harness, user: User
) -> None:
    wallet = (await user.client.wallets.get())["address"]
    posted = await sponsored(user, *(f"sponsored {number}" for number in range(BURST)))
    ended = [await user.until(mint["mint_id"], "finalized") for mint in posted]
    senders = {
        (await harness.rpc.call("eth_getTransactionByHash", [mint["tx_hash"]]))["from"] for mint in ended
    }
    assert senders <= {relayer.lower() for relayer in harness.info["relayers"]}
    carried = Counter(mint["tx_hash"] for mint in ended)
    assert len(carried) <= BURST // 3, carried
    assert {await owner(user, mint) for mint in ended} == {wallet}
    # Its wallet never needed any ether.
    assert await harness.node.balance(wallet) == 0
    assert await harness.node.transaction_count(wallet) == 0


@pytest.mark.parametrize("part", ["builder", "broadcaster", "signer-host", "indexer", "enclave"])
async def test_sponsored_mints__when_a_part_is_killed_under_them__then_each_is_minted_once(
    harness: Harness, user: User, part: str
) -> None:
    posted = await sponsored(user, *(f"{part} {number}" for number in range(BURST)))
    await harness.kill(part)
    ended = [await user.until(mint["mint_id"], "finalized", within=150) for mint in posted]
    assert len({mint["token_id"] for mint in ended}) == BURST
    assert {await owner(user, mint) for mint in ended} != {None}
