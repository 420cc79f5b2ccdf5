"""What goes wrong, and when: kills, stops, storms, reorgs, lost pools. All of it is drawn from the seed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog

from mintline.chain.rpc import Rpc, RpcError
from mintline.errors import Retryable
from mintline.resources import QUEUES
from mintline_harness.chaos.proxy import Weather
from mintline_harness.chaos.reorg import reorganise

SERVICES = ("api", "builder", "enclave", "signer-host", "broadcaster", "indexer", "notifier")
KILLS = 5
"""Of each service in a run."""
STOPPED = max(queue.visibility_timeout for queue in QUEUES) + 3.0
"""Seconds: past the visibility timeout of what the service holds, and past the indexer's lease."""
DEEPEST = 5
"""Blocks that a reorg takes back."""

log = structlog.get_logger()


@dataclass(slots=True)
class Disturbances:
    """Breaks a running stack for `span` seconds. `pids` returns the current process of each service."""

    rng: random.Random
    span: float
    pids: Callable[[], Mapping[str, int]]
    rpc: Rpc
    weather: Weather
    struck: Counter[str] = field(default_factory=Counter)
    _reorganising: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Do everything, at the times that the seed says; nothing is broken any more when this returns."""
        rng, span = self.rng, self.span
        plans = [
            self._at(rng.uniform(0, span), partial(self._kill, name))
            for name in SERVICES
            for _ in range(KILLS)
        ]
        plans += [
            self._at(rng.uniform(0, max(1.0, span - STOPPED)), partial(self._stop, name)) for name in SERVICES
        ]
        plans += [self._at(at, self._reorganise) for at in _times(rng, span, every=10.0)]
        plans += [self._at(at, self._drop_pool) for at in _times(rng, span, every=15.0)]
        plans += [self._at(at, self._change_weather) for at in _times(rng, span, every=5.0)]
        try:
            await asyncio.gather(*plans)
        finally:
            self.weather.calm()
        self.struck.update({f"requests {name}": count for name, count in self.weather.struck.items()})

    async def _at(self, when: float, deed: Callable[[], Awaitable[object]]) -> None:
        await asyncio.sleep(when)
        await deed()

    async def _kill(self, name: str) -> None:
        if await self._signal(name, signal.SIGKILL):
            self.struck["kills"] += 1

    async def _stop(self, name: str) -> None:
        """Stop a process for a while; should it be killed meanwhile, its successor is left alone."""
        pid = await self._signal(name, signal.SIGSTOP)
        if pid:
            self.struck["stops"] += 1
            try:
                await asyncio.sleep(STOPPED)
            finally:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    async def _signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a service, waiting until it runs; return its pid, 0 if it does not come."""
        for _ in range(100):
            pid = self.pids().get(name)
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
                    return pid
            await asyncio.sleep(0.1)
        return 0

    async def _reorganise(self) -> None:
        depth = self.rng.randint(1, DEEPEST)
        async with self._reorganising:
            await self._disturb_chain("reorgs", reorganise(self.rpc, depth))

    async def _drop_pool(self) -> None:
        await self._disturb_chain("pool drops", self.rpc.call("anvil_dropAllTransactions", []))

    async def _disturb_chain(self, what: str, deed: Awaitable[object]) -> None:
        try:
            await deed
        except (Retryable, RpcError) as error:
            log.warning("chain_not_disturbed", what=what, error=str(error))
        else:
            self.struck[what] += 1

    async def _change_weather(self) -> None:
        if self.rng.random() < 0.3:
            self.weather.calm()
        else:
            self.weather.storm()


def _times(rng: random.Random, span: float, *, every: float) -> list[float]:
    times: list[float] = []
    at = rng.expovariate(1 / every)
    while at < span:
        times.append(at)
        at += rng.expovariate(1 / every)
    return times
