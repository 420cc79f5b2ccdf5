"""The api's port with TLS, called as a load balancer calls it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from mintline_api import service


async def answer(request: web.Request) -> web.Response:
    return web.json_response({"secure": request.secure, "scheme": request.scheme})


@pytest.mark.parametrize(("tls", "scheme", "other"), [(True, "https", "http"), (False, "http", "https")])
async def test_port__when_it_speaks_tls_or_not__then_the_other_way_gets_no_answer(
    tls: bool,  # noqa: FBT001 - the table's first column
    scheme: str,
    other: str,
) -> None:
    app = web.Application()
    app.router.add_get("/healthz", answer)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        port = await service.listen(stack, app, host="127.0.0.1", port=0, tls=tls)

        # As the balancer does, the client checks no certificate.
        async with session.get(f"{scheme}://127.0.0.1:{port}/healthz", ssl=False) as response:
            assert await response.json() == {"secure": tls, "scheme": scheme}
        with pytest.raises(aiohttp.ClientError):
            async with session.get(f"{other}://127.0.0.1:{port}/healthz", ssl=False) as refused:
                refused.raise_for_status()


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Return the port of a server that gives each step of TLS half a second."""
    monkeypatch.setattr(service, "_TLS_SECONDS", 0.5)
    app = web.Application()
    app.router.add_get("/healthz", answer)
    async with AsyncExitStack() as stack:
        yield await service.listen(stack, app, host="127.0.0.1", port=0, tls=True)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"], ids=["silent", "half"])
async def test_port__when_a_client_does_not_finish_its_handshake__then_it_is_dropped(
    port: int, sent: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with closing(writer), asyncio.timeout(5):
        writer.write(sent)

        assert await reader.read() == b""


async def test_port__when_a_client_does_not_end_tls__then_it_is_dropped(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with closing(writer), asyncio.timeout(5):
        client = Client()
        while not client.has_shaken_hands():
            writer.write(client.sends.read())
            received = await reader.read(65_536)
            assert received
            client.receives.write(received)
        client.protocol.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        writer.write(client.sends.read())

        client.receives.write(await reader.read())

        assert client.protocol.read(65_536).startswith(b"HTTP/1.1 200 OK")


class Client:
    """A client's side of TLS, whose bytes the test carries: nothing answers the server's end by itself."""

    def __init__(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.receives, self.sends = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.protocol = context.wrap_bio(self.receives, self.sends)

    def has_shaken_hands(self) -> bool:
        try:
            self.protocol.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True


@asynccontextmanager
async def closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
