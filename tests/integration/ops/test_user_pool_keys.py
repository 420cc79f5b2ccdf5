"""A user pool's keys over real HTTP, as `operator policy` reads them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mintline.errors import Misconfigured, Unavailable
from mintline_ops.published_keys import read_jwks

pytestmark = pytest.mark.integration

KEYS = {"keys": [{"kid": str(number), "n": "A" * 342} for number in range(40)]}
TURNS = 100
"""Of the event loop, in which the client takes what it was sent before the server goes on."""


async def in_two(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    content = json.dumps(KEYS).encode()
    for part in (content[:100], content[100:]):
        await response.write(part)
        for _ in range(TURNS):
            await asyncio.sleep(0)
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65_536)


async def nested(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"[" * 90_000)


async def gone(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=404)


async def led(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": str(request.url.with_path("/in_two"))})


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    for response in (in_two, endless, nested, gone, led, cut):
        app.router.add_get(f"/{response.__name__}", response)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    yield str(server.make_url("/"))
    await server.close()


async def test_keys__when_they_come_in_two_pieces__then_all_are_read(url: str) -> None:
    assert await read_jwks(f"{url}in_two") == KEYS


@pytest.mark.parametrize(
    ("path", "error", "text"),
    [
        ("endless", Misconfigured, "more than 100000 bytes"),
        ("nested", Misconfigured, "no JSON Web Key Set"),
        ("gone", Misconfigured, "status 404: is the user pool's id right"),
        ("led", Misconfigured, "/led: status 302: redirects are not followed"),
        ("cut", Unavailable, "/cut: "),
    ],
)
async def test_keys__when_there_are_none__then_the_fault_is_named(
    url: str, path: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        await read_jwks(f"{url}{path}")
