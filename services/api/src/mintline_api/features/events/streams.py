"""Event logs as server-sent events, which do not end until the reader goes, is too slow, or the API stops.

Source: the HTML standard, 9.2 "Server-sent events".
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import structlog
from aiohttp import web

from mintline.errors import Retryable
from mintline.events import EventLog, Placed, event_json

INTERVAL = 0.5
"""Seconds between two looks at the log."""
KEEP_ALIVE = 15.0
SLOWEST = 10.0
"""Seconds that a reader may take for what was sent; one who takes longer is cut off."""
MOST = 10
"""Streams of one principal at once."""
PAGE = 100

log = structlog.get_logger(__name__)


class EventStreams:
    """The streams that this process serves."""

    def __init__(self, events: EventLog) -> None:
        self.log = events
        self._open: Counter[str] = Counter()
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all streams: the readers connect again, to another process."""
        self._closing.set()

    @contextmanager
    def opened(self, reader: str) -> Iterator[bool]:
        """Count one more stream of a reader; yields whether there may be one."""
        if self._open[reader] >= MOST:
            yield False
            return
        self._open[reader] += 1
        try:
            yield True
        finally:
            self._open[reader] -= 1

    async def send(
        self, response: web.StreamResponse, principal: str, *, after: str, types: Collection[str] | None
    ) -> None:
        """Write events as they come, until the API stops, or the reader goes or takes too long."""
        quiet = 0.0
        try:
            # Where it begins: a reader who is cut off before the first event comes back to this place.
            await _write(response, f"id: {after}\n\n")
            while not self._closing.is_set():
                try:
                    page = await self.log.read(principal, after=after, types=types, limit=PAGE)
                except Retryable as error:
                    log.warning("events_not_read", reason=str(error))
                    await self._pause()
                    continue
                after = page.next
                if page.events:
                    quiet = 0.0
                    await _write(response, "".join(map(_text, page.events)))
                if not page.more:
                    await self._pause()
                    quiet += INTERVAL
                if quiet >= KEEP_ALIVE:
                    quiet = 0.0
                    await _write(response, ": still here\n\n")
        except (TimeoutError, ConnectionError):
            log.info("event_stream_cut")

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(INTERVAL):
                await self._closing.wait()
        except TimeoutError:
            return


async def _write(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(SLOWEST):
        await response.write(text.encode())


def _text(entry: Placed) -> str:
    body = json.dumps(event_json(entry.event), separators=(",", ":"))
    return f"id: {entry.position}\nevent: {entry.event.type}\ndata: {body}\n\n"
