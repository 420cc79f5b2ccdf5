"""A token whose user was signed out, disabled or deleted: how soon it stops, and what a silent pool means."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mintline.acceptance import Statement, Statements
from mintline.errors import Unavailable
from mintline.revocation import KEPT, REVOCATION, revocation_fields
from mintline_api.auth.user_pool import RECHECK_AFTER, RETRY_AFTER, SERVED_FOR
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness


async def get_wallet(client: MemoryClient, token: str) -> Any:
    return await client.request("GET", "/v1/wallet", headers={"Authorization": f"Bearer {token}"})


async def test_token__when_its_user_is_signed_out__stops_within_a_minute(
    harness: Harness, client: MemoryClient
) -> None:
    token, other = harness.token("alice"), harness.token("bob")
    assert (await get_wallet(client, token)).status == 200
    harness.user_pool.signed_out.add("alice")
    harness.now += 59
    response = await get_wallet(client, token)

    assert (response.status, response.json()["code"]) == (401, "token-revoked")
    assert response.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    assert (await get_wallet(client, other)).status == 200


async def test_token__when_it_was_issued_a_while_ago__is_asked_about_at_its_first_use(
    harness: Harness, client: MemoryClient
) -> None:
    token = harness.token("alice")
    harness.user_pool.signed_out.add("alice")
    harness.now += RECHECK_AFTER

    assert (await get_wallet(client, token)).json()["code"] == "token-revoked"


async def test_pool__when_a_token_is_used_often__is_asked_once_in_a_while_and_by_one_request(
    harness: Harness, client: MemoryClient
) -> None:
    token = harness.token("alice")
    for _ in range(3):
        await asyncio.gather(*(get_wallet(client, token) for _ in range(10)))
    assert harness.user_pool.requested == [], "it is good news that it was just issued"
    for rounds in range(1, 4):
        harness.now += RECHECK_AFTER
        answers = await asyncio.gather(*(get_wallet(client, token) for _ in range(10)))
        assert {response.status for response in answers} == {200}
        assert harness.user_pool.requested == ["alice"] * rounds


async def test_pool__when_a_revoked_token_is_tried_again_and_again__is_not_asked_each_time(
    harness: Harness, client: MemoryClient
) -> None:
    token = harness.token("alice")
    harness.user_pool.signed_out.add("alice")
    harness.now += RECHECK_AFTER
    for _ in range(5):
        assert (await get_wallet(client, token)).status == 401

    assert harness.user_pool.requested == ["alice"]


async def test_request__when_the_pool_is_silent__is_served_for_five_minutes_and_then_told_to_come_again(
    harness: Harness, client: MemoryClient
) -> None:
    token = harness.token("alice")
    harness.user_pool.failure = Unavailable("away")
    harness.now += SERVED_FOR - 1
    assert (await get_wallet(client, token)).status == 200
    harness.now += 1
    response = await get_wallet(client, token)
    assert (response.status, response.json()["code"]) == (503, "unavailable")
    assert int(response.headers["retry-after"]) >= 1

    harness.user_pool.failure = None
    harness.now += RETRY_AFTER
    assert (await get_wallet(client, token)).status == 200


async def test_pool__when_it_is_silent__is_tried_every_few_seconds_for_all_tokens_together(
    harness: Harness, client: MemoryClient
) -> None:
    tokens = [harness.token(f"user-{number}") for number in range(5)]
    harness.user_pool.failure = Unavailable("away")
    harness.now += RECHECK_AFTER
    for _ in range(3):
        for token in tokens:
            assert (await get_wallet(client, token)).status == 200

    assert len(harness.user_pool.requested) == 1


async def test_token__when_the_pool_is_silent_after_it_refused_it__stays_refused(
    harness: Harness, client: MemoryClient
) -> None:
    token = harness.token("alice")
    harness.user_pool.signed_out.add("alice")
    harness.now += RECHECK_AFTER
    assert (await get_wallet(client, token)).status == 401
    harness.user_pool.failure = Unavailable("away")
    harness.now += RECHECK_AFTER

    assert (await get_wallet(client, token)).status == 401


@pytest.mark.parametrize("scope", ["mintline/wallets:manage", "openid"])
async def test_token__when_the_pool_could_not_be_asked_with_it__is_refused(
    harness: Harness, client: MemoryClient, scope: str
) -> None:
    token = harness.pool.sign({**harness.pool.claims("alice"), "scope": scope})
    response = await get_wallet(client, token)

    assert (response.status, response.json()["code"]) == (403, "insufficient-scope")


async def revoked(harness: Harness, client: MemoryClient, token: str) -> None:
    """See the token refused."""
    harness.user_pool.signed_out.add("alice")
    harness.now += RECHECK_AFTER
    assert (await get_wallet(client, token)).json()["code"] == "token-revoked"


async def test_token__when_a_later_one_of_its_user_was_revoked__is_refused_and_a_fresh_one_is_not(
    harness: Harness, client: MemoryClient
) -> None:
    """The pool still accepts it, as of another device; the enclave would end what it asks for."""
    older = harness.token("alice")
    harness.now += 1
    await revoked(harness, client, harness.token("alice"))
    harness.user_pool.signed_out.clear()

    refused = await get_wallet(client, older)
    fresh = await get_wallet(client, harness.token("alice"))

    assert (refused.status, refused.json()["code"]) == (401, "token-revoked")
    assert "refresh" in refused.json()["detail"]
    assert fresh.status == 200


async def test_token__when_the_revocations_cannot_be_read__is_served(
    harness: Harness, client: MemoryClient
) -> None:
    token = harness.token("alice")
    harness.now += RECHECK_AFTER
    harness.revocations.failure = Unavailable("away")

    assert (await get_wallet(client, token)).status == 200


async def test_revocation__when_a_token_is_refused__is_on_record_signed(
    harness: Harness, client: MemoryClient
) -> None:
    issued, token = int(harness.now), harness.token("alice")
    await revoked(harness, client, token)
    now_ms = int(harness.now * 1000)
    harness.now += RECHECK_AFTER
    assert (await get_wallet(client, token)).status == 401

    ((before, statement, expires),) = harness.revocations.recorded.values()
    assert before == issued + 1
    assert expires > harness.now + KEPT
    assert harness.revocations.requests == 1, "once for a token"
    revocation = Statement.from_bytes(statement)
    assert revocation.at == now_ms
    spki = harness.intake_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    Statements([spki]).verify(revocation, REVOCATION, *revocation_fields("alice", before), now=now_ms)


@pytest.mark.parametrize("away", ["table", "kms"])
async def test_revocation__when_it_cannot_be_recorded__answers_the_same_and_tries_again(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    def uncertified(*_: object, **__: object) -> None:
        raise Unavailable("no certificate")

    token = harness.token("alice")
    with monkeypatch.context() as patch:
        if away == "table":
            harness.revocations.failure = Unavailable("away")
        else:
            patch.setattr(harness.intake, "state", uncertified)
        await revoked(harness, client, token)
        assert not harness.revocations.recorded

    harness.revocations.failure = None
    assert (await get_wallet(client, token)).status == 401
    assert set(harness.revocations.recorded) == {"alice"}


async def test_revocation__when_the_table_does_not_answer__keeps_nobody_waiting_for_long(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("mintline_api.auth.revocations._WITHIN", 0.05)
    monkeypatch.setattr(harness.revocations, "record", never)
    async with asyncio.timeout(5):
        await revoked(harness, client, harness.token("alice"))
