"""Keep a set of child processes running: start, readiness, restart, orderly stop.

::

    start ──▶ STARTING ──ready──▶ RUNNING ──exit──▶ BACKOFF ──▶ STARTING …
                 │ exit or timeout   │ exit, and `restart` is False
                 ▼                   ▼
            StartFailed          `failed` says why

Every child leads its own session, so a Ctrl-C on the terminal reaches the supervisor alone, which then
stops the children in reverse order. On Linux the kernel ends them even when the supervisor is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from mintline.errors import Misconfigured
from mintline_devstack import parent_death

Probe = Callable[[], Awaitable[str]]
"""Answers what is still missing before the child is ready; the empty string when it is."""

PROBE_INTERVAL = 0.1
BACKOFF_FIRST = 0.2
BACKOFF_LIMIT = 5.0
STABLE_AFTER = 30.0
"""Seconds of life after which a child's crashes are forgotten."""


class StartFailed(Misconfigured):
    """A child did not become ready; the message is one line that names the cause and the log."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One process to keep running; times are seconds."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    """The whole environment: nothing is inherited."""
    cwd: Path
    ready: Probe
    ready_timeout: float = 60.0
    grace: float = 15.0
    """From SIGTERM to SIGKILL."""
    restart: bool = True
    death_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends when the supervisor is gone: SIGTERM lets the child save its state."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a child, for the display: `what` is a constant word."""

    child: str
    what: str
    detail: str = ""


class Restarts(TypedDict):
    """Restarts of a child since the pipeline was started: their number, and the last one in Unix seconds."""

    count: int
    last: float


class Child:
    """One supervised process, across its restarts."""

    def __init__(self, spec: ChildSpec, log: Path) -> None:
        self.spec = spec
        self.log = log
        self.restarts = 0
        self.restarted_at: float | None = None
        """When it was last restarted, in Unix seconds."""
        self.process: asyncio.subprocess.Process | None = None
        self.keeper: asyncio.Task[None] | None = None
        self._spawning: asyncio.Task[asyncio.subprocess.Process] | None = None

    @property
    def pid(self) -> int | None:
        """Return the process id while the child runs."""
        alive = self.process is not None and self.process.returncode is None
        return self.process.pid if alive and self.process else None

    async def spawn(self) -> asyncio.subprocess.Process:
        """Start the process, its output appended to the log.

        Shielded: a caller cancelled midway leaves a process that `end` still finds.
        """
        self._spawning = asyncio.create_task(self._exec())
        return await asyncio.shield(self._spawning)

    async def _exec(self) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(Path(parent_death.__file__))),
                *(str(int(self.spec.death_signal)), str(os.getpid())),
                *self.spec.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.spec.env),
                cwd=self.spec.cwd,
                start_new_session=True,
            )
        return self.process

    def last_words(self) -> str:
        """Return the last line that names an error, or else the last line, shortened."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        errors = [line for line in lines if line.lower().startswith("error")]
        return cause_in(next(iter((errors or lines)[-1:]), "").strip())[:300]

    async def end(self) -> bool:
        """Stop the process and what it started; tell whether it went without SIGKILL."""
        if self._spawning is None:
            return True
        process = await self._spawning
        orderly = True
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(asyncio.shield(process.wait()), self.spec.grace)
            except TimeoutError:
                orderly = False
        kill_group(process.pid)
        await process.wait()
        return orderly


class Supervisor:
    """Starts children in the order given and stops them in reverse.

    `changed` is called after every change of a pid; `on_event` gets every event.
    """

    def __init__(
        self, logs: Path, *, on_event: Callable[[Event], None], changed: Callable[[], None] = lambda: None
    ) -> None:
        self._logs = logs
        self._on_event = on_event
        self._changed = changed
        self._children: dict[str, Child] = {}
        self._waves: list[list[Child]] = []
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Done, with the reason, once a child that may not be restarted has died."""
        self.disorderly: list[str] = []
        """Children that had to be killed, or died on their own and were not restarted."""

    def pids(self) -> dict[str, int]:
        """Return the pid of every running child by its name."""
        return {name: child.pid for name, child in self._children.items() if child.pid is not None}

    def restarts(self) -> dict[str, Restarts]:
        """Return how often each child that was ever restarted was, and when last."""
        return {
            name: Restarts(count=child.restarts, last=child.restarted_at)
            for name, child in self._children.items()
            if child.restarted_at is not None
        }

    async def start(self, *specs: ChildSpec) -> None:
        """Start children that need not wait for each other, until all are ready; raises StartFailed."""
        wave = [Child(spec, self._fresh_log(spec.name)) for spec in specs]
        self._waves.append(wave)
        self._children.update({child.spec.name: child for child in wave})
        tasks = [asyncio.create_task(self._start(child)) for child in wave]
        try:
            await asyncio.gather(*tasks)
        finally:
            await _cancel_all(tasks)

    async def stop(self) -> None:
        """Stop all children, last started first; safe to call twice and after a failed start."""
        while self._waves:
            wave = self._waves.pop()
            await _cancel_all([child.keeper for child in wave if child.keeper])
            await asyncio.gather(*(self._stop(child) for child in wave))

    async def _start(self, child: Child) -> None:
        started = time.monotonic()
        process = await child.spawn()
        self._changed()
        await self._until_ready(child, process)
        self._on_event(Event(child.spec.name, "ready", f"{time.monotonic() - started:.1f} s"))
        child.keeper = asyncio.create_task(self._keep(child, process), name=f"keep-{child.spec.name}")

    async def _stop(self, child: Child) -> None:
        name = child.spec.name
        if not await asyncio.shield(child.end()):
            self.disorderly.append(name)
        self._on_event(Event(name, "stopped"))
        self._note()

    def _fresh_log(self, name: str) -> Path:
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{name}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        log.touch()
        return log

    async def _until_ready(self, child: Child, process: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + child.spec.ready_timeout
        while True:
            missing = await child.spec.ready()
            if process.returncode is not None:
                words = child.last_words() or describe_exit(process.returncode)
                raise StartFailed(f"{child.spec.name} did not start: {words} (log: {child.log})")
            if not missing:
                return
            if time.monotonic() > deadline:
                waited = f"{child.spec.ready_timeout:.0f} s"
                raise StartFailed(
                    f"{child.spec.name} was not ready within {waited}: {missing} (log: {child.log})"
                )
            await asyncio.sleep(PROBE_INTERVAL)

    async def _keep(self, child: Child, process: asyncio.subprocess.Process) -> None:
        delay = BACKOFF_FIRST
        while True:
            born = time.monotonic()
            code = await process.wait()
            kill_group(process.pid)
            self._note()
            name, how = child.spec.name, describe_exit(code)
            if not child.spec.restart:
                self.disorderly.append(name)
                self._on_event(Event(name, "died", how))
                if not self.failed.done():
                    self.failed.set_result(f"{name} ended: {how} (log: {child.log})")
                return
            delay = BACKOFF_FIRST if time.monotonic() - born > STABLE_AFTER else delay
            self._on_event(Event(name, "crashed", f"{how}; restarting in {delay:.1f} s"))
            await asyncio.sleep(delay)
            delay = min(delay * 2, BACKOFF_LIMIT)
            process = await child.spawn()
            child.restarts += 1
            child.restarted_at = time.time()
            self._note()
            self._on_event(Event(name, "restarted", f"pid {process.pid}"))

    def _note(self) -> None:
        """Call `changed`; a full disk, perhaps why a child died, keeps it from neither restart nor end."""
        with contextlib.suppress(OSError):
            self._changed()


def cause_in(line: str) -> str:
    """Return what a log line says: the exception of a structured one that has one, else the line itself."""
    try:
        record = json.loads(line)
        cause = record["exception"][0]
        return f"{cause['exc_type']}: {cause['exc_value']}"
    except (ValueError, LookupError, TypeError):
        return line


def describe_exit(code: int) -> str:
    """Return how a process ended, to follow a colon: its exit code, or the signal that killed it."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def kill_group(leader: int) -> None:
    """Kill whatever is left of the session that `leader` led."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


async def _cancel_all(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
