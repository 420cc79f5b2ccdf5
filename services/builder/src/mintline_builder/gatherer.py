"""Gathers sponsored mints into batches, each of which one transaction carries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field

from mintline.errors import Unavailable
from mintline.records.operations import Mint
from mintline.records.transactions import TransactionKey

ROOM = 900_000
"""Bytes of a batch with its authorizations, which the signer's host sends in a frame of 1 MiB."""
LINE_BYTES = 500
"""What a line takes of that in addition to its authorization, at most."""


@dataclass(frozen=True, slots=True)
class FailedBatch:
    """A batch that failed on chain, and how many mints it had."""

    key: TransactionKey
    size: int

    @property
    def half(self) -> int:
        """How many of its mints the next batch has, at most."""
        return -(-self.size // 2)


@dataclass(eq=False, slots=True)
class BatchLine:
    """A mint that is to be in a batch; `metadata` is still to be published, unless it is None."""

    mint: Mint
    metadata: str | None
    size: int = LINE_BYTES
    """Bytes of the batch that it takes."""
    failed: FailedBatch | None = None
    """The batch that failed on chain with it, where a recipient's code may be the reason."""
    outcome: asyncio.Future[Mint] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def resolve(self, mint: Mint) -> None:
        """Resolve `outcome` with the mint as it then stands in a batch."""
        if not self.outcome.done():
            self.outcome.set_result(mint)

    def fail(self, error: BaseException) -> None:
        """Resolve `outcome` with the error that kept the mint out of a batch."""
        if not self.outcome.done():
            self.outcome.set_exception(error)


class Gatherer:
    """Gathers lines by collection, and hands them to `assemble`.

    So many at once as `most` says for their contract, or those of `linger` seconds; fewer if more would not
    fit into ROOM.

    A mint that is delivered again while it is under way waits for the same outcome.
    """

    def __init__(
        self,
        assemble: Callable[[Sequence[BatchLine]], Awaitable[None]],
        *,
        most: Callable[[str], int],
        linger: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._assemble = assemble
        self._most = most
        self._linger = linger
        self._sleep = sleep
        self._waiting: dict[str, list[BatchLine]] = {}
        self._under_way: dict[str, BatchLine] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(
        self, mint: Mint, metadata: str | None, *, envelope: bytes, failed: FailedBatch | None = None
    ) -> Mint:
        """Wait until a mint is in a batch, and return it as it then stands; raises what stopped it.

        `envelope` is its authorization's, `failed` the batch that failed with it (`BatchLine`).
        """
        line = self._under_way.get(mint.mint_id)
        if line is None:
            line = self._add(BatchLine(mint, metadata, LINE_BYTES + len(envelope), failed))
        # A waiting caller may be cancelled, as by the consumer's deadline: the line goes on for the others.
        return await asyncio.shield(line.outcome)

    async def aclose(self) -> None:
        """Wait for the batches under way, those that gather included."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _add(self, line: BatchLine) -> BatchLine:
        mint_id, contract = line.mint.mint_id, line.mint.contract
        self._under_way[mint_id] = line
        line.outcome.add_done_callback(lambda _: self._forget(mint_id, line))
        waiting = self._waiting.setdefault(contract, [])
        if sum(other.size for other in waiting) + line.size > ROOM:
            self._start(self._send(self._waiting.pop(contract)))
            waiting = self._waiting.setdefault(contract, [])
        waiting.append(line)
        if len(waiting) >= self._most(contract):
            self._start(self._send(self._waiting.pop(contract)))
        elif len(waiting) == 1:
            self._start(self._gather(contract, waiting))
        return line

    def _forget(self, mint_id: str, line: BatchLine) -> None:
        if self._under_way.get(mint_id) is line:
            del self._under_way[mint_id]
        if not line.outcome.cancelled():
            # Retrieved, also if no caller waits any more: asyncio would log it otherwise.
            line.outcome.exception()

    def _start(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        # A context of its own: it serves many callers, and must not log under one caller's ids.
        task = asyncio.create_task(run(), name="batch", context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _gather(self, contract: str, waiting: list[BatchLine]) -> None:
        try:
            await self._sleep(self._linger)
        finally:
            mine = self._waiting.get(contract) is waiting
            if mine:
                del self._waiting[contract]
        if mine:
            await self._send(waiting)

    async def _send(self, lines: Sequence[BatchLine]) -> None:
        try:
            await self._assemble(lines)
        except asyncio.CancelledError:
            self._fail(lines, Unavailable("batch: stopped"))
            raise
        except Exception as error:  # noqa: BLE001 - raised to each caller
            self._fail(lines, error)
        else:
            self._fail(lines, Unavailable("batch: left out"))

    @staticmethod
    def _fail(lines: Sequence[BatchLine], error: BaseException) -> None:
        for line in lines:
            line.fail(error)
