"""Notifiers, which read the changes of a schedule's records once it is over, and faults of their own.

Nothing that they write is read by other services, so they may as well come later: they meet each write
at its time, and the records as they were then.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from prometheus_client import CollectorRegistry

from mintline.aws.items import Item
from mintline.aws.records import to_item
from mintline.errors import Retryable
from mintline.events import Event
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction
from mintline.resource_types import Table
from mintline.resources import MINTS, TRANSACTIONS
from mintline_harness.simulation.history import History
from mintline_harness.simulation.parts import Parts
from mintline_harness.simulation.process import EPOCH, Faults, Process
from mintline_notifier.changes import Read, Shard
from mintline_notifier.metrics import Metrics
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notifier.followers import follower
from mintline_testkit.notifier.tables import MemoryCursors, MemoryTables

LEAD = 5.0
"""Seconds by which readers are there before the first write."""
SETTLED = 90.0
"""Seconds, after the last write and the last fault, in which every log must be whole."""
IDLE, IDLE_AT_END = 12.0, 4.0
"""Seconds after which a reader looks again though nothing was written."""
BEHIND = (0.0, 0.0, 0.5, 4.0)
"""By how many seconds a table's stream may be behind the table, less than the notifier allows for."""
PAGE = 50
"""Changes that are read at once."""
OLD = 20.0
"""Seconds after which a change may come behind empty pages: a reader who keeps up does not meet those."""
EMPTY = 5
"""There are fewer empty pages in a row than this."""
SPLITS = 3
"""Of a stream, at most: a reader goes from parents to children round by round."""
STREAMED = (MINTS, TRANSACTIONS)


class Streams(MemoryTables):
    """Tables whose streams show a write after a while, each stream after its own."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(page=PAGE)
        self.behind = dict.fromkeys([table.name for table in STREAMED], 0.0)
        self.wrote = asyncio.Event()
        self._clock = clock
        self._times: list[float] = []
        self._begun: dict[Shard, float] = {}
        self._empty = Counter[int]()

    def keep(self, table: Table, new: Item) -> None:
        """Write an item that nobody changes any more."""
        self.now = int((EPOCH + self._clock() - LEAD) * 1000)
        self._times.append(self._clock())
        super().keep(table, new)
        self.wrote.set()

    def split(self, table: Table) -> Shard:
        """End a table's shard; the next is listed as late as writes are shown."""
        shard = super().split(table)
        self._begun[shard] = self._clock()
        return shard

    async def shards(self) -> Sequence[Shard]:
        """Return the shards of the streams in which anything happens, as far as they are listed by now."""
        streamed = [shard for shard in await super().shards() if shard.table in STREAMED]
        return [shard for shard in streamed if self._begun.get(shard, 0.0) <= self._shown_until(shard.table)]

    async def read(self, shard: Shard, after: str | None) -> Read:
        """Return a page of a shard, as far as it is shown by now, or an empty one in mid-shard."""
        read = await super().read(shard, after)
        if read.changes and self._is_behind_empty_pages(int(read.changes[0].number)):
            return Read((), ended=False)
        until = self._shown_until(shard.table)
        shown = [change for change in read.changes if self._times[int(change.number) - 1] <= until]
        return read if len(shown) == len(read.changes) else Read(shown, ended=False)

    def _is_behind_empty_pages(self, number: int) -> bool:
        """Tell whether another empty page comes before a change; how many do, its number says."""
        if self._clock() - self._times[number - 1] < OLD or self._empty[number] >= number % EMPTY:
            return False
        self._empty[number] += 1
        return True

    def _shown_until(self, table: Table) -> float:
        return self._clock() - self.behind.get(table.name, 0.0)


class Notifiers:
    """Two notifiers, and what befalls them: drawn from a source of randomness of its own."""

    def __init__(
        self, seed: int, history: History, parts: Parts, *, note: Callable[[str, str], None]
    ) -> None:
        self.faults = Faults()
        self.breaches: list[str] = []
        self._rng = random.Random(f"notifiers {seed}")  # noqa: S311 - reproducible on purpose
        self._history = history
        self._parts = parts
        self._note = note
        self._clock = asyncio.get_running_loop().time
        self._streams = Streams(self._clock)
        self._cursors = MemoryCursors()
        self._log = parts.event_log()
        self._splits = Counter[str]()
        self._processes = [self._process(f"notifier-{copy}") for copy in (1, 2)]

    def _process(self, name: str) -> Process:
        process = Process(
            name,
            self._serve,
            faults=self.faults,
            rng=self._rng,
            note=self._note,
            broken=self.breaches.append,
        )
        process.skew = -LEAD
        return process

    async def run(self) -> list[str]:
        """Let them read everything; return what the logs tell wrong."""
        for process in self._processes:
            process.start()
        await asyncio.sleep(LEAD)
        self._arm()
        writing = asyncio.create_task(self._write(), name="writes")
        while not writing.done():
            await asyncio.wait([writing], timeout=self._rng.expovariate(1 / self._pace))
            self._disturb()
        await writing
        self._end()
        await asyncio.sleep(SETTLED)
        return [*self.breaches, *wrong(self._history, self._log)]

    async def _write(self) -> None:
        for at, record in self._history.written:
            if (pause := at + LEAD - self._clock()) > 0:
                await asyncio.sleep(pause)
            self._streams.keep(*_stored(record))

    async def _serve(self, process: Process) -> None:
        """Run a notifier's part that reads the streams."""
        reader = follower(
            process.port(self._streams),
            process.port(self._log),
            process.port(self._cursors),
            owner=f"{process.name}-{process.generation}",
            now=process.milliseconds,
            metrics=_metrics(),
            of=self._parts.follower,
        )
        while True:
            try:
                busy = await reader.poll()
            except Retryable:
                busy = True
            if not busy:
                await self._idle()
            await asyncio.sleep(self._rng.uniform(0.5, 3.0))

    async def _idle(self) -> None:
        """Wait for a write: looking in vain makes no difference, and takes time."""
        self._streams.wrote.clear()
        waiting = asyncio.ensure_future(self._streams.wrote.wait())
        await asyncio.wait([waiting], timeout=IDLE_AT_END if self.faults.over else IDLE)
        waiting.cancel()

    def _arm(self) -> None:
        rng, faults = self._rng, self.faults
        self._pace = rng.choice([5.0, 10.0, 30.0])
        level = rng.choice([0.0, 1.0, 1.0])
        faults.refusal = level * rng.choice([0.0, 0.02, 0.1])
        faults.lost_answer = level * rng.choice([0.0, 0.02, 0.1])
        faults.slow = level * rng.choice([0.0, 0.02, 0.1])
        faults.crash = level * rng.choice([0.0, 0.01, 0.05])

    def _disturb(self) -> None:
        """Let one thing go wrong, and start what has died."""
        rng = self._rng
        victim = rng.choice(self._processes)
        kind = rng.choice(["crash", "pause", "behind", "split"])
        if kind == "crash":
            victim.crash()
        elif kind == "pause":
            victim.pause(rng.choice([1.0, 10.0, 40.0]))
        elif kind == "behind":
            self._streams.behind[rng.choice(STREAMED).name] = rng.choice(BEHIND)
        else:
            self._split(rng.choice(STREAMED))
        for process in self._processes:
            if not process.alive and rng.random() < 0.5:
                process.start()

    def _split(self, table: Table) -> None:
        if self._splits[table.name] < SPLITS:
            self._splits[table.name] += 1
            self._streams.split(table)

    def _end(self) -> None:
        self.faults.end()
        self._streams.behind.clear()
        self._streams.wrote.set()
        for process in self._processes:
            if not process.alive:
                process.start()


def wrong(history: History, log: MemoryEventLog) -> list[str]:
    """Return where a log is not what a mint went through: what is missing, comes twice, or out of order."""
    due, logged = history.due, _by_mint(log, {principal for principal, _ in history.due})
    breaches = []
    for reader, name in dict.fromkeys([*due, *logged]):
        events, steps = logged.get((reader, name), []), due.get((reader, name), [])
        types = [event.type for event in events]
        once = len({event.id for event in events}) == len(events)
        whole = holds_ends(types, steps) if name in history.ended_apart else once and types == steps
        if not whole:
            breaches.append(
                f"the log of {reader} tells {' '.join(types) or 'nothing'} of {name}, "
                f"which went through {' '.join(steps) or 'nothing'}"
            )
    return breaches


def holds_ends(types: Sequence[str], steps: Sequence[str]) -> bool:
    """Tell whether a log has each step of a mint, and its acceptance first.

    No more holds of a mint that ended on its own record while a transaction carried it: the two are read
    apart, so the steps of one may come before earlier ones of the other, and the transaction may fail later.
    """
    return types[:1] == steps[:1] and not Counter(steps) - Counter(types)


def _by_mint(log: MemoryEventLog, principals: Iterable[str]) -> dict[tuple[str, str], list[Event]]:
    by_mint: dict[tuple[str, str], list[Event]] = {}
    for principal in sorted(principals):
        for event in log.all(principal):
            by_mint.setdefault((principal, event.resource.id), []).append(event)
    return by_mint


def _stored(record: Operation | Transaction) -> tuple[Table, Item]:
    if isinstance(record, Transaction):
        return TRANSACTIONS, to_item(record)
    return MINTS, to_item(record)


@lru_cache(maxsize=1)
def _metrics() -> Metrics:
    """Return metrics that nobody reads: making them takes as long as reading a schedule's changes."""
    return Metrics(CollectorRegistry())
