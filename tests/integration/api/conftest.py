from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mintline.aws.dynamo import Dynamo, Put
from mintline.aws.queues import Queues
from mintline.aws.records import to_item
from mintline.aws.session import AwsCalls, open_client
from mintline.records.collections import Collection
from mintline.records.keys import scoped
from mintline.resources import COLLECTIONS, WALLET_KEY
from mintline.scopes import SIGN_IN_SCOPES
from mintline.settings import ServiceSettings
from mintline_client.sign_in import Tokens, sign_in
from mintline_devstack.known import UserPool
from mintline_devstack.sign_in import REDIRECT_URI, configure_sign_in
from mintline_ops.platform_keys import read_intake_key
from mintline_ops.users import ensure_user
from mintline_testkit.api.harness import public_key_of
from mintline_testkit.constants import CHAIN_ID, CONTRACT


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def dynamo(stack: AsyncExitStack, aws_settings: ServiceSettings, aws_prefix: str) -> Dynamo:
    dynamo = Dynamo(await open_client(stack, "dynamodb", aws_settings, calls=AwsCalls()), aws_prefix)
    stack.push_async_callback(dynamo.aclose)
    return dynamo


@pytest.fixture
async def queues(stack: AsyncExitStack, aws_settings: ServiceSettings, aws_prefix: str) -> Queues:
    queues = Queues(await open_client(stack, "sqs", aws_settings, calls=AwsCalls()), aws_prefix)
    stack.push_async_callback(queues.aclose)
    return queues


@pytest.fixture
async def collection(dynamo: Dynamo) -> Collection:
    collection = Collection(
        collection_id=scoped(CHAIN_ID, CONTRACT),
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        name="Aurora",
        symbol="AUR",
        deployed_block=1,
        next_token_id=1,
    )
    await dynamo.write(Put(COLLECTIONS, to_item(collection)))
    return collection


@dataclass(frozen=True, slots=True)
class Cognito:
    """A user pool with one app client."""

    issuer: str
    jwks_url: str
    client_id: str
    end: Callable[[str, str], Awaitable[None]]
    """Ends a user's sessions: `admin_user_global_sign_out`, `admin_disable_user` or `admin_delete_user`."""
    sign_in: Callable[[str], Awaitable[Tokens]]
    """Signs a user in, who is made at the first time."""


@pytest.fixture
async def cognito(stack: AsyncExitStack, aws_settings: ServiceSettings) -> Cognito:
    idp = await open_client(stack, "cognito-idp", aws_settings, calls=AwsCalls())
    pool_id = (await idp.create_user_pool(PoolName="test"))["UserPool"]["Id"]
    client_id = (await idp.create_user_pool_client(UserPoolId=pool_id, ClientName="test"))["UserPoolClient"][
        "ClientId"
    ]
    password = "Correct-Horse-1"
    pool = UserPool(user_pool_id=pool_id, client_id=client_id, username="demo", password=password)
    await configure_sign_in(idp, pool)
    info = {
        "sign_in_url": str(aws_settings.aws_endpoint_url),
        "cognito": {
            "client_id": client_id,
            "redirect_uri": REDIRECT_URI,
            "scopes": SIGN_IN_SCOPES,
        },
    }
    http = await stack.enter_async_context(aiohttp.ClientSession())

    async def sign_in_as(name: str) -> Tokens:
        await ensure_user(idp, user_pool_id=pool_id, username=name, password=password)
        return await sign_in(http, info, username=name, password=password)

    async def end(how: str, name: str) -> None:
        await getattr(idp, how)(UserPoolId=pool_id, Username=name)

    return Cognito(
        end=end,
        issuer=f"https://cognito-idp.us-east-1.amazonaws.com/{pool_id}",
        jwks_url=f"{aws_settings.aws_endpoint_url}/{pool_id}/.well-known/jwks.json",
        client_id=client_id,
        sign_in=sign_in_as,
    )


@pytest.fixture
async def wallet_key_arn(stack: AsyncExitStack, aws_settings: ServiceSettings, aws_prefix: str) -> str:
    """The ARN of the KMS key that the deployment's alias leads to."""
    kms = await open_client(stack, "kms", aws_settings, calls=AwsCalls())
    return (await kms.describe_key(KeyId=WALLET_KEY.alias(aws_prefix)))["KeyMetadata"]["Arn"]


@pytest.fixture
async def environment(
    stack: AsyncExitStack,
    aws_settings: ServiceSettings,
    aws_prefix: str,
    cognito: Cognito,
    wallet_key_arn: str,
) -> dict[str, str]:
    kms = await open_client(stack, "kms", aws_settings, calls=AwsCalls())
    return {
        "MINTLINE_AWS_ENDPOINT_URL": str(aws_settings.aws_endpoint_url),
        "MINTLINE_RESOURCE_PREFIX": aws_prefix,
        "MINTLINE_API_PORT": "0",
        "MINTLINE_PUBLIC_URL": "http://127.0.0.1:8080",
        "MINTLINE_CHAIN_ID": str(CHAIN_ID),
        "MINTLINE_DEFAULT_COLLECTION": CONTRACT,
        "MINTLINE_COGNITO_ISSUER": cognito.issuer,
        "MINTLINE_COGNITO_JWKS_URL": cognito.jwks_url,
        "MINTLINE_COGNITO_USERINFO_URL": f"{aws_settings.aws_endpoint_url}/oauth2/userInfo",
        "MINTLINE_COGNITO_CLIENT_ID": cognito.client_id,
        "MINTLINE_WALLET_KEY_ARNS": json.dumps([wallet_key_arn]),
        "MINTLINE_AUTHORIZATION_KEY": public_key_of(ec.generate_private_key(ec.SECP256R1())),
        "MINTLINE_INTAKE_KEY": await read_intake_key(kms, prefix=aws_prefix),
        "MINTLINE_CURSOR_SECRET": "0123456789abcdef0123456789abcdef",
        "MINTLINE_EMAIL_SECRET": "fedcba9876543210fedcba9876543210",
    }


@dataclass(slots=True)
class Running:
    """A process of the api, and a client of it."""

    process: asyncio.subprocess.Process
    url: str
    admin_url: str
    http: aiohttp.ClientSession
    lines: list[dict[str, Any]]

    async def stop(self) -> int:
        """End the process as an operator would, and return its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 15)

    async def request(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> tuple[int, Any]:
        """Return the status and the JSON of an answer."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        async with self.http.request(method, f"{self.url}{path}", headers=sent, json=body) as response:
            return response.status, await response.json(content_type=None)


@asynccontextmanager
async def running_api(environment: Mapping[str, str]) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mintline_api",
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    lines: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(60):
            while not lines or lines[-1].get("event") != "api_listening":
                raw = await process.stdout.readline()
                assert raw, lines
                lines.append(json.loads(raw))
        reader = asyncio.create_task(_keep_reading(process.stdout, lines))
        async with aiohttp.ClientSession() as http:
            address = lines[-1]
            running = Running(
                process=process,
                url=f"http://127.0.0.1:{address['port']}",
                admin_url=f"http://127.0.0.1:{address['admin_port']}",
                http=http,
                lines=lines,
            )
            try:
                yield running
            finally:
                await running.stop()
                await reader
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _keep_reading(stream: asyncio.StreamReader, lines: list[dict[str, Any]]) -> None:
    while raw := await stream.readline():
        lines.append(json.loads(raw))


@pytest.fixture
async def start(stack: AsyncExitStack) -> Callable[[Mapping[str, str]], Awaitable[Running]]:
    async def start(environment: Mapping[str, str]) -> Running:
        return await stack.enter_async_context(running_api(environment))

    return start


@pytest.fixture
async def api(environment: dict[str, str], collection: Collection, stack: AsyncExitStack) -> Running:
    return await stack.enter_async_context(running_api(environment))
