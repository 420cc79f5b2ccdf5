"""Writers of the index that are overtaken: one stops between its check and its write, and another goes on.

::

    the writer, at a write:  stops ───────────────────────────────────────▶ its write arrives
    the chain:                     leaves the block that is being written
    the other indexer:                        takes over ─▶ takes the block back ─▶ indexes the new branch

If the write is the checkpoint's, the other indexer dies at its own next one: then nothing but the condition
keeps the stale checkpoint from being the last.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from mintline_harness.simulation.mining import Mining
from mintline_harness.simulation.process import Ambush, Faults, Process
from mintline_testkit.indexer.store import MemoryStore

OVERTAKING_OF = 13
OVERTAKING = (1, 8)
"""Which schedules, of so many, have writers that are overtaken; they have two indexers."""
METHODS = {"write": 4, "commit": 3, "take_back": 1}
"""The calls of the store before which a writer stops, and how likely each is against the others."""
STOPS = (24.0, 36.0)
"""Seconds that it stops: longer than a standby waits, which is 22.5 at most."""
LONGER = 40.0
"""Seconds that such a schedule has faults for, beyond what others have."""


def overtaken(seed: int) -> bool:
    """Tell whether the schedule of a seed has writers that are overtaken."""
    return seed % OVERTAKING_OF in OVERTAKING


@dataclass(slots=True)
class Overtaking:
    """Stops the writer of the index again and again; what it draws is its own, so that schedules stay."""

    store: MemoryStore
    processes: Sequence[Process]
    mining: Mining
    faults: Faults
    rng: random.Random
    clock: Callable[[], float]

    async def run(self, span: float) -> None:
        """Do so for `span` seconds."""
        while self.clock() < span:
            await asyncio.sleep(self.rng.uniform(0.0, 3.0))
            if not self.faults.over:
                self._lie_in_wait()

    def _lie_in_wait(self) -> None:
        progress = self.store.progress
        for process in self.processes:
            if progress is not None and progress.writer == f"{process.name}-{process.generation}":
                self._stop(process)

    def _stop(self, writer: Process) -> None:
        """Stop the writer at its next write of a kind: at the checkpoint's, once it has written effects."""
        [method] = self.rng.choices(list(METHODS), weights=list(METHODS.values()))
        stop = self.rng.uniform(*STOPS)
        ambush = Ambush(method, stop, then=partial(self._leave_block, writer))
        if method == "commit":
            then = partial(self._replace_checkpoint, writer, stop)
            ambush = Ambush("write", then=partial(writer.ambush, Ambush("commit", stop, then=then)))
        writer.ambush(ambush)

    def _replace_checkpoint(self, writer: Process, stop: float) -> None:
        self._leave_block(writer)
        asyncio.get_running_loop().call_later(stop, self._end_successors, writer)

    def _end_successors(self, writer: Process) -> None:
        for process in self._others(writer):
            process.ambush(Ambush("commit", death="before"))

    def _others(self, writer: Process) -> list[Process]:
        return [
            process
            for process in self.processes
            if process is not writer and process.name.startswith("indexer")
        ]

    def _leave_block(self, writer: Process) -> None:
        """Have the chain leave the block that is being written, and another indexer be there to see it."""
        self.faults.count("writers overtaken")
        for process in self._others(writer):
            if not process.alive:
                process.start()
        progress = self.store.progress
        if progress is None or self.faults.over:
            return
        newest = progress.head.number if progress.mixed is None else progress.mixed.number
        self.mining.leave(newest)
