"""What the fault proxy does to requests, and what of them reaches the other side."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from mintline_harness.chaos.proxy import FAULTS, FaultProxy, Weather

CONTENT = b"what the upstream says, all of it"


@dataclass
class Upstream:
    url: str = ""
    seen: list[tuple[str, bytes, str | None]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append((request.raw_path, await request.read(), request.headers.get("x-said")))
        return web.Response(status=418, body=CONTENT, headers={"x-answered": "yes"})


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", upstream.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    upstream.url = f"http://{host}:{port}"
    yield upstream
    await runner.cleanup()


async def ask(upstream: Upstream, **rates: float) -> tuple[int, bytes, str | None]:
    weather = Weather(random.Random(1))
    for fault, rate in rates.items():
        setattr(weather, fault, rate)
    async with (
        FaultProxy(upstream.url, weather) as proxy,
        aiohttp.ClientSession() as session,
        session.post(f"{proxy.url}/a%2Fb?c=d", data=b"body", headers={"x-said": "it"}) as response,
    ):
        return response.status, await response.read(), response.headers.get("x-answered")


async def test_request__when_the_weather_is_fine__then_passes_as_it_is(upstream: Upstream) -> None:
    assert await ask(upstream) == (418, CONTENT, "yes")
    assert upstream.seen == [("/a%2Fb?c=d", b"body", "it")]


async def test_request__when_cut__then_never_arrives(upstream: Upstream) -> None:
    with pytest.raises(aiohttp.ClientError):
        await ask(upstream, cut=1.0)
    assert upstream.seen == []


async def test_request__when_refused__then_is_answered_without_the_deed(upstream: Upstream) -> None:
    status, _, _ = await ask(upstream, refused=1.0)
    assert status in (429, 500, 503)
    assert upstream.seen == []


@pytest.mark.parametrize("fault", ["unanswered", "torn"])
async def test_request__when_its_answer_is_lost__then_the_deed_is_done(
    upstream: Upstream, fault: str
) -> None:
    with pytest.raises(aiohttp.ClientError):
        await ask(upstream, **{fault: 1.0})
    assert len(upstream.seen) == 1


def test_weather__when_it_calms_down__then_strikes_nothing_any_more() -> None:
    weather = Weather(random.Random(2))
    for _ in range(50):
        weather.storm()
        for _ in range(20):
            weather.draw()
    assert set(weather.struck) == set(FAULTS)
    weather.calm()
    before = weather.struck.total()
    assert [weather.draw() for _ in range(100)] == [None] * 100
    assert weather.struck.total() == before
