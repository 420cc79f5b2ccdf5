"""A company's backend mints for a person who has never signed in, by e-mail address, on the whole stack."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from mintline.chain.calls import Call
from mintline.eth import address_word, selector
from mintline_client.sign_in import sign_in
from mintline_ops.users import cognito_client
from tests.e2e.conftest import User, demo_client, listed, metadata, new_client

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

BUDGET = 100
"""Mints an hour."""
PASSWORD = f"Aa1!{secrets.token_urlsafe(24)}"


@pytest_asyncio.fixture(loop_scope="session")
async def shop(harness: Harness) -> User:
    """The demo client."""
    return await demo_client(harness)


async def sign_in_as(harness: Harness, email: str) -> User:
    """Set a password for the user of an address, as after a company's invitation, and sign in."""
    pool: str = harness.info["cognito"]["user_pool_id"]
    async with cognito_client(harness.info) as cognito:
        await cognito.admin_set_user_password(
            UserPoolId=pool, Username=email, Password=PASSWORD, Permanent=True
        )
    tokens = await sign_in(harness.session, harness.info, username=email, password=PASSWORD)
    return User(harness.session, harness.info["api_url"], tokens.access_token)


async def test_client__when_it_mints_to_a_new_address__then_the_token_is_there_at_the_first_sign_in(
    harness: Harness, shop: User
) -> None:
    email = f"ada-{secrets.token_hex(4)}@example.com"
    accepted = await shop.mint(
        f"welcome {email}", recipient={"email": email}, external_id=email, tags=["welcome"]
    )
    mint = await shop.until(accepted["mint_id"], "finalized")

    wallet, sub = mint["recipient"]["address"], mint["recipient"]["user"]
    assert mint["custody"] == "sponsored"
    assert await harness.node.balance(wallet) == 0
    assert await harness.node.transaction_count(wallet) == 0
    (mint_listed,) = await listed(shop.client.mints.list(external_id=email))
    assert (mint_listed["mint_id"], mint_listed["tags"]) == (mint["mint_id"], ["welcome"])

    ada = await sign_in_as(harness, email)
    assert (await ada.client.wallets.get())["address"] == wallet
    token = await ada.client.tokens.get(mint["contract"], mint["token_id"])
    assert token["owner"] == wallet
    (mine,) = await listed(ada.client.mints.list())
    assert (mine["mint_id"], mine["external_id"]) == (mint["mint_id"], None)

    again = await shop.mint(f"more for {email}", recipient={"user": sub})
    assert again["to"] == wallet
    assert (await shop.client.users.get(email))["sub"] == sub


async def test_client__when_the_api_is_killed_while_it_makes_users__then_each_address_has_one(
    harness: Harness, shop: User
) -> None:
    emails = [f"burst-{secrets.token_hex(4)}@example.com" for _ in range(6)]

    async def mint(number: int, email: str) -> str:
        body = await shop.mint(f"{number} for {email}", recipient={"email": email})
        address: str = body["to"]
        return address

    minting = asyncio.gather(*(mint(number, email) for email in emails for number in range(3)))
    await asyncio.sleep(0.1)
    await harness.kill("api")
    addresses = await minting

    assert len(set(addresses)) == len(emails)
    assert all(len(set(addresses[3 * place : 3 * place + 3])) == 1 for place in range(len(emails)))
    pool: str = harness.info["cognito"]["user_pool_id"]
    async with cognito_client(harness.info) as cognito:
        for email in emails:
            listed = await cognito.list_users(UserPoolId=pool, Filter=f'email = "{email}"')
            assert len(listed["Users"]) == 1


async def test_client__when_it_cancels_before_the_mint_is_in_a_batch__then_it_ends_or_it_is_too_late(
    shop: User,
) -> None:
    accepted = await shop.mint(
        f"stop {secrets.token_hex(4)}", to="0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    )
    response = await shop.call("POST", f"/v1/mints/{accepted['mint_id']}/cancel")

    assert response.status in (200, 409), response
    ended = await shop.until(accepted["mint_id"])
    assert ended["status"] == ("rejected" if response.status == 200 else "finalized")


async def post_mint(client: User, to: str, number: int) -> tuple[int, str]:
    """Post a mint once, and return the status with the problem's code or the mint's id."""
    body = {"recipient": {"address": to}, "metadata": metadata(f"{to} {number}")}
    response = await client.call("POST", "/v1/mints", body, idempotency_key=f"{to}-{number}")
    return response.status, response.body.get("code") or response.body["mint_id"]


async def test_client__when_it_asks_for_more_than_its_budget__then_just_the_budget_is_on_chain(
    harness: Harness,
) -> None:
    contract = harness.info["contract"]
    limited = await new_client(harness, "limited", mints_per_hour=BUDGET, collections=[contract])
    to = "0x" + secrets.token_hex(20)

    answers = await asyncio.gather(*(post_mint(limited, to, number) for number in range(BUDGET + 1)))

    accepted = [mint_id for status, mint_id in answers if status == 202]
    assert [response for response in answers if response[0] != 202] == [(429, "client-budget-reached")]
    for mint_id in accepted:
        await limited.until(mint_id, "finalized")
    data = selector("balanceOf(address)") + address_word(to)
    balance = await harness.node.call(Call(sender=to, to=contract, data=data))
    assert int.from_bytes(balance, "big") == len(accepted) == BUDGET


async def test_client__when_its_budget_names_other_collections__then_it_mints_in_none_else(
    harness: Harness,
) -> None:
    elsewhere = await new_client(harness, "limited", collections=[harness.info["relayers"][0]])

    assert await post_mint(elsewhere, "0x" + secrets.token_hex(20), 0) == (403, "collection-not-allowed")
