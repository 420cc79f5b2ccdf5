"""What hangs is treated as what fails, and a response tells of every record that was committed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mintline.errors import Unavailable
from mintline.states import MintStatus
from mintline_api.http.deadlines import Deadline
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness

METADATA: dict[str, Any] = {"name": "n", "image": "https://example.com/1.png"}


@pytest.fixture(autouse=True)
def impatient(harness: Harness) -> None:
    harness.request_seconds = 0.7


async def hang(*_: object, **__: object) -> Any:
    await asyncio.Event().wait()


async def test_request__when_a_dependency_hangs__then_503_with_retry_after(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness.mints, "ids_of", hang)
    async with MemoryClient(harness.app()) as client:
        response = await client.request("GET", "/v1/mints", headers=harness.headers())
        monkeypatch.undo()
        after = await client.request("GET", "/v1/mints", headers=harness.headers())
    assert (response.status, response.headers["retry-after"], response.json()["code"]) == (
        503,
        "5",
        "deadline-passed",
    )
    assert response.headers["content-type"] == "application/problem+json"
    assert after.status == 200


async def test_post__when_its_record_hangs__then_503_and_the_same_key_may_be_repeated(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = harness.headers(idempotency_key="k")
    async with MemoryClient(harness.app()) as client:
        with monkeypatch.context() as hanging:
            hanging.setattr(harness.mints, "create", hang)
            late = await client.post_json("/v1/mints", {"metadata": METADATA}, headers=headers)
        again = await client.post_json("/v1/mints", {"metadata": METADATA}, headers=headers)
    assert (late.status, late.json()["code"], again.status) == (503, "deadline-passed", 202)
    assert len(harness.mints.items) == 1


async def test_post__when_all_that_follows_its_record_hangs__then_202_within_the_deadline(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness.line, "build", hang)
    monkeypatch.setattr(harness.mints, "get", hang)
    harness.request_seconds = 2.0
    async with MemoryClient(harness.app()) as client:
        response = await client.post_json(
            "/v1/mints", {"metadata": METADATA}, headers=harness.headers(prefer="wait=10")
        )
    assert (response.status, response.json()["status"]) == (202, "accepted")


async def test_post__when_the_mint_cannot_be_read_again_while_waiting__then_202(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: str) -> None:
        raise Unavailable("DynamoDB is away")

    harness.request_seconds = 20.0
    monkeypatch.setattr(harness.mints, "get", refuse)
    async with MemoryClient(harness.app()) as client:
        response = await client.post_json(
            "/v1/mints", {"metadata": METADATA}, headers=harness.headers(prefer="wait=10")
        )
    assert (response.status, response.headers["preference-applied"]) == (202, "wait")


async def test_cancel__when_its_message_hangs__then_it_is_answered_all_the_same(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with MemoryClient(harness.app()) as client:
        posted = await client.post_json("/v1/mints", {"metadata": METADATA}, headers=harness.headers())
        mint_id = posted.json()["mint_id"]
        harness.mints.items[mint_id] = harness.mints.items[mint_id].evolve(
            status=MintStatus.SUBMITTED, nonce=1
        )
        monkeypatch.setattr(harness.line, "review", hang)
        response = await client.request("POST", f"/v1/mints/{mint_id}/cancel", headers=harness.headers())
    assert response.status == 202


async def test_deadline__when_the_body_arrives__then_it_counts_from_there() -> None:
    deadline = Deadline(10)
    async with deadline.limit:
        assert 9 < deadline.left() <= 9.5
        deadline.suspend()
        assert (deadline.limit.when(), deadline.left()) == (None, 10)
        deadline.restart()
        assert 9 < deadline.left() <= 9.5


async def test_deadline__when_it_is_near__then_nothing_is_left() -> None:
    deadline = Deadline(0.1)
    async with deadline.limit:
        assert deadline.left() == 0
