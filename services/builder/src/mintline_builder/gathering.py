"""Sponsored mints that wait for company, to be carried by one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field

from mintline.errors import Unavailable
from mintline.records import Mint

LINGER = 0.2
"""Seconds for which the first mint of a batch waits for company."""
ROOM = 900_000
"""Bytes of a batch with its authorizations, which the signer's host hands over in a frame of 1 MiB."""
LINE_BYTES = 500
"""What a line takes of that besides its authorization, at most."""


@dataclass(eq=False, slots=True)
class Line:
    """A mint that is to be in a batch; `metadata` is still to be published, unless it is None."""

    mint: Mint
    metadata: str | None
    size: int = LINE_BYTES
    """Bytes of the batch that it takes."""
    outcome: asyncio.Future[Mint] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, mint: Mint) -> None:
        """Say that the mint is in a batch, as it then stands."""
        if not self.outcome.done():
            self.outcome.set_result(mint)

    def fail(self, error: BaseException) -> None:
        """Say that it is in none."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


class Gatherer:
    """Gathers lines by collection, and hands them to `carry`: `most` at once, or those of `linger` seconds.

    Fewer if more would not fit into ROOM.

    A mint that is delivered again while it is under way waits for the same outcome.
    """

    def __init__(
        self,
        carry: Callable[[Sequence[Line]], Awaitable[None]],
        *,
        most: int,
        linger: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._carry = carry
        self._most = most
        self._linger = linger
        self._sleep = sleep
        self._waiting: dict[str, list[Line]] = {}
        self._under_way: dict[str, Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, mint: Mint, metadata: str | None, *, envelope: bytes) -> Mint:
        """Wait until a mint is in a batch, and return it as it then stands; raises what stopped it.

        `envelope` is its authorization's.
        """
        line = self._under_way.get(mint.mint_id)
        if line is None:
            line = self._add(Line(mint, metadata, LINE_BYTES + len(envelope)))
        # Whoever waits may be cancelled, as by the consumer's deadline: the line goes on for the others.
        return await asyncio.shield(line.outcome)

    async def aclose(self) -> None:
        """Wait for the batches under way, those that gather included."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _add(self, line: Line) -> Line:
        mint_id, contract = line.mint.mint_id, line.mint.contract
        self._under_way[mint_id] = line
        line.outcome.add_done_callback(lambda _: self._forget(mint_id, line))
        waiting = self._waiting.setdefault(contract, [])
        if sum(other.size for other in waiting) + line.size > ROOM:
            self._start(self._send(self._waiting.pop(contract)))
            waiting = self._waiting.setdefault(contract, [])
        waiting.append(line)
        if len(waiting) >= self._most:
            self._start(self._send(self._waiting.pop(contract)))
        elif len(waiting) == 1:
            self._start(self._gather(contract, waiting))
        return line

    def _forget(self, mint_id: str, line: Line) -> None:
        if self._under_way.get(mint_id) is line:
            del self._under_way[mint_id]
        if not line.outcome.cancelled():
            # Taken note of, also if nobody waits any more.
            line.outcome.exception()

    def _start(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        # A context of its own: it serves many callers, and must not log under one caller's ids.
        task = asyncio.create_task(run(), name="batch", context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _gather(self, contract: str, waiting: list[Line]) -> None:
        try:
            await self._sleep(self._linger)
        finally:
            mine = self._waiting.get(contract) is waiting
            if mine:
                del self._waiting[contract]
        if mine:
            await self._send(waiting)

    async def _send(self, lines: Sequence[Line]) -> None:
        try:
            await self._carry(lines)
        except asyncio.CancelledError:
            self._fail(lines, Unavailable("batch: stopped"))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller must hear of it
            self._fail(lines, error)
        else:
            self._fail(lines, Unavailable("batch: left out"))

    @staticmethod
    def _fail(lines: Sequence[Line], error: BaseException) -> None:
        for line in lines:
            line.fail(error)
