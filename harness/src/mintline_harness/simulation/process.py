"""Simulated processes: they lag, stop, die between any two awaits, and start again with an empty memory.

All that a process does to the world it does through ports. Each call of a port

::

    waits a while ─▶ may fail ─▶ does the deed ─▶ may die ─▶ waits a while ─▶ may fail all the same

so a crash, a pause, a late answer and an answer that got lost can fall before or after any deed.
"""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, TypeVar, cast

from mintline.errors import Retryable, Throttled, Unavailable
from mintline_harness.simulation.loop import OWNER, OwnedTask

T = TypeVar("T")
PortT = TypeVar("PortT")

QUICK = 0.02
"""Seconds that most calls take at most."""


@dataclass(slots=True)
class Faults:
    """How often what goes wrong with a call, and what was done so far; the rates are per call."""

    refusal: float = 0.0
    """The call fails before the deed."""
    lost_answer: float = 0.0
    """The call fails after the deed."""
    slow: float = 0.0
    """The call takes up to three seconds."""
    crash: float = 0.0
    """The process dies at the call, before or after the deed."""
    over: bool = False
    struck: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str) -> None:
        """Count one fault."""
        self.struck[kind] = self.struck.get(kind, 0) + 1

    def end(self) -> None:
        """Let nothing go wrong from now on."""
        self.over = True
        self.refusal = self.lost_answer = self.slow = self.crash = 0.0


@dataclass(frozen=True, slots=True)
class Ambush:
    """What happens at a method's next call: a pause of so many seconds before the deed, a death, or both."""

    method: str
    pause: float = 0.0
    death: Literal["before", "after"] | None = None
    then: Callable[[], None] = lambda: None
    """Is called as the pause begins."""


class Process:
    """One process of a service. `start` wires it again each time and returns the work that it does."""

    def __init__(
        self,
        name: str,
        start: Callable[[Process], Coroutine[Any, Any, None]],
        *,
        faults: Faults,
        rng: random.Random,
        note: Callable[[str, str], None],
        broken: Callable[[str], None],
    ) -> None:
        self.name = name
        self.generation = 0
        self.alive = False
        self.skew = 0.0
        """How far this machine's wall clock is off, in seconds."""
        self.lag = 0
        """How many blocks the node that this process asks is behind."""
        self.rng = rng
        self.note = note
        self._broken = broken
        self._start = start
        self._faults = faults
        self._loop = asyncio.get_running_loop()
        self._paused_until = 0.0
        self.calls: dict[str, int] = {}
        """How often each method of a port was called, by its name."""
        self._ambush: Ambush | None = None

    def start(self) -> None:
        """Start the process, with nothing in its memory."""
        self.generation += 1
        self.alive = True
        life = Life(self, self.generation)
        token = OWNER.set(life)
        try:
            self._loop.create_task(self._start(self), name=self.name).add_done_callback(self._ended)
        finally:
            OWNER.reset(token)
        self.life = life

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken(f"{self.name} came to an end: {error!r}")

    def crash(self) -> None:
        """End the process as kill -9 does: none of its code has any effect from here on."""
        if not self.alive:
            return
        self.alive = False
        self._faults.count("crashes")
        self.note(self.name, "dies")
        tasks = (task for task in asyncio.all_tasks(self._loop) if isinstance(task, OwnedTask))
        mine = (task for task in tasks if task.owner is self.life and task is not asyncio.current_task())
        # A set of tasks is in the order of their addresses, which is no function of the seed.
        for task in sorted(mine, key=lambda task: task.number):
            task.cancel()

    def pause(self, seconds: float) -> None:
        """Stop the process for a while, as SIGSTOP does."""
        if seconds <= 0:
            return
        self._faults.count("pauses")
        self._paused_until = max(self._paused_until, self._loop.time() + seconds)
        self.note(self.name, f"stops for {seconds:.0f} s")

    def ambush(self, ambush: Ambush | None) -> None:
        """Have something happen at a method's next call, however seldom that comes; None for nothing."""
        self._ambush = ambush

    def spawn(self, work: Awaitable[T]) -> asyncio.Task[T]:
        """Have the process do something in addition, as a request does."""
        token = OWNER.set(self.life)
        try:
            return self._loop.create_task(cast("Any", work))
        finally:
            OWNER.reset(token)

    def now(self) -> float:
        """Return this machine's wall clock, in Unix seconds."""
        return EPOCH + self._loop.time() + self.skew

    def milliseconds(self) -> int:
        """Return this machine's wall clock, in Unix milliseconds."""
        return int(self.now() * 1000)

    def clock(self) -> float:
        """Return a monotonic time, in seconds."""
        return self._loop.time()

    def port(self, target: PortT, *, seldom: bool = False) -> PortT:
        """Return the port as this process reaches it; one asked `seldom` fails less."""
        return cast("PortT", _Reached(self, target, 0.2 if seldom else 1.0))

    async def reach(self, deed: Callable[[], Awaitable[T]], what: str, weight: float) -> T:
        """Do a deed in the world, with all that can go wrong about it."""
        life, faults, rng = OWNER.get(), self._faults, self.rng
        self.calls[what] = self.calls.get(what, 0) + 1
        await asyncio.sleep(self._latency(weight))
        ambush = self._ambush if self._ambush is not None and self._ambush.method == what else None
        if ambush is not None:
            self._ambush = None
            self.pause(ambush.pause)
            ambush.then()
        while self._paused_until > self._loop.time():  # noqa: ASYNC110 - it may stop again meanwhile
            await asyncio.sleep(self._paused_until - self._loop.time())
        self._die_if_dead(life)
        luck = rng.random() / weight
        if luck < faults.refusal:
            faults.count("refusals")
            raise self._trouble(f"{what}: refused")
        luck -= faults.refusal
        death = None if ambush is None else ambush.death
        if luck < faults.crash / 2 or (death == "before" and not faults.over):
            self._die(f"before {what}")
        result = await deed()
        if luck < faults.crash or (death == "after" and not faults.over):
            self._die(f"after {what}")
        luck -= faults.crash
        lost = luck < faults.lost_answer
        if lost or luck < faults.lost_answer + 0.3:
            await asyncio.sleep(self._latency(weight))
            self._die_if_dead(life)
        if lost:
            faults.count("lost answers")
            raise self._trouble(f"{what}: no answer")
        return result

    def _latency(self, weight: float) -> float:
        rng = self.rng
        if rng.random() < self._faults.slow * weight:
            self._faults.count("slow calls")
            return rng.uniform(0.0, 3.0)
        return rng.random() * QUICK

    def _die(self, when: str) -> NoReturn:
        self.note(self.name, when)
        self.crash()
        raise asyncio.CancelledError

    def _die_if_dead(self, life: object) -> None:
        if not self.alive or life is not self.life:
            raise asyncio.CancelledError

    def _trouble(self, what: str) -> Retryable:
        return Throttled(what) if self.rng.random() < 0.2 else Unavailable(what)


@dataclass(frozen=True, slots=True, eq=False)
class Life:
    """One run of a process, from start to crash."""

    process: Process
    generation: int


EPOCH = 1_790_000_000.0
"""Unix seconds at which every simulation begins."""


class _Reached:
    """A port through the process that reaches it: every method is a call that can go wrong."""

    def __init__(self, process: Process, target: Any, weight: float) -> None:
        self._process, self._target, self._weight = process, target, weight

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)
        if not inspect.iscoroutinefunction(method):
            return method
        reach, weight = self._process.reach, self._weight

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await reach(lambda: method(*args, **kwargs), name, weight)

        setattr(self, name, call)
        return call
