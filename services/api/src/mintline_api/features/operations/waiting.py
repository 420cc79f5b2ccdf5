"""Answers that wait for the pipeline, so that a client need not poll (RFC 7240, `Prefer: wait`).

All requests of a process that wait read at the same moments, so that a hundred of them share one BatchGetItem
of operations and one of transactions (decision 0101)::

    every 100 ms   ├─┼─┼─┼─┼─┼─┼─┼─┼─┼─┼─┼─┤   a request's first reads, some 100, 250, 475 and 800 ms on
    every 500 ms   ├─────────┼─────────┼────   all reads after these
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable

import structlog
from aiohttp import web

from mintline.errors import Retryable
from mintline.records.operations import Operation
from mintline.states import TERMINAL, MintStatus
from mintline_api.features.operations.ports import OperationT
from mintline_api.http.context import DEADLINE, GATE

log = structlog.get_logger()

LONGEST = 10
"""Seconds that an answer waits at most; a longer wish is answered after that."""
FIRST_LOOK = 100
"""Milliseconds before the first look, and between the moments at which requests may look early on."""
SLOWEST_LOOK = 500
"""Milliseconds between later looks."""
RESTING = TERMINAL | {MintStatus.ISSUED, MintStatus.MINED}
"""Where an operation waits for its user, or has reached the chain."""

_WAIT = re.compile(r"\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(;.*)?", re.IGNORECASE | re.ASCII)


class Waits:
    """The requests of this process that wait. `now` returns Unix milliseconds, `sleep` takes seconds."""

    def __init__(self, *, now: Callable[[], int], sleep: Callable[[float], Awaitable[None]]) -> None:
        self.now = now
        self._sleep = sleep
        self._moments: dict[int, asyncio.Task[None]] = {}

    async def until(self, moment: int) -> None:
        """Sleep until a moment, together with all others who sleep until the same one."""
        task = self._moments.get(moment)
        if task is None:
            task = asyncio.create_task(self._pass(moment), name=f"waits until {moment}")
            self._moments[moment] = task
        await asyncio.shield(task)

    async def _pass(self, moment: int) -> None:
        try:
            await self._sleep(max(0, moment - self.now()) / 1000)
        finally:
            del self._moments[moment]


WAITS = web.AppKey("waits", Waits)


def wished(headers: Iterable[str]) -> int:
    """Return how many seconds `Prefer` headers wish to wait, at most `LONGEST`, 0 if they do not.

    The first `wait` counts, and preferences that we do not know are passed over, as RFC 7240 has it.
    """
    for header in headers:
        for preference in header.split(","):
            if match := _WAIT.fullmatch(preference):
                return min(int(match[1]), LONGEST)
    return 0


async def waited(
    request: web.Request,
    operation: OperationT,
    until: Callable[[OperationT], bool],
    read: Callable[[str], Awaitable[OperationT | None]],
) -> tuple[OperationT, dict[str, str]]:
    """Return an operation, now or when `until` holds of it, as the client prefers.

    With it comes the header that says whether the answer waited. `read` takes the operation's id.
    """
    seconds = wished(request.headers.getall("Prefer", []))
    if not seconds:
        return operation, {}
    with request.app[GATE].lingering() as may_wait:
        if not may_wait:
            return operation, {}
        seconds = min(seconds, int(request[DEADLINE].left()))
        operation = await wait_for(operation, until, seconds=seconds, read=read, waits=request.app[WAITS])
    return operation, {"Preference-Applied": "wait"}


async def wait_for(
    operation: OperationT,
    until: Callable[[OperationT], bool],
    *,
    seconds: int,
    read: Callable[[str], Awaitable[OperationT | None]],
    waits: Waits,
) -> OperationT:
    """Return the operation once `until` holds of it, or as it is after so many seconds.

    `read` takes its id. One that cannot be read again meanwhile is returned as it was read last.
    """
    # The last look is with others, too.
    deadline = _nearest(waits.now() + seconds * 1000, FIRST_LOOK)
    pause = float(FIRST_LOOK)
    while not until(operation) and (left := deadline - (now := waits.now())) > 0:
        step = SLOWEST_LOOK if pause >= SLOWEST_LOOK else FIRST_LOOK
        await waits.until(min(deadline, _nearest(now + round(pause), step)))
        pause = min(pause * 1.5, SLOWEST_LOOK)
        try:
            async with asyncio.timeout(max(left, FIRST_LOOK) / 1000):
                operation = await read(operation.operation_id) or operation
        except (Retryable, TimeoutError) as error:
            log.warning(
                "operation_not_read_again",
                operation_id=operation.operation_id,
                error=type(error).__name__,
            )
            break
    return operation


def _nearest(moment: int, step: int) -> int:
    """Return the multiple of `step` that is nearest to a moment, in milliseconds."""
    return (moment + step // 2) // step * step


def rests(operation: Operation) -> bool:
    """Tell whether an operation waits for its user, or has reached the chain or its end."""
    return operation.status in RESTING


def moved_from(first: Operation) -> Callable[[Operation], bool]:
    """Return what tells whether there is something new to rest on, or nothing more to come."""

    def moved(operation: Operation) -> bool:
        new = (operation.status, operation.problem) != (first.status, first.problem)
        return operation.status in TERMINAL or (new and (rests(operation) or operation.problem is not None))

    return moved


def has_heard_of(tx_hash: bytes) -> Callable[[Operation], bool]:
    """Return what tells whether a node's answer to a user's transaction is on record."""

    def heard(operation: Operation) -> bool:
        sent = any(attempt.tx_hash == tx_hash for attempt in operation.attempts)
        answered = operation.status is MintStatus.SUBMITTED or operation.problem is not None
        return (sent and answered) or operation.status in TERMINAL | {MintStatus.MINED}

    return heard
