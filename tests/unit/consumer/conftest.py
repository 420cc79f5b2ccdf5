import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from mintline.consumer import Consumer
from mintline.messages.codec import AnyMessage
from mintline.messages.work import BuildMint
from mintline.resource_types import Queue
from mintline_testkit.queues import MemoryQueues

QUEUE = Queue("test", senders=("a",), receiver="b", visibility_timeout=30, max_receives=1000)
SPEED = 50.0


class FastTime:
    """Time that passes fifty times as fast as the event loop's."""

    def clock(self) -> float:
        return time.monotonic() * SPEED

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


class Harness:
    """A queue in memory, a consumer on it, and what its handler was given."""

    def __init__(self) -> None:
        self.time = FastTime()
        self.queues = MemoryQueues(clock=self.time.clock, sleep=self.time.sleep)
        self.stop = asyncio.Event()
        self.handled: list[str] = []

    def put(self, *mint_ids: str, group: str | None = None) -> None:
        for mint_id in mint_ids:
            body = BuildMint(mint_id=mint_id).model_dump_json()
            self.queues.put(QUEUE, body, group=group or f"group-{mint_id}", dedup=f"d-{mint_id}")

    def consumer(self, handle: Callable[[str], Awaitable[None]], **options: Any) -> Consumer:
        async def on_message(message: AnyMessage) -> None:
            assert isinstance(message, BuildMint)
            self.handled.append(message.mint_id)
            await handle(message.mint_id)

        return Consumer(
            queues=self.queues,
            queue=QUEUE,
            handle=on_message,
            rng=Random(7),
            clock=self.time.clock,
            sleep=self.time.sleep,
            **options,
        )

    async def until(self, condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - any condition of the test
                await asyncio.sleep(0.002)

    async def run_until(self, consumer: Consumer, condition: Callable[[], bool]) -> None:
        """Run the consumer until the condition holds, then stop it."""
        running = asyncio.create_task(consumer.run(self.stop))
        try:
            await self.until(condition)
        finally:
            self.stop.set()
            await running


@pytest.fixture
def line() -> Harness:
    return Harness()
