"""How the command line, the bench and the tests talk to a line: its AWS endpoint and its API."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

from mintline.errors import Rejected, Unavailable
from mintline_local.principals import AwsCredentials

if TYPE_CHECKING:
    from types_aiobotocore_cognito_idp import CognitoIdentityProviderClient

AwsService = Literal["sqs", "dynamodb", "s3", "kms", "secretsmanager", "cognito-idp"]


@asynccontextmanager
async def aws_client(
    service: AwsService, *, endpoint_url: str, region: str, credentials: AwsCredentials
) -> AsyncIterator[Any]:
    """Open a client of a local stack, which takes nothing from the user's environment or AWS profile."""
    config = AioConfig(
        proxies={},
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "max_attempts": 4},
        s3={"addressing_style": "path"},
    )
    async with _isolated_session().create_client(
        service,
        region_name=region,
        endpoint_url=endpoint_url,
        verify=True,  # else botocore asks REQUESTS_CA_BUNDLE
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        config=config,
    ) as client:
        yield client


def _isolated_session() -> AioSession:
    """Return a session that reads neither `AWS_*` variables nor AWS's files: all settings are defaults."""
    session = AioSession(
        {
            name: (None, None, default, convert)
            for name, (_, _, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
        }
    )
    for name in ("config_file", "credentials_file"):
        session.set_config_variable(name, os.devnull)
    return session


@asynccontextmanager
async def cognito_client(info: Mapping[str, Any]) -> AsyncIterator[CognitoIdentityProviderClient]:
    """Open the Cognito client of the line that `info`, its run file, describes."""
    async with aws_client(
        "cognito-idp",
        endpoint_url=info["aws_endpoint_url"],
        region=info["region"],
        credentials=AwsCredentials(**info["operator"]),
    ) as client:
        yield client


class Api:
    """The line's API for one signed-in user."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str) -> None:
        self._http = http
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str) -> Any:
        """Return a resource's JSON; raises Rejected or Unavailable with the problem's own words."""
        return await self._call("GET", path)

    async def post(self, path: str, body: Mapping[str, Any], *, idempotency_key: str) -> Any:
        """Post JSON and return the answer's; raises as `get` does."""
        return await self._call("POST", path, json=body, headers={"Idempotency-Key": idempotency_key})

    async def get_bytes(self, path: str) -> bytes:
        """Return the exact bytes of a resource; raises as `get` does."""
        try:
            async with self._http.get(self.url + path, headers=self._headers) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._away(error) from None
        if answer.status != 200:
            raise Rejected("not_found", f"GET {path} was answered {answer.status}")
        return content

    async def _call(self, method: str, path: str, *, headers: Mapping[str, str] = {}, **sent: Any) -> Any:
        try:
            async with self._http.request(
                method, self.url + path, headers={**self._headers, **headers}, **sent
            ) as answer:
                body = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._away(error) from None
        if answer.status >= 500:
            raise Unavailable(f"{method} {path} was answered {answer.status}: {described(body)}")
        if answer.status >= 400:
            raise Rejected(str(answer.status), described(body))
        return body

    def _away(self, error: Exception) -> Unavailable:
        return Unavailable(f"no answer from the API at {self.url}: {error or type(error).__name__}")


def described(problem: Any) -> str:
    """Return what an RFC 9457 problem says, in one line."""
    if not isinstance(problem, dict):
        return str(problem)
    return str(problem.get("detail") or problem.get("title") or "no reason given")
