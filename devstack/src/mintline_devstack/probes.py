"""Ask processes whether they are ready; each probe answers what is missing, or the empty string."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from mintline_devstack.supervisor import Probe
from mintline_ops.status import NO_KEEP_ALIVE, rpc

PROBE_TIMEOUT = aiohttp.ClientTimeout(total=2)


def http_ready(http: aiohttp.ClientSession, url: str) -> Probe:
    """Return a probe for an HTTP address that answers 200 once its process is ready."""

    async def probe() -> str:
        async with http.get(url, timeout=PROBE_TIMEOUT, headers=NO_KEEP_ALIVE) as response:
            return "" if response.status == 200 else f"{url} says {response.status} {await _short(response)}"

    return _answering(probe, url)


def chain_ready(http: aiohttp.ClientSession, url: str) -> Probe:
    """Return a probe for a JSON-RPC node."""

    async def probe() -> str:
        await rpc(http, url, "eth_chainId", [])
        return ""

    return _answering(probe, url)


def socket_ready(path: Path) -> Probe:
    """Return a probe for a process that listens on a unix socket."""

    async def probe() -> str:
        _, writer = await asyncio.wait_for(asyncio.open_unix_connection(path), 2)
        writer.close()
        return ""

    return _answering(probe, str(path))


def _answering(probe: Callable[[], Awaitable[str]], where: str) -> Probe:
    async def guarded() -> str:
        try:
            return await probe()
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            return f"no answer at {where} ({type(error).__name__})"

    return guarded


async def _short(response: aiohttp.ClientResponse) -> str:
    return " ".join((await response.text()).split())[:300]
