"""Waiting for one of several things: what loops that can be stopped are made of."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

import structlog

from mintline.errors import MintlineError
from mintline.tracebacks import frames

log = structlog.get_logger(__name__)

T = TypeVar("T")
ResultT = TypeVar("ResultT")


async def first(*futures: asyncio.Future[Any]) -> None:
    """Wait until one of `futures` is done; its result or error stays where it is."""
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def all_ended(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Wait until every task has ended, well or badly, and what is done at its end has run."""
    await asyncio.gather(*tasks, return_exceptions=True)
    # Since Python 3.12 `gather` gives the loop no turn when all have ended already, and callbacks need one.
    await asyncio.sleep(0)


async def for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, at_once: int) -> None:
    """Do some work on each item, on `at_once` of them at a time.

    Raises the first error; the work on the other items has ended by then.
    """
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def results_of(
    items: Iterable[T], work: Callable[[T], Awaitable[ResultT]], *, at_once: int
) -> list[ResultT]:
    """Do some work on each item, on `at_once` of them at a time; return the results in the items' order.

    Raises the first error, while the work on the other items goes on: it must be of a kind that may.
    """
    slots = asyncio.Semaphore(at_once)

    async def run_in_slot(item: T) -> ResultT:
        async with slots:
            return await work(item)

    return await asyncio.gather(*map(run_in_slot, items))


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


async def repeatedly(
    work: Callable[[], Awaitable[float]],
    stop: asyncio.Event,
    *,
    every: float,
    sleep: Callable[[float], Awaitable[None]],
    rng: random.Random,
) -> None:
    """Do some work again and again until `stop` is set; it outlives whatever breaks.

    `every` is the first pause and the one after a failure, in seconds; the work returns the next one. Each is
    a quarter longer or shorter by chance, so that copies do not keep step.
    """
    pause = every
    stopped = asyncio.ensure_future(either(stop))
    try:
        while await before(sleep(pause * rng.uniform(0.75, 1.25)), stopped):
            try:
                pause = await work()
            except MintlineError as error:
                log.warning("pass_failed", error=str(error))
                pause = every
            except Exception as error:  # noqa: BLE001 - what repairs must go on
                # No text of the error: it may quote what it was about.
                log.error("pass_broke", error=type(error).__name__, frames=frames(error))  # noqa: TRY400
                pause = every
    finally:
        stopped.cancel()


async def cut_off(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
