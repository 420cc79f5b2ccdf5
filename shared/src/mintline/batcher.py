"""Groups the items of concurrent callers into batches; when idle, an item is sent at once.

While a flush is in flight, items gather until a batch is full, a flush ends, or the linger is over. When
several arrived in the same turn of the event loop, they gather as long as others follow closely.

In a trickle, whose items come less than `TRICKLE_GAP` seconds after one another, an item may wait a little
for the next one, as long as that pays: after a wait in which none came, the next item goes at once, then the
next two, four, and so on up to `MOST_SKIPPED`. So callers that come one after another are hardly slowed down;
nor are a few at a time, if a wait must bring some to its end to have paid. After a wait that paid, a gap of
up to `TRICKLE_PAUSE` seconds does not end the trickle.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from mintline.span_context import CURRENT_SPAN, link_spans

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


TRICKLE_GAP = 0.1
"""Seconds after an item within which another one is worth waiting for."""
TRICKLE_PAUSE = 0.4
"""The same after a wait that paid: among independent callers, a longer gap now and then is chance."""
MOST_SKIPPED = 32
CLOSELY = 0.25
"""The part of the linger within which an item follows closely."""

_SOON = 0.0001
"""Seconds that no timer is worth."""


class _Submission(NamedTuple, Generic[ItemT, ResultT]):
    """One caller's item, and the span that it was submitted in."""

    item: ItemT
    weight: int
    group: Hashable | None
    future: asyncio.Future[ResultT]
    span: str


def _weightless(_: object) -> int:
    return 0


def _ungrouped(_: object) -> None:
    return None


class _Trickle:
    """Decides whether an item waits for the next one."""

    def __init__(self, seconds: float, tail: float) -> None:
        self._seconds = seconds
        self._tail = tail
        self._last = -math.inf
        self._gap = math.inf
        self._paid = False
        """Whether the last wait did."""
        self._skip = 0
        self._skipped = 1
        """How many items go at once after the next wait that was in vain."""

    def came(self, now: float) -> None:
        """Note an item."""
        self._gap, self._last = now - self._last, now

    def since(self, now: float) -> float:
        """Return how long ago the last item came."""
        return now - self._last

    def patience(self, now: float) -> float:
        """Return how much longer the last item waits for the next one."""
        return self._tail - self.since(now)

    def wait(self) -> float:
        """Return how long the item that came last waits; 0 if not at all."""
        if not self._seconds:
            return 0.0
        if self._gap >= (TRICKLE_PAUSE if self._paid else TRICKLE_GAP):
            self._paid = False
            return 0.0
        if self._skip:
            self._skip -= 1
            return 0.0
        return self._seconds

    def ended(self, now: float, *, alone: bool) -> None:
        """Note how a wait ended: with one item alone, or with several."""
        self._paid = not alone and self.patience(now) > _SOON
        if self._paid:
            self._skip, self._skipped = 0, 1
        else:
            self._skip, self._skipped = self._skipped, min(MOST_SKIPPED, self._skipped * 2)

    def filled(self) -> None:
        """Note that a batch was full before its wait was over."""
        self._paid, self._skip, self._skipped = True, 0, 1


class Batcher(Generic[ItemT, ResultT]):
    """Coalesces `submit` calls into `flush` calls of at most `max_items` and `max_weight`.

    `flush` returns one result or exception for each item, in order; when it raises, all of its batch fails.
    At most `concurrency` flushes run at a time; `linger` is in seconds. `trickle` is how long, in seconds, an
    item of a trickle waits for the next one while nothing is in flight; a wait in whose last `tail` seconds
    none came was in vain. Items of one `group` are flushed in the order of their calls: what comes later
    waits for a flush in flight that has one of its group.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT | BaseException]]],
        *,
        max_items: int,
        max_weight: int | None = None,
        weight: Callable[[ItemT], int] = _weightless,
        group: Callable[[ItemT], Hashable | None] = _ungrouped,
        linger: float = 0.003,
        trickle: float = 0.0,
        tail: float = math.inf,
        concurrency: int = 4,
    ) -> None:
        self._flush = flush
        self._max_items = max_items
        self._max_weight = max_weight
        self._weigh = weight
        self._group = group
        self._groups_in_flight: set[Hashable] = set()
        self._waiting: Counter[Hashable] = Counter()
        self._linger = linger
        self._trickle = _Trickle(trickle, tail)
        self._concurrency = concurrency
        self._pending: deque[_Submission[ItemT, ResultT]] = deque()
        self._weight = 0
        self._timer: asyncio.Handle | None = None
        self._flights: set[asyncio.Task[None]] = set()
        self._closed = False

    async def submit(self, item: ItemT) -> ResultT:
        """Return the item's own result, or raise its own error.

        A cancelled caller takes back an item that is not yet in flight and harms no other.
        """
        if self._closed:
            raise RuntimeError("the batcher is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ResultT] = loop.create_future()
        self._trickle.came(loop.time())
        weight = self._weigh(item)
        group = self._group(item)
        self._pending.append(_Submission(item, weight, group, future, CURRENT_SPAN.get()))
        self._waiting[group] += 1
        self._weight += weight
        if self._full():
            self._trickle.filled()
            self._launch()
        elif self._timer is None:
            self._wait(idle=not self._flights)
        return await future

    async def aclose(self) -> None:
        """Flush what is pending and wait for what is in flight."""
        self._closed = True
        while self._pending or self._flights:
            self._launch(everything=True)
            if self._flights:
                await asyncio.wait(self._flights)

    def _full(self) -> bool:
        if self._max_weight is not None and self._weight >= self._max_weight:
            return True
        if len(self._pending) < self._max_items:
            return False
        waiting = sum(map(self._waiting.__getitem__, self._groups_in_flight))
        return len(self._pending) - waiting >= self._max_items

    def _wait(self, *, idle: bool) -> None:
        loop = asyncio.get_running_loop()
        if idle and (seconds := self._trickle.wait()):
            self._wait_for_next(loop.time() + seconds)
        elif idle:
            self._timer = loop.call_soon(self._end_of_turn)
        else:
            self._timer = loop.call_later(self._linger, self._end_of_linger)

    def _end_of_turn(self) -> None:
        self._timer = None
        if len(self._pending) > 1 and self._linger > 0:
            self._gather(asyncio.get_running_loop().time() + self._linger)
        else:
            self._launch(everything=True)

    def _gather(self, end: float) -> None:
        """Wait as long as items follow closely, until `end`, in the loop's time."""
        loop, closely = asyncio.get_running_loop(), self._linger * CLOSELY
        now = loop.time()
        left = min(end - now, closely - self._trickle.since(now))
        if left > _SOON:
            self._timer = loop.call_later(left, self._gather, end)
        else:
            self._end_of_linger()

    def _wait_for_next(self, end: float) -> None:
        """Wait as long as items come, until `end`, in the loop's time."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        left = min(end - now, self._trickle.patience(now))
        if left > _SOON:
            self._timer = loop.call_later(left, self._wait_for_next, end)
        else:
            self._trickle.ended(now, alone=len(self._pending) == 1)
            self._end_of_linger()

    def _end_of_linger(self) -> None:
        self._timer = None
        self._launch(everything=True)

    def _launch(self, *, everything: bool = False) -> None:
        while len(self._flights) < self._concurrency and (self._full() or (everything and self._pending)):
            batch = self._take()
            if not batch:
                break  # what is pending waits for a flight that has one of its group
            groups = {submission.group for submission in batch} - {None}
            self._groups_in_flight |= groups
            # A context of its own: a flush serves many callers, so it must not log under one caller's ids.
            flight = asyncio.create_task(self._fly(batch), context=Context())
            self._flights.add(flight)
            flight.add_done_callback(partial(self._landed, groups))
        if not self._pending and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take(self) -> list[_Submission[ItemT, ResultT]]:
        batch: list[_Submission[ItemT, ResultT]] = []
        waiting: list[_Submission[ItemT, ResultT]] = []
        total = 0
        while self._pending and len(batch) < self._max_items:
            submission = self._pending[0]
            if batch and self._max_weight is not None and total + submission.weight > self._max_weight:
                break
            self._pending.popleft()
            if submission.group in self._groups_in_flight:
                waiting.append(submission)
                continue
            self._weight -= submission.weight
            self._waiting[submission.group] -= 1
            if not self._waiting[submission.group]:
                del self._waiting[submission.group]
            if not submission.future.done():
                batch.append(submission)
                total += submission.weight
        self._pending.extendleft(reversed(waiting))
        return batch

    async def _fly(self, batch: list[_Submission[ItemT, ResultT]]) -> None:
        link_spans(submission.span for submission in batch)
        results: Sequence[ResultT | BaseException]
        try:
            results = await self._flush([submission.item for submission in batch])
        except Exception as error:  # noqa: BLE001 - handed to every caller of the batch
            results = [error] * len(batch)
        except asyncio.CancelledError:
            for submission in batch:
                submission.future.cancel()
            raise
        if len(results) != len(batch):
            results = [RuntimeError(f"a flush of {len(batch)} returned {len(results)} results")] * len(batch)
        for submission, result in zip(batch, results, strict=True):
            if submission.future.done():
                continue
            if isinstance(result, BaseException):
                submission.future.set_exception(result)
            else:
                submission.future.set_result(result)

    def _landed(self, groups: set[Hashable], flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        self._groups_in_flight -= groups
        # With other flights still out, a running linger decides: landing early would split its batch.
        self._launch(everything=not self._flights or self._timer is None)
