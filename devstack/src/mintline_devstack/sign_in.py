"""The local user pool: its demo user, and how users sign in."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from mintline.scopes import DESCRIPTIONS, RESOURCE_SERVER, SIGN_IN_SCOPES
from mintline_devstack.emulator_clients import EmulatorClients
from mintline_devstack.emulators import PREFIX
from mintline_devstack.known import UserPool
from mintline_devstack.ports import Listeners

DEMO_USER = "demo"
CLIENT_NAME = "mintline-api"
REDIRECT_URI = "http://localhost/signed-in"
"""Where the login page sends a user's browser with the code; the command line reads it off the redirect."""
CLI_REDIRECT_URI = "http://localhost:8400/signed-in"
"""Where `mintline login` waits for the browser."""


async def pool_exists(clients: EmulatorClients, user_pool_id: str) -> bool:
    """Tell whether the emulator has a user pool."""
    try:
        await clients.cognito.describe_user_pool(UserPoolId=user_pool_id)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return False
    return True


async def read_jwks(clients: EmulatorClients, ports: Listeners, pool: UserPool) -> dict[str, Any]:
    """Return the signing keys of the user pool."""
    async with clients.http.get(jwks_url(ports, pool.user_pool_id)) as response:
        document: dict[str, Any] = await response.json(content_type=None)
    return document


def jwks_url(ports: Listeners, user_pool_id: str) -> str:
    """Return where the emulator publishes a user pool's signing keys."""
    return f"{ports.url('ministack')}/{user_pool_id}/.well-known/jwks.json"


async def create_pool(cognito: Any) -> UserPool:
    """Make the user pool, its client and the demo user."""
    pool = (await cognito.create_user_pool(PoolName=PREFIX, AliasAttributes=["email"]))["UserPool"]["Id"]
    client = await cognito.create_user_pool_client(UserPoolId=pool, ClientName=CLIENT_NAME)
    password = f"Aa1-{secrets.token_urlsafe(15)}"
    await cognito.admin_create_user(UserPoolId=pool, Username=DEMO_USER, MessageAction="SUPPRESS")
    await cognito.admin_set_user_password(
        UserPoolId=pool, Username=DEMO_USER, Password=password, Permanent=True
    )
    return UserPool(
        user_pool_id=pool,
        client_id=client["UserPoolClient"]["ClientId"],
        username=DEMO_USER,
        password=password,
    )


def console_urls(ports: Listeners) -> list[str]:
    """Return the addresses at which a browser may have the console open."""
    url = urlsplit(ports.url("api"))
    hosts = {url.netloc: None, f"localhost:{url.port}": None}
    return [f"{url.scheme}://{host}/console/home" for host in hosts]


async def configure_sign_in(cognito: Any, pool: UserPool, *, console: Sequence[str] = ()) -> None:
    """Let users sign in by code with PKCE, for our scopes alone; clients of earlier versions are changed.

    `console` are the addresses of the console, to which the login page returns as well.
    """
    server = {
        "UserPoolId": pool.user_pool_id,
        "Identifier": RESOURCE_SERVER,
        "Name": RESOURCE_SERVER,
        "Scopes": [
            {"ScopeName": scope.short, "ScopeDescription": text} for scope, text in DESCRIPTIONS.items()
        ],
    }
    try:
        await cognito.update_resource_server(**server)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        await cognito.create_resource_server(**server)
    await cognito.update_user_pool_client(
        UserPoolId=pool.user_pool_id,
        ClientId=pool.client_id,
        ClientName=CLIENT_NAME,
        ExplicitAuthFlows=["ALLOW_REFRESH_TOKEN_AUTH"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=list(SIGN_IN_SCOPES),
        SupportedIdentityProviders=["COGNITO"],
        CallbackURLs=[REDIRECT_URI, CLI_REDIRECT_URI, *console],
        LogoutURLs=list(console),
        PreventUserExistenceErrors="ENABLED",
        EnableTokenRevocation=True,
    )
