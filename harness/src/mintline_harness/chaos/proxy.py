"""What stands between the services and what they call: a proxy that fails as networks and servers do."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from mintline_devstack.ports import HOST, Ports, free_port

LARGEST_BODY = 64 * 1024 * 1024
SLOWEST = 12.0
"""Seconds: longer than the services wait for a node."""
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "server", "date"}
)


REFUSALS = ((500, "InternalServerError"), (503, "ServiceUnavailable"), (429, "ThrottlingException"))
"""Answers of something that is out of order: status and error."""
THROTTLED = (
    (400, "ThrottlingException"),
    (400, "ProvisionedThroughputExceededException"),
    (400, "RequestThrottled"),
)
"""Answers of AWS to those who ask too often."""


@dataclass(slots=True)
class Weather:
    """How often what happens to a request, each a probability, 0 by default; `struck` counts what did."""

    rng: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - faults, not secrets
    cut: float = 0.0
    """The connection ends before the request gets anywhere."""
    refused: float = 0.0
    """The answer is an error: one of `refusals`."""
    delayed: float = 0.0
    """The request is held for a while, sometimes for longer than anyone waits."""
    unanswered: float = 0.0
    """The deed is done, and the connection ends without an answer."""
    torn: float = 0.0
    """The deed is done, and the answer ends in its middle."""
    struck: Counter[str] = field(default_factory=Counter)
    refusals: Sequence[tuple[int, str]] = REFUSALS

    def storm(self) -> None:
        """Draw how bad it gets."""
        worst = self.rng.choice([0.05, 0.15, 0.3])
        for name in FAULTS:
            setattr(self, name, self.rng.uniform(0, worst))

    def calm(self) -> None:
        """Let nothing happen from now on."""
        for name in FAULTS:
            setattr(self, name, 0.0)

    def draw(self) -> str | None:
        """Return the fault that the next request meets, if any."""
        luck = self.rng.random()
        for name in FAULTS:
            luck -= getattr(self, name)
            if luck < 0:
                self.struck[name] += 1
                return name
        return None


FAULTS = tuple(f.name for f in fields(Weather) if f.type == "float")


class FaultProxy:
    """Passes HTTP on to `upstream`, through the weather; `url` is where it listens while it is entered."""

    def __init__(self, upstream: str, weather: Weather) -> None:
        self.upstream = upstream
        self._weather = weather
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=60),
        )
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._through(request)
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            # Either side is gone: a service that was killed, or a line that is being stopped.
            return _hang_up(request)

    async def _through(self, request: web.Request) -> web.StreamResponse:
        fault = self._weather.draw()
        body = await request.read()
        if fault == "cut":
            return _hang_up(request)
        if fault == "refused":
            return refusal(*self._weather.rng.choice(self._weather.refusals))
        if fault == "delayed":
            await asyncio.sleep(self._weather.rng.choice([0.2, 1.0, 3.0, SLOWEST]))
        if request.headers.get("upgrade", "").lower() == "websocket":
            return await self._heads(request)
        async with self._session.request(
            request.method,
            self.upstream + request.raw_path,
            headers=_passed_on(request.headers),
            data=body,
            allow_redirects=False,
        ) as response:
            content = await response.read()
        if fault == "unanswered":
            return _hang_up(request)
        passed = web.Response(status=response.status, headers=_passed_on(response.headers))
        if fault != "torn":
            passed.body = content
            return passed
        return await _tear(request, passed, content)

    async def _heads(self, request: web.Request) -> web.StreamResponse:
        """Join two WebSockets until either ends."""
        here = web.WebSocketResponse()
        await here.prepare(request)
        async with self._session.ws_connect(self.upstream + request.raw_path) as there:

            async def up() -> None:
                async for message in here:
                    await there.send_str(message.data)

            async def down() -> None:
                async for message in there:
                    await here.send_str(message.data)

            ways = [asyncio.create_task(way()) for way in (up, down)]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        return here


@dataclass(frozen=True, slots=True)
class Reached:
    """A line's listeners as its services reach them: some of them through a proxy."""

    ports: Ports
    proxies: Mapping[str, FaultProxy]

    @property
    def bind(self) -> str:
        return self.ports.bind

    def port(self, name: str) -> int:
        proxy = self.proxies.get(name)
        return self.ports.port(name) if proxy is None else proxy.port

    def url(self, name: str) -> str:
        """Return the base URL at which a listener is reached."""
        return f"http://{HOST}:{self.port(name)}"


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)


def refusal(status: int, name: str) -> web.Response:
    """Return an error of AWS's JSON services."""
    text = json.dumps({"__type": name, "message": "out of order"})
    return web.Response(status=status, text=text, content_type="application/x-amz-json-1.0")


async def _tear(request: web.Request, passed: web.Response, content: bytes) -> web.StreamResponse:
    """Announce the whole content, send half of it, and hang up."""
    torn = web.StreamResponse(status=passed.status, headers=passed.headers)
    torn.content_length = len(content)
    with suppress(ConnectionError):
        await torn.prepare(request)
        await torn.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.abort()
    return torn
