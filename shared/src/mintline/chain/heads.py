"""News of new blocks over a WebSocket (`eth_subscribe`): a reason to poll, never data to use.

A reader that is woken polls, as it would have done a little later. So a socket that is lost, silent, late
or wrong costs latency and nothing else.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
import structlog

from mintline.chain.transport import host

FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0
HEARTBEAT = 15.0
"""Seconds between pings; a socket that does not answer one is closed."""
MOST_BYTES = 1024 * 1024
"""The longest message that is read: a header takes two kilobytes."""
_SUBSCRIBE = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}

log = structlog.get_logger(__name__)


class Heads:
    """Calls `wake` after each connection and for each new head that `url` (ws:// or wss://) announces.

    Reconnects without end, after full-jitter backoff. `sleep` is in seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        wake: Callable[[], None],
        headers: Mapping[str, str] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random,
    ) -> None:
        self._url = url
        self._wake = wake
        self._headers = headers
        self._sleep = sleep
        self._rng = rng
        self._failures = 0

    async def listen(self) -> None:
        """Listen until cancelled."""
        async with aiohttp.ClientSession() as session:
            while True:
                why = await self._one_connection(session)
                pause = self._rng.uniform(0, min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**self._failures))
                self._failures = min(self._failures + 1, 10)
                log.warning("heads_lost", endpoint=host(self._url), reason=why, retry_in=round(pause, 2))
                await self._sleep(pause)

    async def _one_connection(self, session: aiohttp.ClientSession) -> str:
        """Listen until the connection ends, and return why; not what the other side says of it."""
        try:
            async with session.ws_connect(
                self._url, headers=self._headers, heartbeat=HEARTBEAT, max_msg_size=MOST_BYTES
            ) as socket:
                await socket.send_json(_SUBSCRIBE)
                async for message in socket:
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        return "not text"
                    if not self._heard(message.json()):
                        return "the subscription was refused"
                return f"closed ({socket.close_code})"
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, RecursionError) as error:
            return type(error).__name__

    def _heard(self, message: object) -> bool:
        """Take one message in; tell whether to go on."""
        if not isinstance(message, dict):
            return False
        if message.get("method") == "eth_subscription":
            self._failures = 0
            self._wake()
            return True
        if message.get("id") == _SUBSCRIBE["id"] and isinstance(message.get("result"), str):
            log.info("heads_subscribed", endpoint=host(self._url))
            # Heads that came while there was no connection are never announced.
            self._wake()
            return True
        return False
