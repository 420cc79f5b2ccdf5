"""The one consumer loop: fetches messages, hands them to a handler, and has each settled by its outcome.

A body that is no message is `rejected` with the code `undecodable`, without reaching the handler, and one of
a type or version that only another release knows is `unsupported`. What the outcomes are, and what becomes of
the message, is `acknowledgement`'s.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

import structlog
from pydantic import ValidationError

from mintline.acknowledgement import Acknowledger, backoff
from mintline.adaptive_limit import AdaptiveLimit
from mintline.consumer_metrics import ConsumerMetrics
from mintline.errors import (
    Conflict,
    Deferred,
    MintlineError,
    Rejected,
    Throttled,
    Unavailable,
    Unsupported,
)
from mintline.frozen import faults_of
from mintline.logging import message_context
from mintline.messages.codec import AnyMessage, decode, mint_id_of
from mintline.queue_port import QueuesPort, Received
from mintline.resource_types import Queue
from mintline.tasks import all_ended, before, either, first
from mintline.tracebacks import digest_of_traceback, frames
from mintline.tracing import OFF, Tracer

__all__ = ["Consumer", "ConsumerMetrics"]

log = structlog.get_logger()

FETCH = 10
"""The most that one receive returns."""
HANDLER_SECONDS = 60.0
"""Far more than a handler takes; what waits for an event is Deferred instead."""


@dataclass(slots=True)
class _Delivery:
    received: Received
    extend_at: float
    handling: asyncio.Task[None] | None = None

    def is_due(self, now: float) -> bool:
        """Tell whether to extend: never once it is being settled, which may shorten the timeout."""
        return self.extend_at <= now and not (self.handling is not None and self.handling.done())


@dataclass(slots=True)
class _Slots:
    """Places for handlers: taken before messages are fetched, so that none waits unhandled."""

    limit: AdaptiveLimit
    taken: int = 0
    freed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def free(self) -> int:
        return max(0, self.limit.value - self.taken)

    def take(self, count: int) -> None:
        self.taken += count

    def release(self, count: int = 1) -> None:
        self.taken -= count
        self.freed.set()


class Consumer:
    """Consumes one queue with at most `concurrency` handlers at a time, fewer while they report Throttled.

    A handler that has not ended `deadline` seconds after it began, all its retries included, is cancelled and
    its message comes back: what it has committed stays, so a handler may be cancelled anywhere.
    `grace` is how long a stop waits for handlers, in seconds. After a receive that came back part full the
    next one waits `pace` seconds, so that a trickle still comes in batches; further receivers than the first
    only join while receives come back full. `now` is in Unix seconds.
    """

    def __init__(
        self,
        *,
        queues: QueuesPort,
        queue: Queue,
        handle: Callable[[AnyMessage], Awaitable[None]],
        concurrency: int = 64,
        receivers: int = 2,
        max_attempts: int = 20,
        deadline: float = HANDLER_SECONDS,
        grace: float = 25.0,
        pace: float = 0.02,
        wait: int = 20,
        metrics: ConsumerMetrics | None = None,
        tracer: Tracer = OFF,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._queues = queues
        self._queue = queue
        self._handle = handle
        self._limit = AdaptiveLimit(concurrency, clock=clock)
        self._slots = _Slots(self._limit)
        self._batch = min(FETCH, concurrency)
        self._receivers = receivers
        self._deadline = deadline
        self._grace = grace
        self._pace = pace
        self._wait = wait
        self._metrics = metrics
        if metrics is not None:
            metrics.expect(queue.name)
        self._tracer = tracer
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._acknowledger = Acknowledger(
            queues, queue, max_attempts=max_attempts, rng=self._rng, clock=clock
        )
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._deliveries: dict[asyncio.Task[None], _Delivery] = {}
        self._backlog = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set, then stop gracefully; being cancelled means the same."""
        if stop.is_set():
            return
        halt = asyncio.Event()
        loop = asyncio.create_task(self._loop(stop, halt), name=f"consumer:{self._queue.name}")
        try:
            await asyncio.shield(loop)
        except asyncio.CancelledError:
            halt.set()
            await loop
            raise

    async def _loop(self, stop: asyncio.Event, halt: asyncio.Event) -> None:
        halted = asyncio.ensure_future(either(stop, halt))
        extender = asyncio.create_task(self._extend(), name=f"extend:{self._queue.name}")
        try:
            await asyncio.gather(*(self._receive(number, halted) for number in range(self._receivers)))
            await self._drain()
        finally:
            halted.cancel()
            extender.cancel()
            await asyncio.gather(halted, extender, return_exceptions=True)

    async def _receive(self, number: int, halted: asyncio.Future[None]) -> None:
        faults = 0
        while not halted.done():
            if number and not await before(self._backlog.wait(), halted):
                return
            slots = await self._take_slots(halted)
            batch: list[Received] = []
            try:
                if slots:
                    batch = await self._fetch(slots, halted)
                faults = 0
            except Exception as error:  # noqa: BLE001 - a consumer outlives whatever its queue does
                faults += 1
                log.warning("receive_failed", queue=self._queue.name, error=str(error), faults=faults)
            self._slots.release(slots - len(batch))
            for received in batch:
                self._start(received)
            if faults:
                await before(self._sleep(backoff(self._rng, faults)), halted)
            elif len(batch) == self._batch:
                self._backlog.set()
            else:
                self._backlog.clear()
                if batch:
                    await before(self._sleep(self._pace), halted)

    async def _fetch(self, slots: int, halted: asyncio.Future[None]) -> list[Received]:
        """Receive up to `slots` messages; none on a stop: what SQS handed out by then comes back later."""
        fetch = asyncio.ensure_future(self._queues.receive(self._queue, limit=slots, wait=self._wait))
        try:
            await first(fetch, halted)
        finally:
            if not fetch.done():
                fetch.cancel()
        with suppress(asyncio.CancelledError):
            return await fetch
        return []

    async def _take_slots(self, halted: asyncio.Future[None]) -> int:
        """Take as many slots as one receive can fill, or fewer when no more come free soon; 0 to stop."""
        while not halted.done():
            if self._slots.free == 0:
                self._slots.freed.clear()
                await before(self._slots.freed.wait(), halted)
            if 0 < self._slots.free < self._batch:
                await before(self._sleep(self._pace), halted)
            if (taken := min(self._slots.free, self._batch)) and not halted.done():
                self._slots.take(taken)
                return taken
        return 0

    def _start(self, received: Received) -> None:
        delivery = _Delivery(received, self._clock() + self._queue.visibility_timeout / 2)
        task = asyncio.create_task(self._process(delivery), name=f"{self._queue.name}:{received.message_id}")
        self._deliveries[task] = delivery
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._deliveries[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("message_not_settled", queue=self._queue.name, error=type(error).__name__)

    async def _process(self, delivery: _Delivery) -> None:
        """Handle one message and settle it; a failure to settle leaves it to be redelivered."""
        received = delivery.received
        started = self._clock()
        delivery.handling = asyncio.create_task(self._handled(received), name=f"handle:{received.message_id}")
        try:
            await first(delivery.handling)
        finally:
            self._slots.release()
        self._adapt(delivery.handling)
        outcome, settle = self._acknowledger.outcome(received, delivery.handling)
        if self._metrics is not None:
            seconds, age = self._clock() - started, self._now() - received.sent_at
            self._metrics.observe(self._queue.name, outcome, seconds, age=age)
            self._metrics.intake(self._queue.name, self._limit.value)
        try:
            await settle
        except Conflict:
            log.info("receipt_expired", queue=self._queue.name, outcome=outcome)
        except MintlineError as error:
            log.warning("settling_failed", queue=self._queue.name, outcome=outcome, error=str(error))

    def _adapt(self, handling: asyncio.Task[None]) -> None:
        """Take in less while something that handlers need asks for less, and more again as they succeed."""
        error = None if handling.cancelled() else handling.exception()
        if isinstance(error, Throttled):
            self._limit.throttled()
        elif error is None:
            self._limit.done()

    async def _handled(self, received: Received) -> None:
        try:
            message = decode(received.body)
        except ValidationError as error:
            raise Rejected("undecodable", faults_of(error)) from None
        except Unsupported as error:
            log.warning(
                "message_unsupported",
                queue=self._queue.name,
                message_id=received.message_id,
                error=str(error),
            )
            raise
        with message_context(message), self._span(message) as own:
            if own:
                message = message.evolve(trace=own)
            try:
                await self._in_time(message)
            except (Conflict, Deferred):
                raise
            except MintlineError as error:
                log.warning("message_refused", queue=self._queue.name, error=str(error))
                raise
            except Exception as error:
                # No text of the error: it may quote the message.
                kind, digest = type(error).__name__, digest_of_traceback(error)
                log.error(  # noqa: TRY400 - the traceback would bring the text along
                    "handler_failed", queue=self._queue.name, error=kind, digest=digest, frames=frames(error)
                )
                raise

    async def _in_time(self, message: AnyMessage) -> None:
        """Handle a message by its deadline: what hangs is treated as what fails."""
        try:
            async with asyncio.timeout(self._deadline) as limit:
                await self._handle(message)
        except TimeoutError:
            if not limit.expired():
                raise
            raise Unavailable(f"the handler did not end within {self._deadline:g} seconds") from None

    def _span(self, message: AnyMessage) -> AbstractContextManager[str]:
        # Names and attributes of OpenTelemetry's semantic conventions for messaging.
        attributes = {"messaging.destination.name": self._queue.name, "mintline.message": message.type}
        if (mint_id := mint_id_of(message)) is not None:
            attributes["mintline.mint_id"] = mint_id
        name = f"process {self._queue.name}"
        return self._tracer.span(name, parent=message.trace, kind="consumer", attributes=attributes)

    async def _extend(self) -> None:
        """Keep messages invisible while they are handled: at half of the timeout, in batches."""
        timeout = self._queue.visibility_timeout
        while True:
            await self._sleep(timeout / 10)
            now = self._clock()
            due = [delivery for delivery in self._deliveries.values() if delivery.is_due(now)]
            for delivery in due:
                delivery.extend_at = now + timeout / 2
            calls = (self._queues.change_visibility(delivery.received, timeout) for delivery in due)
            for result in await asyncio.gather(*calls, return_exceptions=True):
                if isinstance(result, Exception):
                    log.warning("extension_failed", queue=self._queue.name, error=str(result))

    async def _drain(self) -> None:
        """Give handlers their grace, then cancel them; every message is settled before this returns."""
        if not self._deliveries:
            return
        log.info("consumer_draining", queue=self._queue.name, handlers=len(self._deliveries))
        rest = asyncio.ensure_future(all_ended(self._deliveries))
        grace = asyncio.ensure_future(self._sleep(self._grace))
        await first(rest, grace)
        grace.cancel()
        for delivery in self._deliveries.values():
            if delivery.handling is not None:
                delivery.handling.cancel()
        await rest
