"""Sign-in at the local user pool: which tokens it gives, and which it does not."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from botocore.exceptions import ClientError

from mintline.errors import Rejected, Unavailable
from mintline.scopes import ACCOUNT_ADMIN, SIGN_IN_SCOPES
from mintline.settings import ServiceSettings
from mintline_client.sign_in import sign_in
from mintline_devstack.known import UserPool
from mintline_devstack.sign_in import REDIRECT_URI, configure_sign_in
from mintline_ops.aws_clients import AwsCredentials, aws_client
from mintline_ops.users import ensure_user

if TYPE_CHECKING:
    from types_aiobotocore_cognito_idp import CognitoIdentityProviderClient
    from types_aiobotocore_cognito_idp.literals import AuthFlowTypeType

pytestmark = pytest.mark.integration

PASSWORD = "Correct-Horse-1"


@dataclass(frozen=True)
class Pool:
    cognito: CognitoIdentityProviderClient
    http: aiohttp.ClientSession
    url: str
    known: UserPool

    @property
    def info(self) -> dict[str, Any]:
        return {
            "sign_in_url": self.url,
            "cognito": {
                "client_id": self.known.client_id,
                "redirect_uri": REDIRECT_URI,
                "scopes": list(SIGN_IN_SCOPES),
            },
        }

    async def sign_in(self, username: str = "alice", password: str = PASSWORD, **changes: Any) -> str:
        info = {**self.info, "cognito": {**self.info["cognito"], **changes}}
        return (await sign_in(self.http, info, username=username, password=password)).access_token

    async def userinfo(self, token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        async with self.http.get(f"{self.url}/oauth2/userInfo", headers=headers) as response:
            return response.status


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
        client = (await cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="test"))[
            "UserPoolClient"
        ]
        known = UserPool(
            user_pool_id=pool_id, client_id=client["ClientId"], username="alice", password=PASSWORD
        )
        for _ in range(2):  # as at a second start
            await configure_sign_in(cognito, known)
        await ensure_user(cognito, user_pool_id=pool_id, username="alice", password=PASSWORD)
        yield Pool(cognito, http, url, known)


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


async def test_token__when_a_user_signs_in__has_our_scopes_and_none_over_the_account(pool: Pool) -> None:
    token = claims(await pool.sign_in())

    assert set(token["scope"].split()) == set(SIGN_IN_SCOPES)
    assert ACCOUNT_ADMIN not in token["scope"]
    assert (token["username"], token["token_use"]) == ("alice", "access")


@pytest.mark.parametrize("flow", ["USER_PASSWORD_AUTH", "USER_SRP_AUTH"])
async def test_direct_sign_in__when_tried__is_refused(pool: Pool, flow: AuthFlowTypeType) -> None:
    parameters = {"USERNAME": "alice", "PASSWORD": PASSWORD, "SRP_A": "a1"}
    with pytest.raises(ClientError, match=f"{flow}|not enabled"):
        await pool.cognito.initiate_auth(
            ClientId=pool.known.client_id, AuthFlow=flow, AuthParameters=parameters
        )


@pytest.mark.parametrize("scope", [ACCOUNT_ADMIN, "mintline/everything"])
async def test_sign_in__when_it_asks_for_a_scope_of_no_client__is_refused(pool: Pool, scope: str) -> None:
    with pytest.raises(Rejected, match="no login page"):
        await pool.sign_in(scopes=["openid", scope])


@pytest.mark.parametrize(("username", "password"), [("alice", "Wrong-Horse-1"), ("nobody", PASSWORD)])
async def test_sign_in__when_name_or_password_is_wrong__is_refused(
    pool: Pool, username: str, password: str
) -> None:
    with pytest.raises(Rejected, match="does not accept"):
        await pool.sign_in(username, password)


async def test_sign_in__when_the_redirect_is_another__is_refused(pool: Pool) -> None:
    with pytest.raises(Rejected, match="no login page"):
        await pool.sign_in(redirect_uri="http://evil.example/signed-in")


async def test_sign_in__when_nothing_answers__is_unavailable(pool: Pool) -> None:
    info = {**pool.info, "sign_in_url": "http://127.0.0.1:9"}
    with pytest.raises(Unavailable, match="no sign-in at"):
        await sign_in(pool.http, info, username="alice", password=PASSWORD)


async def test_account__when_its_user_has_only_our_token__cannot_be_changed_with_it(pool: Pool) -> None:
    token = await pool.sign_in()
    for call in (pool.cognito.get_user, pool.cognito.delete_user):
        with pytest.raises(ClientError, match="required scopes"):
            await call(AccessToken=token)

    assert await pool.userinfo(token) == 200


@pytest.mark.parametrize("end", ["sign out", "disable", "delete", "delete and make again"])
async def test_userinfo__when_the_user_is_gone__refuses_the_token_and_no_other(pool: Pool, end: str) -> None:
    await ensure_user(pool.cognito, user_pool_id=pool.known.user_pool_id, username="bob", password=PASSWORD)
    token, other = await pool.sign_in(), await pool.sign_in("bob")
    assert (await pool.userinfo(token), await pool.userinfo(other)) == (200, 200)
    named = {"UserPoolId": pool.known.user_pool_id, "Username": "alice"}
    if end == "sign out":
        await pool.cognito.admin_user_global_sign_out(**named)
    elif end == "disable":
        await pool.cognito.admin_disable_user(**named)
    else:
        await pool.cognito.admin_delete_user(**named)
    if end == "delete and make again":
        await ensure_user(
            pool.cognito, user_pool_id=pool.known.user_pool_id, username="alice", password=PASSWORD
        )

    assert (await pool.userinfo(token), await pool.userinfo(other)) == (401, 200)
