"""What goes wrong in a schedule, and when: drawn from its seed, and set right at the end of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from mintline.resources import BROADCAST, BUILD, SIGN
from mintline_harness.simulation.endpoints import Endpoints
from mintline_harness.simulation.lagging import Lag
from mintline_harness.simulation.mining import Mining
from mintline_harness.simulation.outsiders import Outsiders
from mintline_harness.simulation.process import Ambush, Faults, Process
from mintline_harness.simulation.queues import SimulatedQueues

KINDS = ("crash", "ambush", "usurp", "pause", "clock", "lag", "reorg", "pool", "fees", "stranger")
"""What may go wrong; each schedule knows some of it, so that nothing always drowns out something else."""
NEWER = (True, False, False, False, False, True, False)
"""Whether a schedule knows what came last, nodes with gaps included: by its seed, so that others stay."""
NEWER_KINDS = ("lose", "recipient", "strand", "administrator")
SPONSORED_KINDS = ("rival", "relayer", "administrator")
"""What may go wrong wherever nothing is paid by a relayer."""
APART = 300.0
"""Seconds by which clocks are off when they are to differ by more than any deadline."""
AMBUSHES: tuple[tuple[float, Literal["before", "after"] | None], ...] = (
    (0.0, "before"),
    (0.0, "after"),
    (40.0, None),
    (40.0, "after"),
)


@dataclass(slots=True)
class Disturbances:
    """Everything that is done to a line; `chance` is the randomness of what came later than `rng`'s seeds."""

    kinds: Sequence[str]
    processes: Sequence[Process]
    faults: Faults
    queues: SimulatedQueues
    lag: Lag
    mining: Mining
    endpoints: Endpoints
    outsiders: Outsiders
    rng: random.Random
    chance: random.Random
    clock: Callable[[], float]
    note: Callable[[str, str], None]

    def arm(self) -> None:
        """Choose how often calls, queues and indexes fail."""
        rng, faults = self.rng, self.faults
        level = rng.choice([0.0, 0.3, 1.0, 1.0])
        faults.refusal = level * rng.choice([0.0, 0.02, 0.1])
        faults.lost_answer = level * rng.choice([0.0, 0.02, 0.1])
        faults.slow = level * rng.choice([0.0, 0.02, 0.1])
        faults.crash = level * rng.choice([0.0, 0.005, 0.02])
        self.queues.duplicates = level * rng.choice([0.0, 0.1, 0.3])
        self.queues.delays = level * rng.choice([0.0, 0.1])
        self.lag.most = self.chance.choice([0.0, 0.0, 1.0, 30.0])

    async def run(self, span: float) -> None:
        """Let things go wrong for `span` seconds, and set everything right at the end of it."""
        rng = self.rng
        pace = rng.choice([1.0, 3.0, 10.0])
        while self.clock() < span:
            await asyncio.sleep(rng.expovariate(1 / pace))
            self._one_fault()
            for process in self.processes:
                if not process.alive and rng.random() < 0.5:
                    process.start()
        self._end()
        self.note("harness", "the faults are over")

    def _end(self) -> None:
        self.faults.end()
        self.lag.most = 0.0
        self.queues.end_faults()
        self.endpoints.end()
        self.mining.end_faults()
        for process in self.processes:
            process.lag, process.skew = 0, 0.0
            process.ambush(None)
            if not process.alive:
                process.start()

    def _one_fault(self) -> None:
        """Let one thing go wrong, of the kinds that this schedule knows."""
        kinds: dict[str, Callable[[Process], None]] = {
            "crash": Process.crash,
            "ambush": self._ambush,
            "usurp": self._usurp,
            "pause": lambda victim: victim.pause(self.rng.choice([1.0, 10.0, 40.0])),
            "clock": self._skew,
            "lag": self._lag,
            "reorg": lambda _: self.mining.reorganise(),
            "pool": lambda _: self.mining.drop_pool(),
            "fees": lambda _: self.mining.move_fees(),
            "lose": lambda _: self.queues.lose_next(self.rng.choice([BUILD, SIGN, BROADCAST])),
            "recipient": lambda _: self.mining.turn_recipient(),
            "strand": lambda _: self._strand(),
            "administrator": lambda _: self.mining.administer(self.chance),
            "stranger": lambda _: self.outsiders.use_key_elsewhere(self.rng),
            "rival": lambda _: self.outsiders.take_ids(self.chance),
            "relayer": lambda _: self.outsiders.use_relayer_elsewhere(self.chance),
        }
        victim = self.rng.choice(self.processes)
        kinds[self.rng.choice(self.kinds)](victim)

    def _ambush(self, victim: Process) -> None:
        if victim.calls:
            pause, death = self.rng.choice(AMBUSHES)
            victim.ambush(Ambush(self.rng.choice(sorted(victim.calls)), pause, death))

    def _usurp(self, _victim: Process) -> None:
        """Have the writer of the index fall silent in mid-write, until after another has taken over."""
        for process in self.processes:
            if process.name.startswith("indexer"):
                process.ambush(Ambush("commit", self.rng.choice([20.0, 40.0])))

    def _strand(self) -> None:
        """Have a mint reserve a nonce and go no further, while clocks make it look younger than those behind.

        Then its nonce looks like a gap.
        """
        self.queues.lose_next(SIGN)
        for process in self.processes:
            if process.name.startswith("api"):
                process.skew = APART
            elif process.name.startswith("broadcaster"):
                process.skew = self.rng.choice([-APART, 0.0])

    def _skew(self, victim: Process) -> None:
        self.faults.count("clock jumps")
        victim.skew = self.rng.choice([0.0, -300.0, -5.0, 5.0, 300.0])

    def _lag(self, victim: Process) -> None:
        self.faults.count("lags")
        victim.lag = self.rng.choice([0, 1, 2])
