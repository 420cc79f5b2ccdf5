"""A company's backend mints for a person who has never signed in, by e-mail address, on the whole line."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from mintline_client.sign_in import client_token, sign_in
from mintline_ops.users import cognito_client
from tests.e2e.conftest import User

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

PASSWORD = f"Aa1!{secrets.token_urlsafe(24)}"


@pytest_asyncio.fixture(loop_scope="session")
async def shop(harness: Harness) -> User:
    """The demo client."""
    demo = harness.info["demo_client"]
    tokens = await client_token(
        harness.session, harness.info, client_id=demo["client_id"], secret=demo["client_secret"]
    )
    return User(harness.session, harness.info["api_url"], tokens.access_token)


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
    made = await shop.mint(
        f"welcome {email}", recipient={"email": email}, external_id=email, tags=["welcome"]
    )
    mint = await shop.until(made["mint_id"], "finalized")

    wallet, sub = mint["recipient"]["address"], mint["recipient"]["user"]
    assert mint["custody"] == "sponsored"
    assert await harness.node.balance(wallet) == 0
    assert await harness.node.transaction_count(wallet) == 0
    (found,) = (await shop.get(f"/v1/mints?external_id={email}"))["items"]
    assert (found["mint_id"], found["tags"]) == (mint["mint_id"], ["welcome"])

    ada = await sign_in_as(harness, email)
    assert (await ada.get("/v1/wallet"))["address"] == wallet
    token = await ada.get(f"/v1/tokens/{mint['contract']}/{mint['token_id']}")
    assert token["owner"] == wallet
    (mine,) = (await ada.get("/v1/mints"))["items"]
    assert (mine["mint_id"], mine["external_id"]) == (mint["mint_id"], None)

    again = await shop.mint(f"more for {email}", recipient={"user": sub})
    assert again["to"] == wallet
    assert (await shop.get(f"/v1/users?email={email}"))["sub"] == sub


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
    made = await shop.mint(f"stop {secrets.token_hex(4)}", to="0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
    answer = await shop.call("POST", f"/v1/mints/{made['mint_id']}/cancel")

    assert answer.status in (200, 409), answer
    ended = await shop.until(made["mint_id"])
    assert ended["status"] == ("rejected" if answer.status == 200 else "finalized")
