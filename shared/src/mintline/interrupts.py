"""Ctrl-C and SIGTERM, as one orderly cancellation of the main task."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818 - named for what happened
    """The user or the system asked to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def run(main: Coroutine[object, object, T]) -> T:
    """Run `main`; the first signal cancels it, and raises Interrupted once it has cleaned up.

    Later signals are passed over, so that an impatient Ctrl-C cannot leave a process behind.
    """
    received: list[int] = []

    async def interruptible() -> T:
        task = asyncio.create_task(main)

        def cancel(number: int) -> None:
            received.append(number)
            if len(received) == 1:
                task.cancel()

        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, cancel, number)
        try:
            return await task
        except asyncio.CancelledError:
            if received:
                raise Interrupted(received[0]) from None
            raise

    return asyncio.run(interruptible())
