"""One schedule: a seed chooses the load, the chain's pace and every fault; then the faults stop.

::

    0 ──────────── faults, mints ───────────▶ CALM ── no fault, no new mint ──▶ at rest, or PATIENCE is over
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from mintline.records.operations import Operation
from mintline_harness.simulation import traffic, traits
from mintline_harness.simulation.accounts import CLONE, CONTRACT, USERS, Custody
from mintline_harness.simulation.chain import NEW_ACCOUNT_GAS
from mintline_harness.simulation.clients import Clients
from mintline_harness.simulation.coverage import Reached
from mintline_harness.simulation.disturbances import KINDS, NEWER, NEWER_KINDS, SPONSORED_KINDS, Disturbances
from mintline_harness.simulation.endpoints import Endpoints
from mintline_harness.simulation.history import History
from mintline_harness.simulation.invariants import Breach, InvariantChecker
from mintline_harness.simulation.item_clients import ItemClients
from mintline_harness.simulation.lagging import Lag
from mintline_harness.simulation.loop import VirtualLoop
from mintline_harness.simulation.mining import Mining
from mintline_harness.simulation.notifiers import Notifiers
from mintline_harness.simulation.opening import open_chain
from mintline_harness.simulation.outsiders import Outsiders
from mintline_harness.simulation.overtaking import LONGER, Overtaking, overtaken
from mintline_harness.simulation.parts import SHORT_TTL, VOUCHER_TTL, Environment, Parts
from mintline_harness.simulation.process import EPOCH, Faults, Process
from mintline_harness.simulation.queues import SimulatedQueues
from mintline_harness.simulation.replicas import Start, make_replicas
from mintline_harness.simulation.requesters import Requesters
from mintline_harness.simulation.rest import indexed, unfinished
from mintline_harness.simulation.tables import Tables

PATIENCE = 1_800.0
"""Seconds, from the last fault, in which everything must come to rest."""
CATCH_UP = 120.0
"""The same, in which the index must have reached the block that was the newest then."""
PRICED = 0.5
"""Of the schedules, those whose chain asks more gas of a transfer to an account that does not exist."""
NOTES = 400


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one schedule."""

    seed: int
    breach: str | None
    mints: int
    seconds: float
    """Virtual ones."""
    faults: dict[str, int]
    reached: Reached
    notes: tuple[str, ...] = field(repr=False)
    """The last things that happened, oldest first."""


def run(seed: int, parts: Parts | None = None, *, noted: Callable[[str], object] = lambda _: None) -> Report:
    """Run the schedule of a seed to its end; `noted` hears of everything that the harness does in it."""
    parts = parts or Parts()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        report, history = runner.run(_run(seed, parts, noted))
    if report.breach is not None:
        return report
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_follow(report, history, parts, noted))


async def _run(seed: int, parts: Parts, noted: Callable[[str], object]) -> tuple[Report, History]:
    schedule = Schedule(seed, parts, noted)
    breach = None
    try:
        await schedule.play()
    except Breach as error:
        breach = str(error)
    report = Report(
        seed=seed,
        breach=breach,
        mints=len(schedule.checker.accepted),
        seconds=schedule.loop.time(),
        faults=schedule.faults.struck,
        reached=schedule.checker.reached,
        notes=tuple(schedule.notes),
    )
    return report, schedule.history


async def _follow(report: Report, history: History, parts: Parts, noted: Callable[[str], object]) -> Report:
    """Have notifiers read what a schedule wrote, and hold the logs to it."""
    notes = Notes(noted)
    notifiers = Notifiers(report.seed, history, parts, note=notes.note)
    breaches = await notifiers.run()
    faults = {f"notifiers: {kind}": count for kind, count in notifiers.faults.struck.items()}
    report = replace(report, faults={**report.faults, **faults})
    return replace(report, breach="; ".join(breaches), notes=tuple(notes.kept)) if breaches else report


class Notes:
    """The last things that happened."""

    def __init__(self, noted: Callable[[str], object]) -> None:
        self.kept: deque[str] = deque(maxlen=NOTES)
        self._noted = noted
        self._clock = asyncio.get_running_loop().time

    def note(self, who: str, what: str) -> None:
        """Remember what happened, to explain a failure by it."""
        note = f"{self._clock():9.3f}  {who:<14} {what}"
        self.kept.append(note)
        self._noted(note)


class Schedule:
    """Everything of one schedule."""

    def __init__(self, seed: int, parts: Parts, noted: Callable[[str], object]) -> None:
        self.rng = rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self.seed = seed
        self.loop = asyncio.get_running_loop()
        notes = Notes(noted)
        self.notes, self.note = notes.kept, notes.note
        self.history = History(self.loop.time)
        self.faults = Faults()
        # What came later draws from a source of its own, so that the seeds before it stay what they were.
        self.chance = random.Random(f"indexes {seed}")  # noqa: S311 - as above
        self.lag = Lag(
            clock=self.loop.time, rng=self.chance, counted=partial(self.faults.count, "stale index reads")
        )
        self.tables = self._tables(parts)
        self.with_items = traits.has_items(seed)
        if self.with_items:
            self.tables.hold_items()
        self.queues = SimulatedQueues(clock=self.loop.time, rng=rng, faults=self.faults)
        self.chain = open_chain(items=self.with_items, rng=rng)
        if random.Random(f"prices {self.seed}").random() < PRICED:  # noqa: S311 - as above
            self.chain.new_account_gas = NEW_ACCOUNT_GAS
            self.faults.count("chains that price new accounts")
        self.checker = self._checker()
        self.endpoints = Endpoints(seed, self.chain, faults=self.faults, sending=self.checker.sending)
        self.mining = Mining(
            self.chain,
            self.endpoints,
            faults=self.faults,
            rng=rng,
            note=self.note,
            true_time=self._true_time,
        )
        self._choose()
        self._cast()
        self.environment = self._environment(parts)
        self.processes = make_replicas(self._process, self.environment, self.clients, seed=seed, rng=rng)
        self.disturbances = self._disturbances()
        self.overtaking = self._overtaking()

    def _tables(self, parts: Parts) -> Tables:
        return Tables(
            self._broken,
            self.lag,
            index_store=parts.index_store,
            ledger=parts.ledger,
            token_ids=parts.token_ids,
        )

    def _checker(self) -> InvariantChecker:
        """Return the checker, which observes every change of tables, queues and chain."""
        checker = InvariantChecker(self.tables, self.chain, self.queues)
        checker.turns_may_be_lost = self._may_lose_turns
        self.tables.moves.wrote = self.history.wrote
        self.tables.moves.moved = self._moved
        self.queues.misdeed = checker.broken
        self.chain.mined = checker.mined
        return checker

    def _moved(self, before: Operation, after: Operation) -> None:
        self.checker.moved(before, after)
        self.history.moved(before, after)

    def _choose(self) -> None:
        """Draw which faults strike, and who does what."""
        seed, rng, chance = self.seed, self.rng, self.chance
        self.kinds = rng.sample(KINDS, rng.randint(1, len(KINDS)))
        self.newer = NEWER[seed % len(NEWER)]
        if self.newer:
            self.kinds += [kind for kind in NEWER_KINDS if chance.random() < 0.5]
        self.own_wallets, self.preying = chance.random() < 0.4, chance.random() < 0.4
        # As above: what came last, transfers, burns and sponsored mints, leaves the seeds without it.
        self.operations = operations = random.Random(f"operations {seed}")  # noqa: S311 - as above
        self.sponsoring = traits.sponsors(seed)
        self.relaying = traits.relays(seed)
        if self.relaying:
            self.tables.builder.clones[CONTRACT] = CLONE
        self.requesting = traits.requests(seed)
        if self.sponsoring:
            self.kinds += [kind for kind in SPONSORED_KINDS if operations.random() < 0.5]

    def _cast(self) -> None:
        """Make those who ask the api for something, and those who have keys of their own."""
        seed, rng, chance, operations = self.seed, self.rng, self.chance, self.operations
        self.clients = Clients(
            [],
            self.faults,
            rng,
            self.note,
            self.checker.accepted,
            tables=self.tables,
            chance=operations,
            clock=self.loop.time,
        )
        self.requesters = Requesters(
            self.clients,
            self.queues,
            random.Random(f"requests {seed}"),  # noqa: S311 - as above
            refused=self.checker.turned_away,
        )
        self.item_clients = ItemClients(
            self.clients,
            self.chain,
            random.Random(f"items {seed}"),  # noqa: S311 - as above
            refusals=self._item_refused,
        )
        self.outsiders = Outsiders(
            tables=self.tables,
            chain=self.chain,
            faults=self.faults,
            rng=chance,
            clock=self.loop.time,
            note=self.note,
            ask=self.clients.ask,
            accepted=self.checker.accepted,
            queues=self.queues,
        )

    def _environment(self, parts: Parts) -> Environment:
        """Return what the services have to do with."""
        short_lived = self.own_wallets or self.relaying or self.with_items
        return Environment(
            tables=self.tables,
            queues=self.queues,
            custody=Custody(),
            endpoints=self.endpoints,
            parts=parts,
            rng=self.rng,
            true_time=self._true_time,
            signed=self.checker.signing,
            refused=self.checker.refusing,
            broken=self._broken,
            voucher_ttl=SHORT_TTL if short_lived else VOUCHER_TTL,
            relaying=self.relaying,
        )

    def _disturbances(self) -> Disturbances:
        return Disturbances(
            kinds=self.kinds,
            processes=self.processes,
            faults=self.faults,
            queues=self.queues,
            lag=self.lag,
            mining=self.mining,
            endpoints=self.endpoints,
            outsiders=self.outsiders,
            rng=self.rng,
            chance=self.chance,
            clock=self.loop.time,
            note=self.note,
        )

    def _overtaking(self) -> Overtaking:
        return Overtaking(
            store=self.tables.store,
            processes=self.processes,
            mining=self.mining,
            faults=self.faults,
            rng=random.Random(f"overtaking {self.seed}"),  # noqa: S311 - as above
            clock=self.loop.time,
        )

    def _item_refused(self, what: str) -> None:
        self.faults.count("item mints refused")
        self.note("client", what)

    def _may_lose_turns(self) -> bool:
        """Tell whether a reorg, a stranger or a node on another branch may have used or hidden a counter."""
        struck = self.faults.struck
        return any(name in ("reorgs", "front runs") or name.startswith("nodes ") for name in struck)

    def _true_time(self) -> float:
        return EPOCH + self.loop.time()

    def _broken(self, what: str) -> None:
        self.checker.broken(what)

    def _process(self, name: str, start: Start) -> Process:
        return Process(name, start, faults=self.faults, rng=self.rng, note=self.note, broken=self._broken)

    async def play(self) -> None:
        """Let everything happen; raises Breach."""
        rng = self.rng
        for process in self.processes:
            process.start()
        mining = asyncio.create_task(self.mining.run(self.kinds), name="chain")
        span = rng.uniform(10, 60) + (LONGER if overtaken(self.seed) else 0.0)
        self.disturbances.arm()
        clients = self._traffic(span)
        disturbing = asyncio.create_task(self.disturbances.run(span), name="faults")
        if overtaken(self.seed):
            clients.append(asyncio.create_task(self.overtaking.run(span), name="overtaking"))
        troubling = asyncio.create_task(self.endpoints.disturb(), name="nodes")
        if self.newer:
            clients.append(asyncio.create_task(self.endpoints.open_gaps(), name="gaps"))
        await asyncio.wait([disturbing])
        await disturbing
        await troubling
        await asyncio.gather(*clients, self._catch_up())
        await self._rest()
        mining.cancel()
        self.checker.end()

    def _traffic(self, span: float) -> list[asyncio.Task[None]]:
        """Start those who ask for something in the first `span` seconds."""
        rng = self.rng
        users = USERS[: rng.randint(1, 3)]
        burst = rng.choice([0.0, rng.uniform(0, span), span])
        works: list[Coroutine[Any, Any, None]] = [
            self.clients.mint(rng.choice(users), number, rng.uniform(0, burst))
            for number in range(rng.randint(1, 8))
        ]
        works += traffic.outside(
            self.outsiders, users, span, self.chance, preying=self.preying, own_wallets=self.own_wallets
        )
        if traits.forges(self.seed):
            works.append(traffic.forged(self.outsiders, span, self.seed))
        if self.sponsoring:
            works += traffic.sponsored(self.clients, users, span, self.operations)
        if self.requesting:
            works += traffic.requests(self.requesters, users, span)
        if self.with_items:
            works += self.item_clients.works(list(users), span, span + traffic.MOVES_WITHIN)
        return [asyncio.create_task(work) for work in works]

    async def _catch_up(self) -> None:
        """Hold the index to reaching the block that was the newest when the faults ended."""
        newest, until = self.chain.head.number, self.loop.time() + CATCH_UP
        while not indexed(self.tables, newest):
            if self.loop.time() > until:
                self.checker.broken(f"the index has not reached block {newest} within {CATCH_UP:.0f} s")
                return
            await asyncio.sleep(1)

    async def _rest(self) -> None:
        started = self.loop.time()
        while waiting := unfinished(self.tables, self.chain, self.queues):
            if self.checker.breaches:
                break
            if self.loop.time() - started > PATIENCE:
                self.checker.broken(f"no rest within {PATIENCE:.0f} s: " + "; ".join(waiting))
                break
            await asyncio.sleep(1)
