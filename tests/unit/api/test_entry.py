"""Sponsored mints are accepted as mints are: once, authorized, and then on the line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from mintline.authorizations import key_of
from mintline.records.keys import scoped
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_api.app import GROUPS
from mintline_harness.entry import operations
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT

METADATA = {"name": "n", "image": "https://example.com/1.png"}
PATH = "/v1/sponsored-mints"
BODY = {"metadata": METADATA}


@pytest_asyncio.fixture
async def entry(harness: Harness) -> AsyncIterator[MemoryClient]:
    async with MemoryClient(harness.app((*GROUPS, operations))) as client:
        yield client


async def post(entry: MemoryClient, harness: Harness, path: str, body: Any, **headers: str) -> Any:
    answered = await entry.post_json(path, body, headers=harness.headers(**headers))
    assert answered.status == 202, answered
    return answered.json()


async def test_post__when_a_key_repeats_it__then_it_is_one_operation_authorized_once(
    harness: Harness, entry: MemoryClient
) -> None:
    first = await post(entry, harness, PATH, BODY, idempotency_key="k")
    again = await post(entry, harness, PATH, BODY, idempotency_key="k")
    assert first == again
    record = await harness.mints.operation(first["id"])
    assert record is not None
    assert (record.status, record.asked_by, record.contract) == (MintStatus.ACCEPTED, "alice", CONTRACT)
    assert key_of(record) in harness.mints.authorizations
    # The second request puts it on the line once more: the first message may be lost.
    assert [message.mint_id for _, message in harness.line.sent] == [first["id"]] * 2
    other = await entry.post_json(
        PATH, {**BODY, "contract": CONTRACT}, headers=harness.headers(idempotency_key="k")
    )
    assert (other.status, other.json()["code"]) == (422, "idempotency-key-reused")


async def test_sponsored_mint__when_accepted__then_no_key_of_its_users_sends_it(
    harness: Harness, entry: MemoryClient
) -> None:
    made = await post(entry, harness, PATH, BODY)
    mint = await harness.mints.operation(made["id"])
    wallet = harness.wallets.items[scoped(CHAIN_ID, "alice")]
    assert isinstance(mint, Mint)
    assert (mint.custody, mint.sender, mint.to) == ("sponsored", None, wallet.address)
    shown = await entry.request("GET", f"/v1/mints/{mint.mint_id}", headers=harness.headers())
    assert (shown.status, shown.json()["custody"]) == (200, "sponsored")
    # In a group of its own: a relayer's batch takes those of one recipient together.
    assert harness.line.sent[0][0] == mint.mint_id


async def test_read__when_it_is_another_users__then_it_is_as_unknown_as_none(
    harness: Harness, entry: MemoryClient
) -> None:
    made = await post(entry, harness, PATH, BODY)
    own = await entry.request("GET", f"/v1/operations/{made['id']}", headers=harness.headers())
    assert own.json() == made
    for path, headers in ((made["id"], harness.headers("bob")), ("mint_none", harness.headers())):
        answered = await entry.request("GET", f"/v1/operations/{path}", headers=headers)
        assert answered.status == 404
