"""Answers that wait for the line, so that a client need not poll (RFC 7240, `Prefer: wait`)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable

import structlog

from mintline.errors import Retryable
from mintline.records import Operation
from mintline.states import TERMINAL, MintStatus
from mintline_api.features.operations.ports import OperationT

log = structlog.get_logger()

LONGEST = 10
"""Seconds that an answer waits at most; a longer wish is answered after that."""
FIRST_LOOK = 0.1
SLOWEST_LOOK = 0.5
RESTING = TERMINAL | {MintStatus.ISSUED, MintStatus.MINED}
"""Where an operation waits for its user, or has reached the chain."""

_WAIT = re.compile(r"\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(;.*)?", re.IGNORECASE | re.ASCII)


def wished(headers: Iterable[str]) -> int:
    """Return how many seconds `Prefer` headers wish to wait, at most `LONGEST`, 0 if they do not.

    The first `wait` counts, and preferences that we do not know are passed over, as RFC 7240 has it.
    """
    for header in headers:
        for preference in header.split(","):
            if match := _WAIT.fullmatch(preference):
                return min(int(match[1]), LONGEST)
    return 0


async def wait_for(
    operation: OperationT,
    until: Callable[[OperationT], bool],
    *,
    seconds: int,
    read: Callable[[str], Awaitable[OperationT | None]],
    now: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]],
) -> OperationT:
    """Return the operation once `until` holds of it, or as it is after so many seconds; `now` in Unix ms.

    `read` takes its id. One that cannot be read again meanwhile is returned as it was read last.
    """
    deadline = now() + seconds * 1000
    pause = FIRST_LOOK
    while not until(operation) and (left := deadline - now()) > 0:
        await sleep(min(pause, left / 1000))
        pause = min(pause * 1.5, SLOWEST_LOOK)
        try:
            async with asyncio.timeout(left / 1000):
                operation = await read(operation.operation_id) or operation
        except (Retryable, TimeoutError) as error:
            log.warning(
                "operation_not_read_again",
                operation_id=operation.operation_id,
                error=type(error).__name__,
            )
            break
    return operation


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
