"""The Python client of an API in memory: requests go through the API's real parser, without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

from prometheus_client import CollectorRegistry

from mintline_client import AsyncMintline
from mintline_client.api import Token
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import PUBLIC_URL, Harness


class _Response:
    def __init__(self, answered: Answered) -> None:
        self.status = answered.status
        self.headers = {name.title(): value for name, value in answered.headers.items()}
        self._body = answered.body

    async def read(self) -> bytes:
        return self._body


class MemorySession:
    """As much of an aiohttp session as the client needs; `fails` is raised once the API has done as asked."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self.fails: Exception | None = None
        self.sent: list[tuple[str, str]] = []

    @asynccontextmanager
    async def request(
        self, method: str, url: str, *, data: bytes | None, headers: Mapping[str, str], **_: Any
    ) -> AsyncIterator[_Response]:
        """Send one request to the API."""
        target = url.removeprefix(PUBLIC_URL)
        self.sent.append((method, target))
        self._harness.registry = CollectorRegistry()  # each application registers its metrics
        async with MemoryClient(self._harness.app()) as client:
            answered = await client.request(method, target, headers=headers, body=data or b"")
        if self.fails is not None:
            raise self.fails
        yield _Response(answered)

    def client(self, url: str, *, token: str | Token | None, **_: Any) -> AsyncMintline:
        """Return a client as `AsyncMintline(url, token=token)` does, for this API at its public URL alone."""
        assert url == PUBLIC_URL
        return AsyncMintline(url, token=token, http=cast("Any", self))
