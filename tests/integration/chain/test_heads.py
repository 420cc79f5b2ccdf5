"""Heads over real sockets: what is told wakes, whatever goes wrong is tried again, and nothing leaks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from mintline.chain.heads import Heads
from mintline.chain.rpc import Rpc

pytestmark = pytest.mark.integration

HEAD = {"jsonrpc": "2.0", "method": "eth_subscription", "params": {"subscription": "0x1", "result": {}}}


class Woken:
    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self._event.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while self.count < count:
                self._event.clear()
                await self._event.wait()


@asynccontextmanager
async def listening(url: str, wake: Callable[[], None]) -> AsyncIterator[list[float]]:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0.01)

    heads = Heads(url, wake=wake, headers={"Authorization": "Bearer t"}, sleep=sleep, rng=random.Random(1))
    task = asyncio.create_task(heads.listen())
    try:
        yield pauses
    finally:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def serving(handler: Callable[[web.WebSocketResponse, int], Awaitable[None]]) -> AsyncIterator[str]:
    """Serve sockets that confirm nothing by themselves; `handler` gets the number of the connection."""
    count = 0

    async def accept(request: web.Request) -> web.WebSocketResponse:
        nonlocal count
        count += 1
        assert request.headers["Authorization"] == "Bearer t"
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        subscription = await socket.receive_json()
        assert (subscription["method"], subscription["params"]) == ("eth_subscribe", ["newHeads"])
        await handler(socket, count)
        return socket

    app = web.Application()
    app.router.add_get("/", accept)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        yield f"ws://127.0.0.1:{server.port}/?key=API-KEY"
    finally:
        await server.close()


async def test_heads__when_a_real_node_mines__then_each_block_wakes(anvil_automine: str) -> None:
    woken = Woken()
    rpc = Rpc([anvil_automine])
    async with listening(anvil_automine.replace("http", "ws", 1), woken):
        await woken.until(1)
        for mined in range(1, 4):
            await rpc.call("evm_mine", [])
            await woken.until(1 + mined)
    await rpc.aclose()


async def test_heads__when_the_socket_is_lost__then_it_comes_back_and_wakes_once_for_what_was_missed() -> (
    None
):
    woken = Woken()

    async def handler(socket: web.WebSocketResponse, count: int) -> None:
        await socket.send_json({"jsonrpc": "2.0", "id": 1, "result": "0x1"})
        if count < 3:
            await socket.close()
        else:
            await socket.receive()

    async with serving(handler) as url, listening(url, woken) as pauses:
        await woken.until(3)
    assert woken.count == 3
    assert len(pauses) == 2


async def misbehave(socket: web.WebSocketResponse, how: str) -> None:
    match how:
        case "garbage":
            await socket.send_str("<html>API-KEY</html>")
        case "bytes":
            await socket.send_bytes(b"\0")
        case "list":
            await socket.send_json([1])
        case "refused":
            await socket.send_json({"id": 1, "error": {"code": -32601, "message": "API-KEY"}})
        case "nested":
            await socket.send_str("[" * 200_000)
        case "endless":
            await socket.send_str("x" * (2**20 + 1))
    await socket.receive()


@pytest.mark.parametrize("how", ["garbage", "bytes", "list", "nested", "refused", "endless"])
async def test_heads__when_the_node_talks_nonsense__then_it_is_left_and_tried_again_and_nothing_is_quoted(
    how: str,
) -> None:
    woken = Woken()

    async def handler(socket: web.WebSocketResponse, count: int) -> None:
        if count == 1:
            await misbehave(socket, how)
        else:
            await socket.send_json(HEAD)
            await socket.receive()

    with capture_logs() as logs:
        async with serving(handler) as url, listening(url, woken):
            await woken.until(1)
    assert [entry["event"] for entry in logs] == ["heads_lost"]
    assert "API-KEY" not in str(logs)


async def test_heads__when_nobody_listens__then_pauses_grow_and_stay_below_half_a_minute() -> None:
    async with listening("ws://127.0.0.1:1/", Woken()) as pauses, asyncio.timeout(5):
        while len(pauses) < 40:  # noqa: ASYNC110 - the list has no event
            await asyncio.sleep(0.01)
    assert max(pauses) <= 30.0
    assert max(pauses[10:]) > 8.0
    assert max(pauses[:2]) <= 1.0


async def test_indexer__when_heads_are_told__then_it_need_not_wait_for_its_interval(
    anvil_automine: str,
) -> None:
    from mintline.tasks import either
    from mintline_indexer import service
    from mintline_indexer.settings import IndexerSettings

    class Polled:
        halted = False
        polls = 0

        async def poll(self) -> bool:
            self.polls += 1
            polled.set()
            return False

    settings: Any = IndexerSettings(chain_id=1, rpc_urls=(anvil_automine,), poll_interval=3_600)
    stop, woken, polled = asyncio.Event(), asyncio.Event(), asyncio.Event()
    indexer: Any = Polled()
    following = asyncio.create_task(service._follow(indexer, settings, stop, woken))
    async with asyncio.timeout(5):
        for expected in range(1, 4):
            await either(polled)
            polled.clear()
            assert indexer.polls == expected
            await asyncio.sleep(0)
            woken.set()
        await polled.wait()
    stop.set()
    await following
