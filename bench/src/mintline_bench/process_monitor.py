"""What a run costs: CPU and memory of every process, AWS requests of every service.

Counters are sampled, not read once: a process that was killed and restarted begins again at zero. Services
are asked for theirs as seldom as Prometheus asks, since an answer takes CPU of the service.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp
import psutil

_AWS_LINE = re.compile(r"^mintline_aws_requests_total\{(?P<labels>[^}]*)\} (?P<value>[0-9.e+]+)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


METRICS_EVERY = 15.0
"""Seconds between two questions for a service's counters; its processes are looked at more often."""


@dataclass(slots=True)
class Costs:
    """CPU seconds and peak resident bytes by process name; AWS requests by (process, operation)."""

    cpu_seconds: dict[str, float] = field(default_factory=dict)
    peak_rss: dict[str, int] = field(default_factory=dict)
    aws_requests: Counter[tuple[str, str]] = field(default_factory=Counter)


class ProcessMonitor:
    """Samples the stack's processes while a run lasts.

    `where` returns the current pids and metrics URLs by process name: both change when one is restarted.
    """

    def __init__(
        self, session: aiohttp.ClientSession, where: Callable[[], tuple[Mapping[str, int], Mapping[str, str]]]
    ) -> None:
        self._session = session
        self._where = where
        self._cpu: dict[tuple[str, int], tuple[float, float]] = {}
        self._rss: dict[str, int] = {}
        self._aws_last: dict[tuple[str, str], float] = {}
        self._aws: Counter[tuple[str, str]] = Counter()
        self._primed = False

    async def run(self, stop: asyncio.Event, *, pause: float = 0.5) -> None:
        """Sample until `stop` is set, and once more."""
        asked_at = time.monotonic()
        while not stop.is_set():
            due = time.monotonic() - asked_at >= METRICS_EVERY
            asked_at = time.monotonic() if due else asked_at
            await self.sample(metrics=due)
            try:
                await asyncio.wait_for(stop.wait(), pause)
            except TimeoutError:
                continue
        await self.sample()

    async def sample(self, *, metrics: bool = True) -> None:
        """Take one sample of all processes, and of the services' counters if `metrics` says so."""
        pids, urls = self._where()
        for name, pid in pids.items():
            self._sample_process(name, pid)
        if metrics:
            await asyncio.gather(*(self._sample_aws(name, url) for name, url in urls.items()))
        self._primed = True

    def _sample_process(self, name: str, pid: int) -> None:
        try:
            process = psutil.Process(pid)
            times = process.cpu_times()
            rss = process.memory_info().rss
        except psutil.Error:
            return
        spent = times.user + times.system
        # A process first seen after the start was started by the run, so all it spent counts.
        first = self._cpu[name, pid][0] if (name, pid) in self._cpu else (0.0 if self._primed else spent)
        self._cpu[name, pid] = (first, spent)
        self._rss[name] = max(self._rss.get(name, 0), rss)

    async def _sample_aws(self, name: str, url: str) -> None:
        try:
            async with self._session.get(f"{url}/metrics", timeout=aiohttp.ClientTimeout(2)) as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError):
            return
        for line in text.splitlines():
            if (match := _AWS_LINE.match(line)) is None:
                continue
            labels = dict(_LABEL.findall(match["labels"]))
            key = (name, f"{labels['service']}.{labels['operation']}")
            value = float(match["value"])
            known = self._aws_last.get(key)
            self._aws_last[key] = value
            if known is None:
                known = 0.0 if self._primed else value
            self._aws[key] += int(value - known if value >= known else value)

    def costs(self) -> Costs:
        """Return what has been spent since the first sample."""
        cpu: dict[str, float] = {}
        for (name, _pid), (first, last) in self._cpu.items():
            cpu[name] = cpu.get(name, 0.0) + last - first
        return Costs(cpu, dict(self._rss), self._aws)
