"""Cancelling: what the answer says is what the record says, and what the record says is what happened."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mintline.errors import Unavailable
from mintline.messages.work import ReviewMint
from mintline.records.operations import Mint
from mintline.records.problems import CANCELLED, Problem
from mintline.states import MintStatus
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness

METADATA = {"name": "Aurora #1", "image": "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3"}


async def minted(harness: Harness, client: MemoryClient, **changes: Any) -> Mint:
    """Post a mint, and have the line move it on."""
    response = await client.request(
        "POST",
        "/v1/mints",
        headers={**harness.headers(), "Content-Type": "application/json"},
        body=json.dumps({"metadata": METADATA}).encode(),
    )
    mint_id = response.json()["mint_id"]
    harness.mints.items[mint_id] = harness.mints.items[mint_id].model_copy(update=changes)
    return harness.mints.items[mint_id]


async def cancel(harness: Harness, client: MemoryClient, mint_id: str, *, sub: str | None = None) -> Any:
    headers = harness.headers() if sub is None else harness.headers(sub=sub)
    return await client.request("POST", f"/v1/mints/{mint_id}/cancel", headers=headers)


async def test_cancel__when_accepted__then_it_ends_at_once(harness: Harness, client: MemoryClient) -> None:
    mint = await minted(harness, client)
    response = await cancel(harness, client, mint.mint_id)
    assert response.status == 200
    view = response.json()
    assert (view["status"], view["problem"]["code"]) == ("rejected", "cancelled")
    assert view["timeline"]["cancel_requested_at"] is not None
    assert harness.mints.items[mint.mint_id].problem == CANCELLED
    assert harness.line.reviews == []


async def test_cancel__when_built__then_it_ends_and_its_nonce_is_looked_after(
    harness: Harness, client: MemoryClient
) -> None:
    mint = await minted(harness, client, status=MintStatus.BUILT, nonce=7)
    response = await cancel(harness, client, mint.mint_id)
    assert (response.status, response.json()["status"]) == (200, "rejected")
    [review] = harness.line.reviews
    assert isinstance(review, ReviewMint)
    assert review.mint_id == mint.mint_id


async def test_cancel__when_submitted__then_it_is_asked_for_and_the_view_shows_that(
    harness: Harness, client: MemoryClient
) -> None:
    mint = await minted(harness, client, status=MintStatus.SUBMITTED, nonce=7)
    response = await cancel(harness, client, mint.mint_id)
    assert response.status == 202
    view = response.json()
    assert (view["status"], view["problem"]) == ("submitted", None)
    assert view["timeline"]["cancel_requested_at"] is not None
    assert [review.mint_id for review in harness.line.reviews] == [mint.mint_id]


async def test_cancel__when_it_is_on_record_and_its_message_fails__then_is_answered_as_ever(
    harness: Harness, client: MemoryClient
) -> None:
    mint = await minted(harness, client, status=MintStatus.SUBMITTED, nonce=3)
    harness.line.failure = Unavailable("the queue is missing")

    response = await cancel(harness, client, mint.mint_id)

    assert (response.status, harness.line.reviews) == (202, [])
    assert harness.mints.items[mint.mint_id].cancel_requested_at is not None


@pytest.mark.parametrize("status", [MintStatus.ACCEPTED, MintStatus.BUILT, MintStatus.SUBMITTED])
async def test_cancel__when_repeated__then_the_first_request_stands(
    harness: Harness, client: MemoryClient, status: MintStatus
) -> None:
    mint = await minted(harness, client, status=status, nonce=7)
    first = await cancel(harness, client, mint.mint_id)
    harness.now += 10
    second = await cancel(harness, client, mint.mint_id)
    assert (first.status, first.json()) == (second.status, second.json())
    # The message may have been lost with the process that was to send it.
    assert len(harness.line.reviews) == 2


async def test_cancel__when_rejected_for_another_reason__then_that_is_the_answer(
    harness: Harness, client: MemoryClient
) -> None:
    problem = Problem(code="gas_over_limit", reason="Too much gas.")
    mint = await minted(harness, client, status=MintStatus.REJECTED, problem=problem, nonce=7)
    response = await cancel(harness, client, mint.mint_id)
    assert (response.status, response.json()["problem"]["code"]) == (200, "gas_over_limit")
    assert harness.line.reviews == []


@pytest.mark.parametrize(
    "changes",
    [
        {"status": MintStatus.MINED},
        {"status": MintStatus.FINALIZED},
        {"status": MintStatus.REVERTED},
        {"status": MintStatus.MINED, "cancel_requested_at": 1},
        {"status": MintStatus.ISSUED, "custody": "self", "sender": None},
        {"status": MintStatus.SUBMITTED, "custody": "self", "sender": None},
    ],
    ids=["mined", "finalized", "reverted", "mined-all-the-same", "issued", "sent-by-its-user"],
)
async def test_cancel__when_too_late__then_409_and_nothing_changes(
    harness: Harness, client: MemoryClient, changes: dict[str, Any]
) -> None:
    mint = await minted(harness, client, **changes)
    response = await cancel(harness, client, mint.mint_id)
    assert (response.status, response.json()["code"]) == (409, "not-cancellable")
    assert response.headers["content-type"] == "application/problem+json"
    assert harness.mints.items[mint.mint_id] == mint
    assert harness.line.reviews == []


@pytest.mark.parametrize(
    ("moved", "status"),
    [(MintStatus.BUILT, 200), (MintStatus.SUBMITTED, 202), (MintStatus.MINED, 409)],
)
async def test_cancel__when_the_mint_moves_on_meanwhile__then_the_answer_is_about_where_it_is(
    harness: Harness, client: MemoryClient, moved: MintStatus, status: int
) -> None:
    mint = await minted(harness, client)
    cancelling = harness.mints.cancel

    async def too_slow(seen: Mint, problem: Problem, *, at: int) -> Mint:
        if seen.status is MintStatus.ACCEPTED:
            harness.mints.items[mint.mint_id] = mint.model_copy(update={"status": moved, "nonce": 7})
        return await cancelling(seen, problem, at=at)

    harness.mints.cancel = too_slow  # type: ignore[method-assign, assignment] # the race under test
    assert (await cancel(harness, client, mint.mint_id)).status == status


async def test_cancel__when_two_race__then_both_hear_the_same(harness: Harness, client: MemoryClient) -> None:
    mint = await minted(harness, client, status=MintStatus.SUBMITTED, nonce=7)
    answers = await asyncio.gather(*(cancel(harness, client, mint.mint_id) for _ in range(2)))
    assert answers[0].json() == answers[1].json()


async def test_cancel__when_it_is_anothers__then_there_is_no_such_mint(
    harness: Harness, client: MemoryClient
) -> None:
    mint = await minted(harness, client)
    response = await cancel(harness, client, mint.mint_id, sub="mallory")
    assert (response.status, response.json()["code"]) == (404, "unknown-mint")
    assert harness.mints.items[mint.mint_id] == mint


async def test_cancel__when_it_shares_a_transaction__then_it_is_refused_and_nothing_changes(
    harness: Harness, client: MemoryClient
) -> None:
    mint = await minted(harness, client, custody="sponsored", status=MintStatus.BUILT, nonce=7)
    response = await cancel(harness, client, mint.mint_id)
    assert (response.status, response.json()["code"]) == (409, "not-cancellable")
    assert harness.mints.items[mint.mint_id] == mint
    assert harness.line.reviews == []
