"""Clients of the api, as it wants them: they ask again until they are answered, or give up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from mintline.errors import Retryable
from mintline_api.inputs import Metadata, MintRequest
from mintline_api.problems import Refused
from mintline_harness.simulation.mining import TURNING
from mintline_harness.simulation.process import Faults, Process
from mintline_harness.simulation.services import Api

T = TypeVar("T")

CANCELS = 0.15
"""How often a client stops its mint."""
REFUSING = "0x" + "6" * 40
"""A contract that takes no token."""


@dataclass(slots=True)
class Clients:
    """Everyone who posts a mint. `apis` are the copies of the api, each with what it has come up as."""

    apis: list[tuple[Process, list[Api]]]
    faults: Faults
    rng: random.Random
    note: Callable[[str, str], None]
    accepted: set[str]
    """Hears of every mint that was accepted."""

    async def mint(self, user: str, number: int, at: float) -> None:
        """Post one mint, and now and then stop it again; or give up on either."""
        rng = self.rng
        await asyncio.sleep(at)
        to = rng.choice([None, None, TURNING, REFUSING])
        metadata = Metadata(name=f"mint {number}", image="https://example.com/a.png")
        request = MintRequest(to=to, metadata=metadata)
        accepted = await self.ask(lambda api: api.mint(request, sub=user, key=f"key-{number}"))
        if accepted is None:
            self.note("client", f"gives up on mint {number}")
            return
        mint_id = accepted.operation.mint_id
        self.accepted.add(mint_id)
        self.note("client", f"{mint_id} is accepted")
        if rng.random() < CANCELS:
            await asyncio.sleep(rng.choice([0.0, 1.0, 5.0, 20.0]))
            try:
                stopped = await self.ask(lambda api: api.cancel(mint_id, sub=user))
            except Refused as refusal:
                self.note("client", f"cannot stop {mint_id}: {refusal.detail}")
            else:
                self.faults.count("cancellations")
                self.note("client", f"asks to stop {mint_id}: {stopped and stopped.mint.status}")

    async def ask(self, asked: Callable[[Api], Awaitable[T]]) -> T | None:
        """Ask any copy of the api until one answers; None after giving up."""
        rng = self.rng
        while True:
            process, current = rng.choice(self.apis)
            if process.alive and current:
                call = process.spawn(asked(current[0]))
                await asyncio.wait([call])
                if not call.cancelled():
                    error = call.exception()
                    if error is None:
                        return call.result()
                    if not isinstance(error, Retryable):
                        raise error
                if rng.random() < 0.1:
                    return None
            await asyncio.sleep(rng.uniform(0.5, 3))
