"""Kills every service again and again, each once in a period, at moments that a seed gives."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mintline_harness.chaos.disturb import SERVICES


@dataclass(slots=True)
class Killings:
    """Kills each of `services` once in each `period` of seconds. `pids` returns their current processes.

    The period has to be longer than a service takes to start, several times over.
    """

    rng: random.Random
    period: float
    pids: Callable[[], Mapping[str, int]]
    services: Sequence[str] = SERVICES
    kills: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        """Go on until cancelled; a service that is being started again at its moment is spared."""
        while True:
            moments = sorted((self.rng.uniform(0, self.period), name) for name in self.services)
            passed = 0.0
            for moment, name in moments:
                await asyncio.sleep(moment - passed)
                passed = moment
                self._kill(name)
            await asyncio.sleep(self.period - passed)

    def _kill(self, name: str) -> None:
        pid = self.pids().get(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills[name] += 1
