"""Sponsored mints, from the internal entry point to the chain, on the whole stack."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from mintline_harness.entries import start_entry

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

BURST = 30


class Entry:
    """One user at the entry point."""

    def __init__(self, user: User) -> None:
        self.user = user

    async def post(self, path: str, **body: Any) -> Any:
        answer = await self.user.call("POST", path, body)
        assert answer.status == 202, answer
        return answer.body

    async def until(self, operation: Any, *statuses: str, within: float = 90.0) -> Any:
        """Poll an operation until it is in one of `statuses`; fail at any other end."""
        deadline = asyncio.get_running_loop().time() + within
        found: Any = None
        while asyncio.get_running_loop().time() < deadline:
            answer = await self.user.call("GET", f"/v1/operations/{operation['id']}")
            found = answer.body
            if answer.status == 200 and found["status"] in (*statuses, "finalized", "rejected", "reverted"):
                assert found["status"] in statuses, found
                return found
            await asyncio.sleep(0.2)
        raise AssertionError(f"{operation['id']} did not become {statuses} in {within} s: {found}")

    async def sponsored(self, name: str, **fields: Any) -> Any:
        image = "https://example.com/1.png"
        return await self.post("/v1/sponsored-mints", metadata={"name": name, "image": image}, **fields)

    async def owner(self, token_id: str) -> str | None:
        answer = await self.user.call("GET", f"/v1/tokens/{self.contract}/{token_id}")
        assert answer.status == 200, answer
        owner: str | None = answer.body["owner"]
        return owner

    contract = ""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def entry_url(harness: Harness) -> str:
    if harness.stack is None:
        pytest.skip("the entry point runs beside a line of processes")
    return await start_entry(harness.stack, harness.session)


@pytest_asyncio.fixture(loop_scope="session")
async def entry(harness: Harness, user: User, entry_url: str) -> Entry:
    entry = Entry(replace(user, api=entry_url))
    entry.contract = harness.info["contract"]
    return entry


async def test_sponsored_mints__when_posted_at_once__share_transactions_of_the_relayers(
    harness: Harness, entry: Entry
) -> None:
    wallet = (await entry.user.get("/v1/wallet"))["address"]
    posted = await asyncio.gather(*(entry.sponsored(f"sponsored {number}") for number in range(BURST)))
    ended = [await entry.until(one, "finalized") for one in posted]
    assert {one["sender"] for one in ended} <= set(harness.info["relayers"])
    carried = Counter(one["tx_hash"] for one in ended)
    assert len(carried) <= BURST // 3, carried
    assert {await entry.owner(one["token_id"]) for one in ended} == {wallet}
    # Its wallet never needed any ether.
    assert await harness.node.balance(wallet) == 0
    assert await harness.node.transaction_count(wallet) == 0


@pytest.mark.parametrize("part", ["builder", "broadcaster", "signer-host", "indexer", "enclave"])
async def test_sponsored_mints__when_a_part_is_killed_under_them__then_each_is_minted_once(
    harness: Harness, entry: Entry, part: str
) -> None:
    posted = await asyncio.gather(*(entry.sponsored(f"{part} {number}") for number in range(BURST)))
    await harness.kill(part)
    ended = [await entry.until(one, "finalized", within=150) for one in posted]
    assert len({one["token_id"] for one in ended}) == BURST
    assert {await entry.owner(one["token_id"]) for one in ended} != {None}
