"""The dead letters of a deployment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from mintline.aws.dead_letters import HOLD, MOST, PAUSE, ROUNDS, DeadLetter, DeadLetters
from mintline.errors import Rejected
from mintline.resource_types import Queue
from mintline_ops.deployments import Target, open_aws


@asynccontextmanager
async def open_dead_letters(target: Target) -> AsyncIterator[DeadLetters]:
    """Open the dead-letter queues of a deployment."""
    async with AsyncExitStack() as stack:
        yield DeadLetters(await open_aws(stack, target, "sqs"), target.settings.resource_prefix)


async def find(
    letters: DeadLetters,
    queue: Queue,
    message_id: str,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> DeadLetter:
    """Return one of a queue's dead letters; raises Rejected when it is not among the first `MOST`.

    One that somebody else looks at is hidden meanwhile: it is looked for `ROUNDS` times.
    """
    for last in (*[False] * (ROUNDS - 1), True):
        for letter in await letters.peek(queue, limit=MOST):
            if letter.message_id == message_id:
                return letter
        if not last:
            await sleep(PAUSE)
    reason = (
        f"no dead letter {message_id} among the first {MOST} of {queue.name}; somebody who looks at it hides "
        f"it from others for up to {HOLD} s: try again after that"
    )
    raise Rejected("message_unknown", reason)
