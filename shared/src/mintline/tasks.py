"""Waiting for one of several things: what loops that can be stopped are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any


async def first(*futures: asyncio.Future[Any]) -> None:
    """Wait until one of `futures` is done; its result or error stays where it is."""
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def all_ended(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Wait until every task has ended, well or badly."""
    await asyncio.gather(*tasks, return_exceptions=True)


async def either(*events: asyncio.Event) -> None:
    """Wait until one of `events` is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await first(*waits)
    finally:
        for wait in waits:
            wait.cancel()


async def before(work: Awaitable[object], stop: asyncio.Future[None]) -> bool:
    """Wait for `work` unless `stop` comes first, which cancels it; tell whether to go on."""
    task = asyncio.ensure_future(work)
    await first(task, stop)
    task.cancel()
    return not stop.done()
