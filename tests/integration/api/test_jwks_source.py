"""The JWKS document over real HTTP, from endpoints that are not well."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mintline.errors import Unavailable
from mintline_api.auth.jwks import MOST_BYTES, HttpJwks

pytestmark = pytest.mark.integration

DOCUMENT = b'{"keys": []}'


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65_536)


BODIES = {
    "well": DOCUMENT,
    "longest": DOCUMENT.ljust(MOST_BYTES),
    "too-long": DOCUMENT.ljust(MOST_BYTES + 1),
    "nested": b"[" * 200_000,
    "list": b"[]",
    "garbage": b"<html>\xff",
}


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        if path == "endless":
            return await endless(request)
        if path in BODIES:
            return web.Response(body=BODIES[path])
        return web.Response(status=int(path), headers={"Location": "/well"})

    app = web.Application()
    app.router.add_get("/{path}", answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    yield str(server.make_url("/"))
    await server.close()


@pytest.mark.parametrize("path", ["well", "longest"])
async def test_fetch__when_the_document_is_one__then_it_is_returned(url: str, path: str) -> None:
    async with aiohttp.ClientSession() as session:
        assert await HttpJwks(session, url + path).fetch() == {"keys": []}


@pytest.mark.parametrize(
    "path", ["too-long", "endless", "nested", "list", "garbage", "302", "404", "500", "429"]
)
async def test_fetch__when_it_is_anything_else__then_unavailable(url: str, path: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(Unavailable, match=r"^JWKS: (?!TimeoutError)"):
            await HttpJwks(session, url + path).fetch()
