"""App clients of machines at the local user pool: their tokens, and their secrets."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from mintline.aws.clients import AppClients
from mintline.scopes import Scope
from mintline.settings import ServiceSettings
from mintline_devstack.known import UserPool
from mintline_devstack.sign_in import configure_sign_in
from mintline_ops.aws_clients import AwsCredentials, aws_client

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Pool:
    clients: AppClients
    http: aiohttp.ClientSession
    url: str

    async def token(self, client_id: str, secret: str, **form: str) -> tuple[int, dict[str, Any]]:
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
            **form,
        }
        async with self.http.post(f"{self.url}/oauth2/token", data=form) as response:
            return response.status, await response.json(content_type=None)

    async def accepts(self, client_id: str, secret: str) -> bool:
        status, _ = await self.token(client_id, secret)
        return status == 200


@pytest.fixture
async def pool(aws_settings: ServiceSettings) -> AsyncIterator[Pool]:
    url = str(aws_settings.aws_endpoint_url)
    async with (
        aiohttp.ClientSession() as http,
        aws_client(
            "cognito-idp", endpoint_url=url, region="us-east-1", credentials=AwsCredentials("test", "test")
        ) as cognito,
    ):
        pool_id = (await cognito.create_user_pool(PoolName="test"))["UserPool"]["Id"]
        people = await cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="people")
        known = UserPool(
            user_pool_id=pool_id,
            client_id=people["UserPoolClient"]["ClientId"],
            username="alice",
            password="unused",
        )
        await configure_sign_in(cognito, known)
        yield Pool(AppClients(cognito, pool_id), http, url)


async def test_token__when_a_client_gets_one__then_it_is_the_clients_own_with_its_scopes(pool: Pool) -> None:
    app = await pool.clients.create("shop", [Scope.MINTS_CREATE, Scope.MINTS_READ])

    status, body = await pool.token(app.client_id, app.secret, scope=Scope.MINTS_CREATE)

    part = body["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert status == 200
    assert (claims["sub"], claims["client_id"]) == (app.client_id, app.client_id)
    assert (claims["token_use"], claims["scope"]) == ("access", Scope.MINTS_CREATE.value)
    assert body["expires_in"] == 3600


async def test_token__when_the_scope_is_another_clients__then_it_is_refused(pool: Pool) -> None:
    app = await pool.clients.create("shop", [Scope.MINTS_CREATE])

    assert (await pool.token(app.client_id, app.secret, scope=Scope.ADMIN))[0] == 400


async def test_secret__when_it_is_rotated__then_both_are_good_until_the_old_one_is_retired(
    pool: Pool,
) -> None:
    app = await pool.clients.create("shop", [Scope.MINTS_READ])

    added = await pool.clients.add_secret(app.client_id)

    assert added is not None
    assert await pool.accepts(app.client_id, app.secret)
    assert await pool.accepts(app.client_id, added)
    assert await pool.clients.retire_secrets(app.client_id) == 1
    assert not await pool.accepts(app.client_id, app.secret)
    assert await pool.accepts(app.client_id, added)
    assert await pool.clients.retire_secrets(app.client_id) == 0


async def test_secret__when_it_is_rotated_twice__then_the_oldest_is_dropped(pool: Pool) -> None:
    app = await pool.clients.create("shop", [Scope.MINTS_READ])

    second = await pool.clients.add_secret(app.client_id)
    third = await pool.clients.add_secret(app.client_id)

    assert second is not None
    assert third is not None
    assert not await pool.accepts(app.client_id, app.secret)
    assert await pool.accepts(app.client_id, second)
    assert await pool.accepts(app.client_id, third)


async def test_client__when_it_is_deleted__then_it_gets_no_token_and_no_secret(pool: Pool) -> None:
    app = await pool.clients.create("shop", [Scope.MINTS_READ])

    for _ in range(2):  # to repeat it is harmless
        await pool.clients.delete(app.client_id)

    assert not await pool.accepts(app.client_id, app.secret)
    assert await pool.clients.add_secret(app.client_id) is None
    assert await pool.clients.retire_secrets(app.client_id) is None
