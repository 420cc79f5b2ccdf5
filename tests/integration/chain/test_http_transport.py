"""Real sockets: connections that stay open, and every way in which an endpoint can fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mintline.chain.rpc import Rpc
from mintline.chain.transport import HttpTransport
from mintline.errors import Throttled, Unavailable

pytestmark = pytest.mark.integration

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def answer(request: web.Request) -> web.Response:
    call = await request.json()
    calls = call if isinstance(call, list) else [call]
    results = [{"jsonrpc": "2.0", "id": one["id"], "result": one["method"]} for one in calls]
    return web.json_response(results if isinstance(call, list) else results[0])


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Handler], Awaitable[str]]]:
    servers = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_post("/", handler)
        server = TestServer(app, host="127.0.0.1")
        await server.start_server()
        servers.append(server)
        return str(server.make_url("/"))

    yield start
    for server in servers:
        await server.close()


async def test_calls__when_one_after_another__then_one_connection_serves_them(
    serve: Callable[[Handler], Awaitable[str]],
) -> None:
    peers = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        assert request.content_type == "application/json"
        return await answer(request)

    rpc = Rpc([await serve(handler)])
    for _ in range(5):
        assert await rpc.call("eth_blockNumber", []) == "eth_blockNumber"
    await rpc.aclose()
    assert len(peers) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(429, Throttled), (500, Unavailable), (403, Unavailable), (302, Unavailable)]
)
async def test_call__when_http_says_no__then_retryable_and_no_redirect_is_followed(
    serve: Callable[[Handler], Awaitable[str]], status: int, error: type[Exception]
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, text="no", headers={"Location": "http://127.0.0.1:1/"})

    rpc = Rpc([await serve(handler)])
    with pytest.raises(error):
        await rpc.call("m", [])
    await rpc.aclose()


async def test_call__when_the_endpoint_hangs__then_unavailable_in_time_and_the_next_one_answers(
    serve: Callable[[Handler], Awaitable[str]],
) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        raise AssertionError

    rpc = Rpc([await serve(hang), await serve(answer)], timeout=0.2)
    async with asyncio.timeout(2):
        assert await rpc.call("m", []) == "m"
    await rpc.aclose()


async def test_call__when_nobody_listens_or_the_line_is_cut__then_the_next_one_answers(
    serve: Callable[[Handler], Awaitable[str]],
) -> None:
    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    rpc = Rpc(["http://127.0.0.1:1/", await serve(cut), await serve(answer)])
    assert await rpc.call("m", []) == "m"
    await rpc.aclose()


async def test_post__when_the_line_is_cut__then_unavailable_without_the_path(
    serve: Callable[[Handler], Awaitable[str]],
) -> None:
    transport = HttpTransport(1.0)
    with pytest.raises(Unavailable) as caught:
        await transport.post("http://127.0.0.1:1/API-KEY", json.dumps({}).encode())
    assert "API-KEY" not in str(caught.value)
    await transport.aclose()
