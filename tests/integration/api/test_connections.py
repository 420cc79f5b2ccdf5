"""More connections than the api keeps: the oldest make room, and none that is being answered is cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web

from mintline_api.http.connections import Bounded

pytestmark = pytest.mark.integration

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def serving(most: int, release: asyncio.Event) -> AsyncIterator[int]:
    async def answer(_: web.Request) -> web.Response:
        await release.wait()
        return web.Response(text="answered")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    assert runner.server is not None
    bounded = Bounded(runner.server, most=most)
    listening = await asyncio.get_running_loop().create_server(bounded, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await runner.cleanup()


async def connect(stack: AsyncExitStack, port: int, *, say: bytes = b"") -> Connection:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stack.callback(writer.close)
    writer.write(say)
    # Accepted one by one, as the server only counts those that it has taken in.
    await asyncio.sleep(0.02)
    return reader, writer


async def answered(connection: Connection) -> bytes:
    reader, writer = connection
    writer.write(REQUEST)
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        return head.split(b"\r\n")[0] + b" " + await reader.readexactly(8)


@pytest.mark.parametrize("say", [b"", b"GET / HT"])
async def test_connections__when_idle_ones_are_too_many__then_the_oldest_go_and_a_new_one_is_answered(
    say: bytes,
) -> None:
    release = asyncio.Event()
    release.set()
    async with serving(5, release) as port, AsyncExitStack() as stack:
        idle = [await connect(stack, port, say=say) for _ in range(12)]
        assert await answered(await connect(stack, port)) == b"HTTP/1.1 200 OK answered"
        async with asyncio.timeout(5):
            assert [await reader.read() for reader, _ in idle[:8]] == [b""] * 8
        assert not any(reader.at_eof() for reader, _ in idle[-4:])


async def test_connections__when_the_oldest_is_being_answered__then_it_gets_its_answer_and_then_goes() -> (
    None
):
    release = asyncio.Event()
    async with serving(3, release) as port, AsyncExitStack() as stack:
        reader, _ = await connect(stack, port, say=REQUEST)
        for _ in range(6):
            await connect(stack, port)
        release.set()
        async with asyncio.timeout(5):
            whole = await reader.read()
    assert whole.startswith(b"HTTP/1.1 200 OK")
    assert whole.endswith(b"answered")
