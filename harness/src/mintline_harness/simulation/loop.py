"""An event loop whose time is made up: it jumps to the next timer instead of waiting for it.

With nothing outside of it, and every random choice drawn from a seed, a run is a function of the seed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import Context, ContextVar
from itertools import count
from typing import Any, cast

OWNER: ContextVar[object | None] = ContextVar("owner", default=None)
"""The simulated process that the running code belongs to."""


_NUMBERS = count()


class OwnedTask(asyncio.Task[Any]):
    """A task that knows whose it is: a crash ends all tasks of a process, however they were started."""

    owner: object | None = None
    number: int = 0
    """How many were started before it."""


class Starved(Exception):  # noqa: N818 - a fact about the run
    """Nothing is left that could ever happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in asyncio's order; `time` is in seconds since the loop was made."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = self
        self._clock_resolution = 1e-9
        self.set_task_factory(_owned)
        self.set_exception_handler(_unheard)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Take the place of a selector: waiting is moving the time on."""
        if timeout is None:
            raise Starved("no timer and no callback is left")
        self._now += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing: there is no input or output."""

    def _write_to_self(self) -> None:
        """Do nothing: there is no other thread."""


def _owned(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    /,
    *,
    context: Context | None = None,
) -> asyncio.Future[Any]:
    """Start a task that belongs to the process whose code starts it, whatever context it gets."""
    owner = OWNER.get()
    if context is not None:
        context.run(OWNER.set, owner)
    task = OwnedTask(cast("Coroutine[Any, Any, Any]", coroutine), loop=loop, context=context)
    task.owner, task.number = owner, next(_NUMBERS)
    return task


def _unheard(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """Ignore what a dead process leaves behind: its tasks' errors are nobody's."""
