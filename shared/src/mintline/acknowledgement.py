"""What becomes of a message once its handler has ended.

==============================  =====================================  ====================
The handler                     The message                            Outcome
==============================  =====================================  ====================
returns                         is deleted                             done
raises Conflict                 is deleted                             duplicate
raises Deferred                 comes back after its `retry_after`     deferred
raises Unsupported              comes back after a growing delay       unsupported
is Unsupported for an hour      goes to the dead-letter queue          exhausted
raises another Retryable        comes back after a growing delay       retried
passes its deadline             comes back after a growing delay       retried
raises Rejected or Unusable     goes to the dead-letter queue          rejected
raises anything else            comes back after a growing delay       failed
fails `max_attempts` times      goes to the dead-letter queue          exhausted
is cut off by a stop            comes back at once                     abandoned
==============================  =====================================  ====================

Deferrals are no failures, so the queue's receive count cannot serve: failures are counted here, per process.
So is the hour, since a message's age includes what it waited for before.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog

from mintline.errors import Conflict, Deferred, Rejected, Retryable, Unsupported, Unusable
from mintline.queue_port import QueuesPort, Received
from mintline.resource_types import Queue
from mintline.tracebacks import digest_of_traceback

log = structlog.get_logger()

RENEW_MARGIN = 50
"""Receives before the queue's own limit at which a deferred message is replaced by a fresh copy."""
BACKOFF_CAP = 60.0
BACKOFF_DOUBLINGS = 10
FAILURES_KEPT = 10_000
UNSUPPORTED_SECONDS = 3600.0
"""For how long a message waits for a copy of the service that knows it: longer than all services take to be
upgraded one after another."""


def backoff(rng: random.Random, failures: int) -> float:
    """Return how many seconds to wait after so many failures in a row."""
    return rng.uniform(0.5, 1) * min(BACKOFF_CAP, 2.0 ** min(failures, BACKOFF_DOUBLINGS))


class Acknowledger:
    """Acknowledges, postpones or dead-letters the messages of one queue. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        queues: QueuesPort,
        queue: Queue,
        *,
        max_attempts: int,
        rng: random.Random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queues = queues
        self._queue = queue
        self._max_attempts = max_attempts
        self._rng = rng
        self._clock = clock
        self._failures: OrderedDict[str, int] = OrderedDict()
        self._unsupported: OrderedDict[str, float] = OrderedDict()

    def outcome(  # noqa: PLR0911 - one per outcome
        self, received: Received, handling: asyncio.Task[None]
    ) -> tuple[str, Awaitable[None]]:
        """Return how a handler ended, and what to await for its message to be settled accordingly."""
        if handling.cancelled():
            return "abandoned", self._queues.change_visibility(received, 0)
        match handling.exception():
            case None:
                return "done", self._end(received)
            case Conflict():
                return "duplicate", self._end(received)
            case Deferred() as error:
                return "deferred", self._defer(received, error.retry_after or 1)
            case Unsupported() as error:
                return self._wait_for_another(received, error)
            case Rejected() as error:
                return "rejected", self._dead_letter(received, error.code, error.reason, error)
            case Unusable() as error:
                return "rejected", self._dead_letter(received, "record_unusable", str(error), error)
            case error:
                return self._retry(received, error)

    async def _end(self, received: Received) -> None:
        await self._queues.delete(received)
        self._failures.pop(received.message_id, None)

    async def _defer(self, received: Received, seconds: float) -> None:
        """Postpone a message, without limit: SQS itself would dead-letter it by its receive count."""
        if received.receive_count >= self._queue.max_receives - RENEW_MARGIN:
            await self._queues.renew(received)
        else:
            await self._queues.change_visibility(received, math.ceil(seconds))

    def _wait_for_another(self, received: Received, error: Unsupported) -> tuple[str, Awaitable[None]]:
        """Leave a message to copies of another release, for an hour from when this copy first saw it."""
        now = self._clock()
        since = self._unsupported.setdefault(received.message_id, now)
        if len(self._unsupported) > FAILURES_KEPT:
            self._unsupported.popitem(last=False)
        if now - since < UNSUPPORTED_SECONDS:
            return "unsupported", self._defer(received, backoff(self._rng, received.receive_count))
        del self._unsupported[received.message_id]
        reason = f"{error}, nor does any other copy that received it within an hour"
        return "exhausted", self._dead_letter(received, "message_unsupported", reason, error)

    def _retry(self, received: Received, error: BaseException) -> tuple[str, Awaitable[None]]:
        failures = self._failures.pop(received.message_id, 0) + 1
        self._failures[received.message_id] = failures
        if len(self._failures) > FAILURES_KEPT:
            self._failures.popitem(last=False)
        if failures >= self._max_attempts:
            reason = str(error) if isinstance(error, Retryable) else type(error).__name__
            return "exhausted", self._dead_letter(received, "attempts_exhausted", reason, error)
        delay = error.retry_after if isinstance(error, Retryable) else None
        seconds = math.ceil(delay if delay is not None else backoff(self._rng, failures))
        outcome = "retried" if isinstance(error, Retryable) else "failed"
        return outcome, self._queues.change_visibility(received, seconds)

    async def _dead_letter(self, received: Received, code: str, reason: str, error: BaseException) -> None:
        log.error("message_dead_lettered", queue=self._queue.name, message_id=received.message_id, code=code)
        await self._queues.dead_letter(received, code=code, reason=reason, digest=digest_of_traceback(error))
        self._failures.pop(received.message_id, None)
