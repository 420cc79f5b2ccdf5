"""The service as its process runs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from mintline.errors import Misconfigured
from mintline_indexer.service import run
from mintline_indexer.settings import IndexerSettings

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

pytestmark = pytest.mark.integration


async def _logged(logs: Sequence[Mapping[str, Any]], event: str) -> Mapping[str, Any]:
    while True:
        for entry in logs:
            if entry["event"] == event:
                return entry
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running(settings: IndexerSettings) -> AsyncIterator[str]:
    """Run the service, and stop it as SIGTERM would; give the address of its admin endpoint."""
    stop = asyncio.Event()
    with capture_logs() as logs:
        task = asyncio.create_task(run(settings, stop))
        try:
            async with asyncio.timeout(10):
                ready = await _logged(logs, "indexer_ready")
            yield f"http://127.0.0.1:{ready['admin_port']}"
        finally:
            stop.set()
            await task


def settings_for(harness: Harness, endpoint: str, rpc_url: str, **more: Any) -> IndexerSettings:
    return IndexerSettings(
        aws_endpoint_url=endpoint,
        resource_prefix=harness.prefix,
        rpc_urls=(rpc_url,),
        poll_interval=0.05,
        **{"chain_id": 31337, **more},
    )


async def until_head(harness: Harness, number: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        progress = await harness.store.load()
        if progress is not None and progress.head.number >= number:
            return
        assert time.monotonic() < deadline, progress
        await asyncio.sleep(0.05)


async def test_service__when_it_runs__then_follows_is_ready_and_hands_over(
    harness: Harness, ministack: str, anvil_automine: str
) -> None:
    await harness.register()
    settings = settings_for(harness, ministack, anvil_automine)
    async with running(settings) as url, aiohttp.ClientSession() as session:
        await harness.mint([1], harness.accounts[1])
        await harness.mine()
        await until_head(harness, await harness.node.block_number())
        async with session.get(f"{url}/readyz") as response:
            assert (response.status, (await response.json())["missing"]) == (200, [])
        async with session.get(f"{url}/metrics") as response:
            metrics = await response.text()
    assert "mintline_indexer_writer 1.0" in metrics
    assert 'mintline_aws_requests_total{operation="TransactWriteItems"' in metrics
    progress = await harness.progress()
    assert progress.writer == ""
    # The next one need not wait for a silence.
    started = time.monotonic()
    async with running(settings):
        await harness.mine()
        await until_head(harness, await harness.node.block_number())
    assert time.monotonic() - started < settings.takeover_after


async def test_service__when_heads_are_told_over_a_socket__then_blocks_are_indexed_long_before_the_interval(
    harness: Harness, ministack: str, anvil_automine: str
) -> None:
    await harness.register()
    node = {"url": anvil_automine, "ws_url": anvil_automine.replace("http", "ws", 1)}
    settings = settings_for(harness, ministack, anvil_automine)
    settings = IndexerSettings.model_validate(
        {**settings.model_dump(), "rpc_urls": [node], "poll_interval": 3_600}
    )
    async with running(settings) as url, aiohttp.ClientSession() as session:
        for _ in range(3):
            await harness.mine()
            await until_head(harness, await harness.node.block_number())
        async with session.get(f"{url}/metrics") as response:
            assert "mintline_indexer_heads_total" in await response.text()


async def test_service__when_the_node_is_away__then_says_so(
    harness: Harness, ministack: str, anvil_automine: str
) -> None:
    settings = settings_for(harness, ministack, "http://127.0.0.1:9", rpc_timeout=0.2)
    async with (
        running(settings) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/readyz") as response,
    ):
        assert (response.status, (await response.json())["missing"]) == (503, ["chain"])
    assert await harness.store.load() is None


async def test_service__when_the_node_serves_another_chain__then_does_not_start(
    harness: Harness, ministack: str, anvil_automine: str
) -> None:
    settings = settings_for(harness, ministack, anvil_automine, chain_id=1)
    with pytest.raises(Misconfigured, match="serve chain 31337, but MINTLINE_CHAIN_ID is 1"):
        await asyncio.wait_for(run(settings, asyncio.Event()), 10)
    assert await harness.store.load() is None
