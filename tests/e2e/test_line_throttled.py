"""AWS throttles everything for a while: clients are told when to come again, and nothing is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mintline_bench.users import sign_in_new
from mintline_devstack.emulators import PREFIX
from mintline_devstack.ports import Ports
from mintline_devstack.running_stack import running_stack
from mintline_harness.chaos.proxy import THROTTLED, FaultProxy, Reached, Weather
from mintline_harness.hot_keys.meter import KeyMeter
from mintline_ops import reconcile
from mintline_ops.deployments import target_of_local_stack

pytestmark = pytest.mark.e2e

MINTS = 20
KEY_LIMIT = 4
"""Write units a second and key: DynamoDB's are 1,000, which this machine does not reach."""


@dataclass(frozen=True, slots=True)
class Harness:
    """A line that reaches AWS through the weather, and one of its users."""

    info: dict[str, Any]
    session: aiohttp.ClientSession
    token: str
    weather: Weather

    async def post(self, number: int) -> tuple[int, dict[str, Any], str | None]:
        """Post the mint of that number; return the answer's status, body and Retry-After."""
        name = f"Throttled {number}"
        headers = {"authorization": f"Bearer {self.token}", "idempotency-key": f"throttled-{number}"}
        body = {"metadata": {"name": name, "image": "https://example.com/1.png"}}
        url = f"{self.info['api_url']}/v1/mints"
        async with self.session.post(url, json=body, headers=headers) as response:
            return (
                response.status,
                await response.json(content_type=None),
                response.headers.get("retry-after"),
            )

    async def accepted(self, number: int) -> str:
        """Post the mint until it is accepted, as a client does that obeys; return its id."""
        async with asyncio.timeout(60):
            while True:
                status, body, later = await self.post(number)
                if status == 202:
                    return str(body["mint_id"])
                assert status == 503, body
                assert later is not None
                await asyncio.sleep(int(later))

    async def finalized(self, mint_id: str) -> None:
        """Wait until a mint is finalized."""
        headers = {"authorization": f"Bearer {self.token}"}
        url = f"{self.info['api_url']}/v1/mints/{mint_id}"
        async with asyncio.timeout(90):
            while True:
                async with self.session.get(url, headers=headers) as response:
                    body = await response.json(content_type=None)
                if body["status"] == "finalized":
                    return
                await asyncio.sleep(0.5)


@pytest.fixture
async def hot(tmp_path: Path) -> AsyncIterator[tuple[Harness, KeyMeter]]:
    """A line whose keys are throttled at a few write units a second."""
    async with AsyncExitStack() as stack:
        meters: list[KeyMeter] = []

        async def through(ports: Ports) -> Reached:
            meter = KeyMeter(ports.url("ministack"), prefix=PREFIX, limit=KEY_LIMIT)
            meters.append(await stack.enter_async_context(meter))
            return Reached(ports, {"ministack": meter})

        line = await stack.enter_async_context(running_stack(tmp_path, ports="free", through=through))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        (token,) = await sign_in_new(line.info, count=1)
        yield Harness(line.info, session, token, Weather()), meters[0]


async def test_line__when_dynamodb_throttles_its_hottest_keys__then_mints_take_longer_and_none_is_lost(
    hot: tuple[Harness, KeyMeter],
) -> None:
    line, meter = hot
    minted = set(await asyncio.gather(*(line.accepted(number) for number in range(MINTS))))
    assert len(minted) == MINTS
    await asyncio.gather(*map(line.finalized, minted))
    refused = {key.name for key in meter.keys.hottest(10_000) if key.refused}
    assert "transactions" in refused, "the sender's, which takes five units a mint"
    _, reconciliation = await reconcile.settled(target_of_local_stack(line.info), patience=900)
    assert reconciliation.differences == []
    assert reconciliation.counts["minted"] == reconciliation.counts["indexed"] == MINTS


@pytest.fixture
async def throttled(tmp_path: Path) -> AsyncIterator[Harness]:
    weather = Weather(random.Random(1), refusals=THROTTLED)
    async with AsyncExitStack() as stack:

        async def through(ports: Ports) -> Reached:
            proxy = await stack.enter_async_context(FaultProxy(ports.url("ministack"), weather))
            return Reached(ports, {"ministack": proxy})

        line = await stack.enter_async_context(running_stack(tmp_path, ports="free", through=through))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        (token,) = await sign_in_new(line.info, count=1)
        stack.callback(weather.calm)
        yield Harness(line.info, session, token, weather)


async def test_line__when_aws_throttles_everything__then_says_when_to_come_again_and_loses_nothing(
    throttled: Harness,
) -> None:
    line = throttled
    before = [await line.accepted(number) for number in range(MINTS)]
    line.weather.refused = 1.0
    later = range(MINTS, 2 * MINTS)
    for status, body, again in await asyncio.gather(*(line.post(number) for number in later)):
        assert status == 503
        assert body["type"].rsplit("#")[-1] in ("unavailable", "overloaded")
        assert again in ("1", "2", "3", "4")
    assert line.weather.struck["refused"] > 0
    line.weather.calm()
    minted = {*before, *await asyncio.gather(*(line.accepted(number) for number in later))}
    assert len(minted) == 2 * MINTS
    await asyncio.gather(*map(line.finalized, minted))
    _, reconciliation = await reconcile.settled(target_of_local_stack(line.info), patience=900)
    assert reconciliation.differences == []
    assert reconciliation.counts["minted"] == reconciliation.counts["indexed"] == 2 * MINTS
