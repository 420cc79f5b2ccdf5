"""Where webhooks may lead, and that a connection goes to nothing but the address that was checked."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from mintline.webhooks.records import MAX_RESPONSE
from mintline.webhooks.targets import BadTarget, check_url, is_public
from mintline_notifier.webhooks import http_sender
from mintline_notifier.webhooks.http_sender import HttpSender

PUBLIC = ("1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:82a::200e")
DENIED = (
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
)
GOOD_URLS = (
    "https://shop.example.com/hooks?of=mintline",
    "https://SHOP.example.com",
    "https://xn--bcher-kva.example/",
    "https://shop.example.com:8443/",
    "https://8.8.8.8/",
    "https://[2606:4700:4700::1111]:4430/",
)
BAD_URLS = (
    "",
    "shop.example.com/hooks",
    "//shop.example.com/",
    "ftp://shop.example.com/",
    "file:///etc/passwd",
    "http://shop.example.com/",
    "https://",
    "https:///path",
    "https://user@shop.example.com/",
    "https://user:password@shop.example.com/",
    "https://:@shop.example.com/",
    "https://shop.example.com/#fragment",
    "https://shop.example.com/ space",
    "https://shop.example.com/\\..",
    "https://shop.example.com\\@127.0.0.1/",
    "https://shop.example.com/\n",
    "https://bücher.example/",
    "https://shop_1.example.com/",
    "https://shop..example.com/",
    "https://shop.example.com./",
    "https://shop.example.com:0/",
    "https://shop.example.com:22/",
    "https://shop.example.com:80/",
    "https://shop.example.com:65536/",
    "https://shop.example.com:port/",
    "https://shop.example.com:65536/",
    "https://localhost/",
    "https://app.localhost/",
    "https://intranet/",
    "https://printer.local/",
    "https://metadata.google.internal/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://127.0.0.1.0x1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fe80::1%25eth0]/",
    "https://" + "a" * 64 + ".example.com/",
    "https://shop.example.com/" + "a" * 2048,
)


@pytest.mark.parametrize("address", PUBLIC)
def test_address__when_it_is_public__then_it_may_be_connected_to(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", DENIED)
def test_address__when_it_is_not_public__then_it_may_not_be_connected_to(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("url", GOOD_URLS)
def test_url__when_it_leads_to_the_internet_by_https__then_it_may_be_a_webhooks(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize("url", BAD_URLS)
def test_url__when_it_leads_elsewhere__then_it_may_not(url: str) -> None:
    with pytest.raises(BadTarget):
        check_url(url)
    if url.removeprefix("https://").strip("[]/") not in ("localhost", "127.0.0.1", "::1"):
        with pytest.raises(BadTarget):
            check_url(url, allow_loopback=True)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:80", "[::1]:5000"])
def test_url__when_a_local_stack_allows_it__then_it_may_lead_to_this_machine(host: str) -> None:
    check_url(f"http://{host}/", allow_loopback=True)
    with pytest.raises(BadTarget):
        check_url(f"http://{host}/")


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """A server of this machine that answers as a test wants."""

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.requests: list[web.Request] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        await request.read()
        return web.Response(status=204) if self.handler is None else await self.handler(request)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/hooks"))
        yield receiver


async def send(receiver: Receiver, *, url: str | None = None, allow_loopback: bool = True) -> Any:
    async with HttpSender(clock=time.monotonic, allow_loopback=allow_loopback) as sender:
        return await sender.send(url or receiver.url, b"{}", {"webhook-id": "evt_1"})


class Rebinding(AbstractResolver):
    """Resolves each name to an address that its owner chose after the webhook was made."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.resolved = 0

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - as in the base
    ) -> list[ResolveResult]:
        self.resolved += 1
        kind = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        resolved = ResolveResult(
            hostname=host, host=self._address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
        )
        return [resolved]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_send__when_the_host_resolves_to_a_private_address__then_no_connection_is_made(
    receiver: Receiver, address: str
) -> None:
    port = int(receiver.url.split(":")[2].split("/")[0])
    resolver = Rebinding(address)
    async with HttpSender(clock=time.monotonic, resolver=resolver) as sender:
        reply = await sender.send(f"https://rebound.example:{port}/", b"{}", {})
    assert (reply.status_code, reply.error) == (None, "The host's address is not a public one.")
    assert receiver.requests == []
    assert resolver.resolved == 1


async def test_send__when_loopback_is_not_allowed__then_its_url_is_refused(receiver: Receiver) -> None:
    reply = await send(receiver, allow_loopback=False)
    assert (reply.status_code, reply.error) == (None, "The URL must begin with https://.")
    assert receiver.requests == []


async def test_send__when_the_receiver_redirects__then_it_is_not_followed(receiver: Receiver) -> None:
    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    receiver.handler = redirect
    reply = await send(receiver)
    assert (reply.status_code, reply.acknowledged) == (307, False)
    assert len(receiver.requests) == 1


async def test_send__when_the_response_is_endless__then_little_of_it_is_read(receiver: Receiver) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500, headers={"Retry-After": "120"})
        await response.prepare(request)
        while True:
            await response.write(b"\x1b[31m\xff" * 1_000)

    receiver.handler = endless
    reply = await send(receiver)
    assert (reply.status_code, reply.retry_after) == (500, 120.0)
    assert len(reply.text) <= MAX_RESPONSE
    assert "\x1b" not in reply.text


async def test_send__when_the_receiver_is_slow__then_the_attempt_ends(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    receiver.handler = slow
    monkeypatch.setattr(http_sender, "TOTAL_SECONDS", 0.2)
    reply = await send(receiver)
    released.set()
    assert reply.status_code is None
    assert reply.error == "No response within the time that a receiver has."


async def test_send__when_nothing_listens__then_the_reply_says_so(receiver: Receiver) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    reply = await send(receiver, url=f"http://127.0.0.1:{port}/")
    assert (reply.status_code, reply.error) == (None, "No connection was made.")
    reply = await send(receiver, url=receiver.url.replace("http://", "https://"))
    assert reply.error == "No TLS connection was made."


async def test_send__when_the_response_is_no_http__then_the_reply_says_so(receiver: Receiver) -> None:
    async def garble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(garble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        reply = await send(receiver, url=f"http://127.0.0.1:{port}/")
    assert reply.status_code is None
    assert reply.error in ("The response was not valid HTTP.", "The connection broke off.")
