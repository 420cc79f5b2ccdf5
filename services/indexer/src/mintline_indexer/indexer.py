"""One instance of the indexer: it writes, or it stands by until the writer falls silent.

The checkpoint is the lease. Every write moves its revision, and a writer with nothing to say writes it
anyway before a third of `takeover_after` is over. An instance that sees no movement for that long (and up
to half of it more at random, so that two do not collide) puts its own name there. Nothing depends on clocks
that agree, nor on the old writer noticing: its next write fails, because the revision has moved.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from mintline.clock import Monotonic, UnixMs
from mintline.errors import Unavailable
from mintline.queue_port import SendingPort
from mintline.tracing import OFF, Tracer
from mintline_indexer.backfill import Backfill
from mintline_indexer.chain_port import ChainReader
from mintline_indexer.follow import Follower, PastFinality
from mintline_indexer.index_writer import ROWS_AT_ONCE, IndexWriter
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import (
    CheckpointConflict,
    CollectionRegistry,
    Damaged,
    Progress,
    Store,
)

STANDBY_INTERVAL = 1.0
"""Seconds between two looks of a standby at the checkpoint."""
COLLECTIONS_AGE = 5.0
"""Seconds for which the list of collections is believed, at least."""
COLLECTIONS_PER_SECOND = 100
"""Collections that are read a second on average, at most, while none is deployed or changed."""
SILENCE = 30.0
"""Seconds without a finished round after which an instance is not ready."""
POSITION_INTERVAL = 60.0
"""Seconds between two log lines that say where the index stands."""
WHAT_TO_DO = "nothing is indexed until the nodes agree; see `Past finality` in docs/index-halted.md"
REPAIR = "nothing is indexed until it is repaired; see `Damaged index record` in docs/index-halted.md"

log = structlog.get_logger()


class Indexer:
    """Call `poll` again and again: each call is one round, and any of them may be the last.

    `writer` names the instance, uniquely for each start. `clock` is monotonic, in seconds; `now` returns
    Unix milliseconds; `takeover_after` is in seconds. `widest` and `whole` are the backfill's, in blocks.
    `rows_at_once` is how many changes of a block one call of the store takes.
    Mints that a reorg reopened are announced to `outbox`, if there is one.
    """

    def __init__(
        self,
        *,
        chain: ChainReader,
        store: Store,
        collections: CollectionRegistry,
        chain_id: int,
        writer: str,
        takeover_after: float,
        widest: int,
        whole: int,
        metrics: Metrics,
        outbox: SendingPort | None = None,
        tracer: Tracer = OFF,
        clock: Callable[[], Monotonic],
        now: Callable[[], UnixMs],
        rng: random.Random,
        rows_at_once: int = ROWS_AT_ONCE,
    ) -> None:
        self._chain = chain
        self._store = store
        self._collections = collections
        self._chain_id = chain_id
        self._writer = writer
        self._takeover_after = takeover_after
        self._widest = widest
        self._whole = whole
        self._metrics = metrics
        self._outbox = outbox
        self._tracer = tracer
        self._clock = clock
        self._now = now
        self._rng = rng
        self._rows_at_once = rows_at_once
        self._index_writer: IndexWriter | None = None
        self._follower: Follower | None = None
        self._backfill: Backfill | None = None
        self._known: Mapping[str, int] = {}
        self._known_at = -COLLECTIONS_AGE
        self._watched = -1
        self._watched_since = 0.0
        self._patience = takeover_after
        self._next_look = 0.0
        self._written = -1
        self._written_at = 0.0
        self._finished_at = clock()
        self._halted: str | None = None
        self._told_at = -POSITION_INTERVAL
        metrics.head_age.set_function(lambda: self._age(finalized=False))
        metrics.finalized_age.set_function(lambda: self._age(finalized=True))

    @property
    def writing(self) -> bool:
        """Whether this instance believes that it is the writer."""
        return self._index_writer is not None

    @property
    def halted(self) -> bool:
        """Whether nothing is written until the nodes agree, or an operator repairs a record.

        The chain reorganised past finality, or the checkpoint or an undo record is damaged.
        """
        return self._halted is not None

    def trouble(self) -> str | None:
        """Return why the instance is not ready, None if it is."""
        if self._halted is not None:
            return self._halted
        silent = self._clock() - self._finished_at
        return f"no round finished for {silent:.0f} s" if silent > SILENCE else None

    async def poll(self) -> bool:
        """Do one round; tell whether there is more to do at once. Raises what the ports raise."""
        try:
            more = await self._take_over() and await self._round()
        except CheckpointConflict:
            log.warning("writer_fenced", writer=self._writer)
            self._forget()
            return False
        except PastFinality as error:
            if await self._outvoted():
                raise Unavailable(f"one endpoint left the chain: {error}") from error
            self._halt(f"reorg past finality: {error}; {WHAT_TO_DO}")
            log.critical("reorg_past_finality", reason=str(error), what_to_do=WHAT_TO_DO)
            return False
        except Damaged as error:
            # The memory is kept: without an undo record it alone knows that the block is to be undone.
            self._halt(f"damaged index record: {error}; {REPAIR}")
            log.critical("index_record_damaged", reason=str(error), what_to_do=REPAIR)
            return False
        except BaseException:
            # The write in flight may have happened or not: read again what is stored.
            self._forget()
            raise
        self._halted = None
        self._metrics.halted.set(0)
        self._finished_at = self._clock()
        return more

    def _halt(self, why: str) -> None:
        self._halted = why
        self._metrics.halted.set(1)

    async def step_down(self) -> None:
        """Leave the checkpoint, so that a standby takes over at once."""
        if self._index_writer is not None:
            await self._index_writer.step_down()
            self._forget()

    async def _outvoted(self) -> bool:
        """Tell whether the final block stands after all, by the word of most nodes."""
        assert self._index_writer is not None
        return self._chain.several and await self._chain.confirmed(self._index_writer.finalized)

    async def _round(self) -> bool:
        assert self._index_writer is not None
        assert self._follower is not None
        assert self._backfill is not None
        tips = await self._chain.tips()
        await self._follower.resume()
        await self._follower.finalize(tips.finalized)
        if self._clock() - self._known_at >= self._collections_age():
            self._follower.administered = False
            self._known = await self._collections.known(finalized=self._index_writer.finalized.number)
            self._known_at = self._clock()
        more = await self._backfill.step(self._known)
        more = await self._follower.follow(tips) or more
        await self._index_writer.flush(even_if_clean=self._silent_for_long())
        self._metrics.latest.set(tips.latest.number)
        self._metrics.head.set(self._index_writer.head.number)
        self._metrics.finalized.set(self._index_writer.finalized.number)
        if self._clock() - self._told_at >= POSITION_INTERVAL:
            self._told_at = self._clock()
            log.info(
                "index_position",
                head=self._index_writer.head.number,
                lag_blocks=tips.latest.number - self._index_writer.head.number,
                head_age=self._age(finalized=False),
                finalized_age=self._age(finalized=True),
            )
        return more

    def _collections_age(self) -> float:
        """Return after how many seconds the registered contracts are read again.

        All of them are read: so the more there are, the less often, unless a transaction that deploys or
        changes one was just indexed.
        """
        assert self._follower is not None
        if self._follower.administered:
            return COLLECTIONS_AGE
        return max(COLLECTIONS_AGE, len(self._known) / COLLECTIONS_PER_SECOND)

    def _age(self, *, finalized: bool) -> float:
        """Return how long ago a block was made, in seconds; 0 while nothing is written here."""
        if self._index_writer is None:
            return 0.0
        block = self._index_writer.finalized if finalized else self._index_writer.head
        return max(0.0, self._now() / 1000 - block.timestamp)

    def _silent_for_long(self) -> bool:
        assert self._index_writer is not None
        if self._index_writer.progress.revision != self._written:
            self._written, self._written_at = self._index_writer.progress.revision, self._clock()
        return self._clock() - self._written_at >= self._takeover_after / 3

    async def _take_over(self) -> bool:
        """Tell whether this instance writes, having made it so if the checkpoint is free."""
        if self._index_writer is not None:
            return True
        if self._clock() < self._next_look:
            return False
        progress = await self._store.peek()
        if progress is None:
            progress = await self._found()
        elif progress.writer != self._writer:
            if not self._abandoned(progress):
                self._next_look = self._clock() + STANDBY_INTERVAL
                return False
            # First the rest: what cannot be read is not taken over, so that standbys halt as well.
            progress = await self._with_contracts(progress)
            index_writer = await self._read(progress)
            progress = replace(progress, revision=progress.revision + 1, writer=self._writer, at=self._now())
            await self._store.commit(progress)
            index_writer.progress = progress
            log.info("checkpoint_taken_over", writer=self._writer, head=progress.head.number)
            self._open(index_writer)
            return True
        else:
            progress = await self._with_contracts(progress)
        self._open(await self._read(progress))
        return True

    def _abandoned(self, progress: Progress) -> bool:
        if not progress.writer:
            return True
        if progress.revision != self._watched:
            self._watched, self._watched_since = progress.revision, self._clock()
            self._patience = self._takeover_after * self._rng.uniform(1, 1.5)
        return self._clock() - self._watched_since >= self._patience

    async def _found(self) -> Progress:
        """Begin the index at the final block: what lies below is the backfill's.

        Raises Unavailable while that is one node's word, of several: nothing leads back below it.
        """
        start = (await self._chain.tips()).finalized.ref()
        if self._chain.several and not await self._chain.confirmed(start):
            raise Unavailable(f"too few nodes agree that the index may begin at block {start.number}")
        at = self._now()
        index = f"{self._writer}#{at}"
        progress = Progress(
            revision=1, writer=self._writer, head=start, finalized=start, at=at, index=index, epoch=at
        )
        await self._store.commit(progress)
        log.info("index_founded", block=start.number)
        return progress

    async def _with_contracts(self, progress: Progress) -> Progress:
        """Return the checkpoint with its contracts; the next write fails if they are not its own."""
        stored = await self._store.load()
        if stored is None or stored.revision != progress.revision:
            raise CheckpointConflict("another writer moved the checkpoint")
        return stored

    async def _read(self, progress: Progress) -> IndexWriter:
        return await IndexWriter.open(
            store=self._store,
            progress=progress,
            metrics=self._metrics,
            now=self._now,
            rows_at_once=self._rows_at_once,
        )

    def _open(self, index_writer: IndexWriter) -> None:
        self._follower = Follower(
            chain=self._chain,
            store=self._store,
            index_writer=index_writer,
            chain_id=self._chain_id,
            metrics=self._metrics,
            outbox=self._outbox,
            tracer=self._tracer,
        )
        self._backfill = Backfill(
            chain=self._chain,
            store=self._store,
            index_writer=index_writer,
            follower=self._follower,
            chain_id=self._chain_id,
            widest=self._widest,
            whole=self._whole,
        )
        self._index_writer = index_writer
        self._metrics.writer.set(1)

    def _forget(self) -> None:
        self._index_writer = self._follower = self._backfill = None
        self._metrics.writer.set(0)
        self._watched = -1
        self._next_look = 0.0
