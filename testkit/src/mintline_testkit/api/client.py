"""An HTTP client of an application, without a socket."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from types import TracebackType
from typing import Any, Self, cast

from aiohttp import web

from mintline_api.http.protocol import protocols, runner_of


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's JSON value."""
        return json.loads(self.body)


class _Transport(asyncio.Transport):
    """Collects what a server writes, until it closes the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed.done()

    def close(self) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        """Do nothing: the whole request is in memory anyway."""

    def resume_reading(self) -> None:
        """Do nothing."""


class _Stream:
    """What `http.client` reads an answer from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


class MemoryClient:
    """Speaks HTTP to an application through its real parser, without a socket."""

    def __init__(self, app: web.Application) -> None:
        self._runner = runner_of(app, shutdown_timeout=1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answered:
        """Send one request on a connection of its own and return the answer."""
        lines = [f"{method} {target} HTTP/1.1", "Host: api.example.com", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return await self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body, method=method)

    async def post_json(self, target: str, body: Any, *, headers: Mapping[str, str]) -> Answered:
        """Post a JSON body."""
        typed = {**headers, "Content-Type": "application/json"}
        return await self.request("POST", target, headers=typed, body=json.dumps(body).encode())

    @contextmanager
    def unfinished(self, raw: bytes) -> Iterator[None]:
        """Have the beginning of a request arrive on a connection of its own, and no more of it."""
        assert self._runner.server is not None
        protocol = protocols(self._runner.app, self._runner.server)()
        protocol.connection_made(_Transport())
        protocol.data_received(raw)
        try:
            yield
        finally:
            protocol.connection_lost(None)

    async def send(self, raw: bytes, *, method: str) -> Answered:
        """Send the bytes of one request, which must ask for the connection to be closed."""
        assert self._runner.server is not None
        protocol = protocols(self._runner.app, self._runner.server)()
        transport = _Transport()
        protocol.connection_made(transport)
        protocol.data_received(raw)
        async with asyncio.timeout(10):
            await transport.closed
        protocol.connection_lost(None)
        response = HTTPResponse(cast("Any", _Stream(bytes(transport.written))), method=method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answered(response.status, headers, response.read())
