"""The user pool's `/oauth2/userInfo`: what it says of tokens, and what answers of other kinds count as."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any, Protocol

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mintline.errors import Unavailable
from mintline.settings import ServiceSettings
from mintline_api.auth.user_pool import HttpUserInfo
from mintline_client.sign_in import Tokens

pytestmark = pytest.mark.integration


class UserPool(Protocol):
    async def sign_in(self, name: str) -> Tokens: ...

    async def end(self, how: str, name: str) -> None: ...


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def sub_of(token: str) -> str:
    part = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["sub"])


@pytest.mark.parametrize("how", ["admin_user_global_sign_out", "admin_disable_user", "admin_delete_user"])
async def test_token__when_its_user_is_gone__counts_no_more_and_others_do(
    cognito: UserPool, aws_settings: ServiceSettings, http: aiohttp.ClientSession, how: str
) -> None:
    pool = HttpUserInfo(http, f"{aws_settings.aws_endpoint_url}/oauth2/userInfo")
    token, other = (await cognito.sign_in("alice")).access_token, (await cognito.sign_in("bob")).access_token
    assert await pool.counts(token, sub=sub_of(token))
    await cognito.end(how, "alice")

    assert not await pool.counts(token, sub=sub_of(token))
    assert await pool.counts(other, sub=sub_of(other))


async def verdict(http: aiohttp.ClientSession, **response: Any) -> bool:
    """Return what an answer to a question about `alice` counts as."""

    async def handler(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer a.b.c"
        return web.Response(**response)

    app = web.Application()
    app.router.add_get("/oauth2/userInfo", handler)
    async with TestServer(app) as server:
        pool = HttpUserInfo(http, str(server.make_url("/oauth2/userInfo")))
        return await pool.counts("a.b.c", sub="alice")


@pytest.mark.parametrize(
    ("response", "counts"),
    [
        ({"text": '{"sub": "alice"}'}, True),
        ({"text": '{"sub": "bob"}'}, False),
        ({"text": "[]"}, False),
        ({"status": 401, "text": '{"error": "invalid_token"}'}, False),
    ],
)
async def test_answer__when_it_says_who_the_token_is_of__is_believed(
    http: aiohttp.ClientSession, response: dict[str, Any], *, counts: bool
) -> None:
    assert await verdict(http, **response) is counts


@pytest.mark.parametrize(
    "response",
    [
        {"status": 302, "headers": {"Location": "/login"}},
        {"status": 403},
        {"status": 429},
        {"status": 500},
        {"text": "<html>"},
        {"text": "x" * 300_000},
    ],
)
async def test_answer__when_it_is_of_another_kind__is_none(
    http: aiohttp.ClientSession, response: dict[str, Any]
) -> None:
    with pytest.raises(Unavailable, match="userInfo"):
        await verdict(http, **response)


async def test_pool__when_nothing_listens__is_unavailable(http: aiohttp.ClientSession) -> None:
    with pytest.raises(Unavailable, match="userInfo"):
        await HttpUserInfo(http, "http://127.0.0.1:9/oauth2/userInfo").counts("a.b.c", sub="alice")
