"""Posts to receivers: a hostile one must reach nothing but itself, and hold up nothing.

The address is checked when the socket for it is made, and the connection goes to that address: a name that
leads elsewhere a moment later (DNS rebinding) changes nothing. Redirects are not followed, no proxy and no
cookie is used, and of the response no more than a little is read.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from mintline.text import bounded
from mintline.webhooks.records import MAX_RESPONSE
from mintline.webhooks.targets import BadTarget, check_url, is_public
from mintline_notifier.webhooks.ports import Reply

TOTAL_SECONDS = 15.0
CONNECT_SECONDS = 5.0
PER_HOST = 16
"""Connections to one host and port at a time, whichever webhooks lead there."""
_READ = 4 * MAX_RESPONSE
_MOST_HEADER = 8 * 1024


class AddressDeniedError(OSError):
    """An address that no webhook may lead to."""


class HttpSender:
    """Sends by HTTPS; `allow_loopback` also to this machine, by HTTP too.

    `clock` is monotonic, in seconds. Names are resolved by `resolver`: the system's, if it is None.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        allow_loopback: bool = False,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._resolver = resolver
        self._clock = clock
        self._allow_loopback = allow_loopback
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=0,
            limit_per_host=PER_HOST,
            socket_factory=self._socket,
            resolver=self._resolver,
            ttl_dns_cache=10,
        )
        self._session = await self._stack.enter_async_context(
            aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                max_line_size=_MOST_HEADER,
                max_field_size=_MOST_HEADER,
            )
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _socket(self, address: Any) -> socket.socket:
        """Return a socket for an address of `getaddrinfo`; raises AddressDeniedError unless it is public."""
        family, kind, protocol, _, place = address
        target = ip_address(place[0].partition("%")[0])
        if not is_public(target) and not (self._allow_loopback and target.is_loopback):
            raise AddressDeniedError("the host's address is not a public one")
        return socket.socket(family, kind, protocol)

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Post a body, and return what came of it."""
        assert self._session is not None
        started = self._clock()
        try:
            check_url(url, allow_loopback=self._allow_loopback)
            async with self._session.post(
                URL(url, encoded=True),
                data=body,
                headers={**headers, "Accept-Encoding": "identity"},
                allow_redirects=False,
            ) as response:
                text = await _beginning(response)
                return Reply(
                    status_code=response.status,
                    latency_ms=self._since(started),
                    text=text,
                    retry_after=_seconds(response.headers.get("Retry-After")),
                )
        except (aiohttp.ClientError, BadTarget, OSError, ssl.SSLError, ValueError) as error:
            return Reply(status_code=None, latency_ms=self._since(started), error=_reason(error))

    def _since(self, started: float) -> int:
        return max(0, int((self._clock() - started) * 1000))


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """Return what a response begins with. A longer one is cut off by closing the connection."""
    read = b""
    try:
        while len(read) < _READ and (piece := await response.content.read(_READ - len(read))):
            read += piece
    except (aiohttp.ClientError, TimeoutError):
        # The status is what counts, and it is there.
        response.close()
    if not response.content.at_eof():
        response.close()
    return bounded(read.decode("utf-8", "replace"), MAX_RESPONSE)


def _seconds(header: str | None) -> float | None:
    """Return `Retry-After` in seconds; its other form, a date, is passed over."""
    if header is None or not header.isascii() or not header.isdigit() or len(header) > 6:
        return None
    return float(header)


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "No response within the time that a receiver has."),
    (aiohttp.ClientConnectorDNSError, "The host's name was not found."),
    (aiohttp.ClientConnectorCertificateError, "The certificate is not valid for the host."),
    (aiohttp.ClientSSLError, "No TLS connection was made."),
    (aiohttp.ClientConnectorError, "No connection was made."),
    (aiohttp.ServerDisconnectedError, "The connection broke off."),
    (aiohttp.ClientPayloadError, "The connection broke off."),
    (OSError, "No connection was made."),
)
"""In this order: some are kinds of others."""


def _reason(error: BaseException) -> str:
    """Return why there was no response, without what a stranger wrote."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, AddressDeniedError):
            return "The host's address is not a public one."
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, BadTarget):
        return f"The URL {error.reason}."
    reasons = (reason for kind, reason in _REASONS if isinstance(error, kind))
    return next(reasons, "The response was not valid HTTP.")
