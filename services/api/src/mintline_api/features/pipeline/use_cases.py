"""Reads the state of the pipeline, once for all who look at it within a few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from mintline.aws.dead_letters import DeadLetter
from mintline.aws.queues import Depth
from mintline.records.index import Checkpoint
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction
from mintline.resource_types import Queue
from mintline.resources import QUEUES
from mintline_api.caches import SingleFlight
from mintline_api.features.pipeline.dead_letters import DeadLetterDesk
from mintline_api.features.pipeline.ports import (
    IndexProgress,
    Part,
    PipelineRecords,
    QueueDepths,
    SenderChain,
)
from mintline_api.features.pipeline.spending import Funds, Sender, Use, read_use

KEPT = 3.0
"""Seconds for which a state is shown to all who ask."""
USE_KEPT = 60.0
"""Seconds for which what a sender did in the last day is taken to be the same."""
PATIENCE = 4.0
"""Seconds that a part may take; then it is missing."""
OLDEST = 20
"""Operations, and transactions, that are shown."""

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue's messages and dead letters; numbers are approximate, as SQS has them."""

    queue: Queue
    depth: Depth
    dead_letters: int


@dataclass(frozen=True, slots=True)
class PipelineState:
    """The pipeline at `read_at` (Unix milliseconds). A part that did not respond is None, and `missing`."""

    read_at: int
    missing: tuple[Part, ...]
    queues: Sequence[QueueState] | None
    dead_letters: Sequence[tuple[Queue, DeadLetter]] | None
    """The first of each queue; None as well if the queues are missing."""
    head: int | None
    """The chain's latest block; None as well if the deployment names no node to the api."""
    checkpoint: Checkpoint | None
    operations: Sequence[Operation] | None
    transactions: Sequence[Transaction] | None
    funds: Sequence[Funds] | None


@dataclass(slots=True, kw_only=True)
class PipelineReads:
    """Reads the state of one deployment's pipeline.

    `now` is in Unix milliseconds, `clock` in seconds. Without a `chain` no balance is known.
    """

    records: PipelineRecords
    queues: QueueDepths
    dead_letters: DeadLetterDesk
    index: IndexProgress
    chain: SenderChain | None
    senders: Sequence[Sender]
    now: Callable[[], int]
    clock: Callable[[], float]
    patience: float = PATIENCE
    _state: PipelineState | None = None
    _until: float = 0.0
    _uses: dict[str, tuple[float, Use]] = field(default_factory=dict)
    _flights: SingleFlight[str, PipelineState] = field(default_factory=SingleFlight)

    async def state(self) -> PipelineState:
        """Return the state, a few seconds old at most."""
        if self._state is None or self.clock() >= self._until:
            return await self._flights.run("state", self._read)
        return self._state

    async def redrive(self, queue: Queue, ids: Collection[str] | None, *, by: str) -> list[DeadLetter]:
        """Send dead letters of a queue back to it, and show the state that is then; returns those sent.

        `by` asks for it.
        """
        try:
            return await self.dead_letters.redrive(queue, ids, by=by)
        finally:
            self._until = 0.0

    async def _read(self) -> PipelineState:
        missing: list[Part] = []

        async def part(name: Part, reading: Awaitable[T]) -> T | None:
            try:
                async with asyncio.timeout(self.patience):
                    return await reading
            except Exception as error:  # noqa: BLE001 - whatever it fails with, the other parts are shown
                log.warning("pipeline_part_missing", part=name, reason=f"{type(error).__name__}: {error}")
                missing.append(name)
                return None

        async def queues_with_letters() -> tuple[
            list[QueueState] | None, list[tuple[Queue, DeadLetter]] | None
        ]:
            counted = await part("queues", self._queues())
            return counted, None if counted is None else await part("dead_letters", self._letters(counted))

        (queues, letters), head, checkpoint, operations, transactions, funds = await asyncio.gather(
            queues_with_letters(),
            part("chain", self._head()),
            part("index", self.index.checkpoint()),
            part("operations", self.records.oldest_operations(OLDEST)),
            part("transactions", self.records.oldest_transactions(OLDEST)),
            part("senders", self._funds()),
        )
        self._state = PipelineState(
            read_at=self.now(),
            missing=tuple(sorted(missing)),
            queues=queues,
            dead_letters=letters,
            head=head,
            checkpoint=checkpoint,
            operations=operations,
            transactions=transactions,
            funds=funds,
        )
        self._until = self.clock() + KEPT
        return self._state

    async def _queues(self) -> list[QueueState]:
        return list(await asyncio.gather(*map(self._queue, QUEUES)))

    async def _queue(self, queue: Queue) -> QueueState:
        depth, dead = await asyncio.gather(
            self.queues.depth(queue), self.queues.depth(queue, dead_letters=True)
        )
        return QueueState(queue, depth, dead.visible + dead.in_flight)

    async def _letters(self, counted: Sequence[QueueState]) -> list[tuple[Queue, DeadLetter]]:
        return await self.dead_letters.letters({queue.queue: queue.dead_letters for queue in counted})

    async def _head(self) -> int | None:
        return None if self.chain is None else await self.chain.block_number()

    async def _funds(self) -> list[Funds] | None:
        if self.chain is None:
            return None
        price = (await self.chain.fees()).price
        return list(
            await asyncio.gather(*(self._funds_of(sender, self.chain, price) for sender in self.senders))
        )

    async def _funds_of(self, sender: Sender, chain: SenderChain, price: int) -> Funds:
        balance, use = await asyncio.gather(chain.balance(sender.address), self._use(sender.address))
        return Funds(sender, balance, use.transactions, use.wei(price))

    async def _use(self, address: str) -> Use:
        kept = self._uses.get(address)
        if kept is not None and self.clock() < kept[0]:
            return kept[1]
        use = await read_use(self.records, address, now=self.now())
        self._uses[address] = (self.clock() + USE_KEPT, use)
        return use
