"""Messages about what is on record: the sweep sends them too, so losing one costs time and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from mintline.errors import MintlineError, Throttled
from mintline.tracebacks import digest_of_traceback

log = structlog.get_logger()

SEND_SECONDS = 5.0
"""How long a response waits for its message to be sent."""


@dataclass(frozen=True, slots=True)
class Nudges:
    """Sends them for one request: `left` returns the seconds until its deadline.

    `throttled` is called if the queue asks for less.
    """

    left: Callable[[], float] = lambda: SEND_SECONDS
    throttled: Callable[[], None] = lambda: None

    async def send(self, sending: Awaitable[None], *, mint_id: str) -> None:
        """Send a message about a committed record; a failure, or one that takes too long, is logged.

        The record stands, so the client must not get an error that says that nothing was done.
        """
        try:
            async with asyncio.timeout(min(SEND_SECONDS, self.left())):
                await sending
        except Exception as error:  # noqa: BLE001 - whatever it is, the record stays, and the sweep finds it
            if isinstance(error, Throttled):
                self.throttled()
            # Only our own errors are known to quote nothing.
            reason = str(error) if isinstance(error, MintlineError) else digest_of_traceback(error)
            log.warning("mint_message_unsent", mint_id=mint_id, error=type(error).__name__, reason=reason)
