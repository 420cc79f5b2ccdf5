"""Users in the emulator's user pool, as Cognito keeps them."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from mintline.aws.session import AwsCalls, open_client
from mintline.errors import Unavailable
from mintline.settings import ServiceSettings
from mintline_api.features.users.emails import Emails
from mintline_api.features.users.store import CognitoUsers
from mintline_api.features.users.use_cases import UserDirectory

if TYPE_CHECKING:
    from types_aiobotocore_cognito_idp import CognitoIdentityProviderClient

pytestmark = pytest.mark.integration

EMAILS = Emails(b"a secret that names the users of addresses", case_sensitive=True)
ADA = EMAILS.read("ada@example.com")


@pytest.fixture
async def idp(stack: AsyncExitStack, aws_settings: ServiceSettings) -> CognitoIdentityProviderClient:
    return await open_client(stack, "cognito-idp", aws_settings, calls=AwsCalls())


@pytest.fixture
async def pool_id(idp: CognitoIdentityProviderClient) -> str:
    name = f"users-{uuid.uuid4().hex[:8]}"
    return (await idp.create_user_pool(PoolName=name, AliasAttributes=["email"]))["UserPool"]["Id"]


def store(idp: CognitoIdentityProviderClient, pool_id: str, *, verified: bool = True) -> CognitoUsers:
    return CognitoUsers(idp, user_pool_id=pool_id, email_verified=verified)


async def add(
    idp: CognitoIdentityProviderClient, pool_id: str, username: str, *, address: str, verified: str
) -> str:
    response = await idp.admin_create_user(
        UserPoolId=pool_id,
        Username=username,
        UserAttributes=[
            {"Name": "email", "Value": address},
            {"Name": "email_verified", "Value": verified},
        ],
        MessageAction="SUPPRESS",
    )
    return next(
        attribute["Value"] for attribute in response["User"]["Attributes"] if attribute["Name"] == "sub"
    )


@pytest.mark.parametrize("verified", [True, False])
async def test_create__when_it_is_repeated__then_the_first_user_is_found(
    idp: CognitoIdentityProviderClient, pool_id: str, *, verified: bool
) -> None:
    users = store(idp, pool_id, verified=verified)

    user = await users.create(ADA)

    assert user is not None
    assert user.created_at > 1_700_000_000_000
    assert await users.create(ADA) is None
    assert await users.by_name(ADA) == user
    assert await users.by_sub(user.sub) == user
    assert await users.by_address(ADA) == (user if verified else None)


async def test_created_user__when_the_pool_is_read__then_it_has_the_address_and_no_telling_name(
    idp: CognitoIdentityProviderClient, pool_id: str
) -> None:
    await store(idp, pool_id).create(ADA)

    (user,) = (await idp.list_users(UserPoolId=pool_id))["Users"]
    attributes = {attribute["Name"]: attribute["Value"] for attribute in user["Attributes"]}
    assert user["Username"] == ADA.name
    assert attributes["email"] == "ada@example.com"
    assert attributes["email_verified"] == "true"


async def test_by_address__when_it_is_verified__then_it_is_that_user_and_no_other(
    idp: CognitoIdentityProviderClient, pool_id: str
) -> None:
    await add(idp, pool_id, "eve", address="ada@example.com", verified="false")
    ada = await add(idp, pool_id, "ada", address="ada@example.com", verified="true")

    user = await store(idp, pool_id).by_address(ADA)

    assert user is not None
    assert user.sub == ada


async def test_by_address__when_it_is_a_user_name__then_it_is_nobodys_address(
    idp: CognitoIdentityProviderClient,
) -> None:
    pool_id = (await idp.create_user_pool(PoolName=f"names-{uuid.uuid4().hex[:8]}"))["UserPool"]["Id"]
    await add(idp, pool_id, "ada@example.com", address="eve@example.com", verified="true")

    assert await store(idp, pool_id).by_address(ADA) is None


@pytest.mark.parametrize("sub", ["nobody", 'x" or sub ^= "', "\\"])
async def test_by_sub__when_the_pool_has_no_such_user__then_none(
    idp: CognitoIdentityProviderClient, pool_id: str, sub: str
) -> None:
    await store(idp, pool_id).create(ADA)

    assert await store(idp, pool_id).by_sub(sub) is None


async def test_pool__when_it_is_gone__then_it_is_unavailable(idp: CognitoIdentityProviderClient) -> None:
    users = store(idp, "us-east-1_Missing00")

    for request in (users.by_name(ADA), users.by_address(ADA), users.by_sub("ada"), users.create(ADA)):
        with pytest.raises(Unavailable):
            await request


async def test_ensure__when_two_copies_ask_at_once__then_the_pool_has_one_user(
    idp: CognitoIdentityProviderClient, pool_id: str
) -> None:
    copies = [UserDirectory(store(idp, pool_id), EMAILS, clock=lambda: 0.0) for _ in range(4)]

    ensured = await asyncio.gather(*(copy.ensure(ADA) for copy in copies for _ in range(3)))

    assert len({ensured.user.sub for ensured in ensured}) == 1
    assert len((await idp.list_users(UserPoolId=pool_id))["Users"]) == 1
