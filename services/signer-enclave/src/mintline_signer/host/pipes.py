"""Carries bytes both ways between two streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

CHUNK = 64 * 1024


async def pipe(near: Stream, far: Stream, *, moved: Callable[[], object] = lambda: None) -> None:
    """Carry bytes until either end closes, then stop both ways; `moved` is called for each read."""
    pumps = [
        asyncio.create_task(_pump(near[0], far[1], moved)),
        asyncio.create_task(_pump(far[0], near[1], moved)),
    ]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, moved: Callable[[], object]
) -> None:
    while data := await source.read(CHUNK):
        moved()
        sink.write(data)
        await sink.drain()
