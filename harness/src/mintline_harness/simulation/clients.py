"""Clients of the api, as it wants them: they ask again until they are answered, or give up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from mintline.errors import Retryable
from mintline_api.features.mints.models import MintRequest
from mintline_api.features.operations.use_cases import Accepted
from mintline_api.features.transfers.models import BurnRequest, TransferRequest
from mintline_api.features.uploads.models import MetadataRequest
from mintline_api.http.problems import RequestRefused
from mintline_harness.simulation.api import Api
from mintline_harness.simulation.mining import TURNING
from mintline_harness.simulation.process import Faults, Process
from mintline_harness.simulation.tables import Tables

T = TypeVar("T")

CANCELS = 0.15
"""How often a client stops its mint."""
REFUSING = "0x" + "6" * 40
"""A contract that takes no token."""
ANYBODY = "0x" + "5" * 40
AGAIN = 0.3
"""How often a client has a token moved that it has asked for before."""
UNKNOWN_TOKEN = 10**9
"""An id that nothing is minted with."""


@dataclass(slots=True)
class Clients:
    """Everyone who posts a mint. `apis` are the copies of the api, each with what it has come up as."""

    apis: list[tuple[Process, list[Api]]]
    faults: Faults
    rng: random.Random
    note: Callable[[str, str], None]
    accepted: set[str]
    """Hears of every operation that was accepted."""
    tables: Tables
    chance: random.Random
    """Of what came later than `rng`'s seeds."""
    clock: Callable[[], float]

    async def mint(self, user: str, number: int, at: float) -> None:
        """Post one mint, and now and then stop it again; or give up on either."""
        await self._mint(user, f"mint {number}", at, self.rng)

    async def sponsored(self, user: str, number: int, at: float) -> None:
        """Post one that a relayer pays for."""
        await self._mint(user, f"sponsored mint {number}", at, self.chance, sponsored=True)

    async def _mint(
        self, user: str, name: str, at: float, rng: random.Random, *, sponsored: bool = False
    ) -> None:
        await asyncio.sleep(at)
        to = rng.choice([None, None, TURNING, REFUSING])
        request = MintRequest(
            to=to,
            custody="sponsored" if sponsored else None,
            metadata=MetadataRequest(name=name, image="https://example.com/a.png"),
        )
        accepted = await self.ask(lambda api: api.mint(request, sub=user, key=name))
        if accepted is None:
            self.note("client", f"gives up on {name}")
            return
        mint_id = accepted.operation.mint_id
        self.accepted.add(mint_id)
        self.note("client", f"{mint_id} is accepted")
        if rng.random() < CANCELS:
            await asyncio.sleep(rng.choice([0.0, 1.0, 5.0, 20.0]))
            try:
                stopped = await self.ask(lambda api: api.cancel(mint_id, sub=user))
            except RequestRefused as refusal:
                self.note("client", f"cannot stop {mint_id}: {refusal.detail}")
            else:
                self.faults.count("cancellations")
                self.note("client", f"asks to stop {mint_id}: {stopped and stopped.mint.status}")

    async def move(self, user: str, number: int, at: float, until: float) -> None:
        """Have one of a user's tokens sent on or burned, whichever it has first; or one that it has not."""
        rng = self.chance
        await asyncio.sleep(at)
        while not (tokens := self._held_by(user)) and self.clock() < until:  # noqa: ASYNC110 - as a client
            await asyncio.sleep(1)
        token_id = rng.choice(tokens) if tokens and rng.random() < 0.9 else UNKNOWN_TOKEN + number
        again = range(2 if rng.random() < AGAIN else 1)
        await asyncio.gather(*(self._move(user, token_id, f"move {number}.{time}") for time in again))

    async def _move(self, user: str, token_id: int, name: str) -> None:
        rng = self.chance
        if rng.random() < 0.5:
            burning = BurnRequest(token_id=token_id)
            accepted: Accepted[Any] | None = await self.ask(lambda api: api.burn(burning, sub=user, key=name))
        else:
            to = rng.choice([ANYBODY, *self._wallets(), TURNING, REFUSING])
            sending = TransferRequest(token_id=token_id, to=to)
            accepted = await self.ask(lambda api: api.transfer(sending, sub=user, key=name))
        if accepted is None:
            self.note("client", f"gives up on {name}")
            return
        operation_id = accepted.operation.operation_id
        self.accepted.add(operation_id)
        self.faults.count(f"{accepted.operation.kind}s asked for")
        self.note("client", f"{operation_id} is accepted, of token {token_id}")
        # Of its own randomness: what else happens in a schedule stays as it was without cancellations.
        own = random.Random(operation_id)  # noqa: S311 - a schedule's
        if own.random() < CANCELS:
            await self._stop(operation_id, user, after=own.choice([0.0, 1.0, 5.0, 20.0]))

    async def _stop(self, operation_id: str, user: str, *, after: float) -> None:
        await asyncio.sleep(after)
        try:
            stopped = await self.ask(lambda api: api.cancel_token_operation(operation_id, sub=user))
        except RequestRefused as refusal:
            self.note("client", f"cannot stop {operation_id}: {refusal.detail}")
        else:
            self.faults.count("moves cancelled")
            self.note("client", f"asks to stop {operation_id}: {stopped and stopped.status}")

    def _held_by(self, user: str) -> list[int]:
        """Return the tokens that a user's wallet in custody has by now, final or not."""
        wallets = {wallet.address for wallet in self.tables.wallets.items.values() if wallet.sub == user}
        tokens = self.tables.store.token_table
        return [token.token_id for _, token in tokens.items() if token.owner in wallets]

    def _wallets(self) -> list[str]:
        return [wallet.address for wallet in self.tables.wallets.items.values() if wallet.ready]

    async def ask(self, request: Callable[[Api], Awaitable[T]], *, giving_up: float = 0.1) -> T | None:
        """Ask any copy of the api until one answers; None after giving up, each time so likely."""
        rng = self.rng
        while True:
            process, current = rng.choice(self.apis)
            if process.alive and current:
                call = process.spawn(request(current[0]))
                await asyncio.wait([call])
                if not call.cancelled():
                    error = call.exception()
                    if error is None:
                        return call.result()
                    if not isinstance(error, Retryable):
                        raise error
                if rng.random() < giving_up:
                    return None
            await asyncio.sleep(rng.uniform(0.5, 3))
