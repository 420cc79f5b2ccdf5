"""One schedule: a seed chooses the load, the chain's pace and every fault; then the faults stop.

::

    0 ──────────── faults, mints ───────────▶ CALM ── no fault, no new mint ──▶ at rest, or PATIENCE is over
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from mintline.eth import ETHER
from mintline_harness.simulation.accounts import (
    CHAIN_ID,
    CLONE,
    CONTRACT,
    ISSUER,
    ITEMS,
    RELAYERS,
    TREASURY,
    USERS,
    Custody,
    own_address,
)
from mintline_harness.simulation.chain import NEW_ACCOUNT_GAS, SimulatedChain
from mintline_harness.simulation.clients import REFUSING, Clients
from mintline_harness.simulation.contract import Collection
from mintline_harness.simulation.coverage import Reached
from mintline_harness.simulation.disturbances import KINDS, NEWER, NEWER_KINDS, SPONSORED_KINDS, Disturbances
from mintline_harness.simulation.endpoints import Endpoints
from mintline_harness.simulation.invariants import Breach, InvariantChecker
from mintline_harness.simulation.item_clients import ItemClients
from mintline_harness.simulation.lagging import Lag
from mintline_harness.simulation.loop import VirtualLoop
from mintline_harness.simulation.mining import FINALITY, Mining
from mintline_harness.simulation.outsiders import RIVAL, STRANGER, Outsiders
from mintline_harness.simulation.overtaking import LONGER, Overtaking, overtaken
from mintline_harness.simulation.parts import SHORT_TTL, VOUCHER_TTL, Environment, Parts
from mintline_harness.simulation.process import EPOCH, Faults, Process
from mintline_harness.simulation.queues import SimulatedQueues
from mintline_harness.simulation.requesters import Requesters
from mintline_harness.simulation.services import (
    Api,
    serve_broadcaster,
    serve_builder,
    serve_indexer,
    serve_signer,
)
from mintline_harness.simulation.tables import Tables

PATIENCE = 1_800.0
"""Seconds, from the last fault, in which everything must come to rest."""
CATCH_UP = 120.0
"""The same, in which the index must have reached the block that was the newest then."""
PRICED = 0.5
"""Of the schedules, those whose chain asks more gas of a transfer to an account that does not exist."""
SPONSORING_OF = 11
SPONSORING = (3, 4, 5, 7, 10)
"""Which schedules, of so many, have sponsored mints, transfers and burns."""
RELAYING_OF = 22
RELAYING = (14, 15, 16, 21)
"""In which of those, of so many, the holder's signature moves a token, and a relayer sends it."""
REQUESTING = (4, 10)
"""Which of those, of so many, have requests for many mints as well."""
ITEMS_OF, WITH_ITEMS = 9, 2
"""Which schedules, of so many, have an ERC-1155 collection as well."""
BURSTS: Mapping[int, float] = MappingProxyType({2: 6, 5: 6, 12: 4, 30: 2, 100: 0.5})
"""How many sponsored mints a schedule has, and how likely that is against the others."""
MOVES_WITHIN = 60.0
"""Seconds after the faults in which a client still waits for a token to move."""
FORGING = (False, False, True, False, False)
"""Whether somebody writes made-up messages in a schedule: by its seed, so that others stay what they were."""
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


def run(seed: int, parts: Parts | None = None, *, tell: Callable[[str], object] = lambda _: None) -> Report:
    """Run the schedule of a seed to its end; `tell` hears of everything that the harness does in it."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_run(seed, parts or Parts(), tell))


async def _run(seed: int, parts: Parts, tell: Callable[[str], object]) -> Report:
    schedule = Schedule(seed, parts, tell)
    breach = None
    try:
        await schedule.play()
    except Breach as found:
        breach = str(found)
    return Report(
        seed=seed,
        breach=breach,
        mints=len(schedule.checker.accepted),
        seconds=schedule.loop.time(),
        faults=schedule.faults.struck,
        reached=schedule.checker.reached,
        notes=tuple(schedule.notes),
    )


class Schedule:
    """Everything of one schedule."""

    def __init__(self, seed: int, parts: Parts, tell: Callable[[str], object]) -> None:
        self.rng = rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self.seed = seed
        self.loop = asyncio.get_running_loop()
        self.notes: deque[str] = deque(maxlen=NOTES)
        self._tell = tell
        self.faults = Faults()
        # What came later draws from a source of its own, so that the seeds before it stay what they were.
        self.chance = random.Random(f"indexes {seed}")  # noqa: S311 - as above
        self.lag = Lag(
            clock=self.loop.time, rng=self.chance, told=partial(self.faults.count, "stale index reads")
        )
        self.tables = self._tables(parts)
        self.with_items = seed % ITEMS_OF == WITH_ITEMS
        if self.with_items:
            self.tables.hold_items()
        self.queues = SimulatedQueues(clock=self.loop.time, rng=rng, faults=self.faults)
        self.chain = self._chain()
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
        self.processes = self._processes()
        self.disturbances = self._disturbances()
        self.overtaking = self._overtaking()

    def note(self, who: str, what: str) -> None:
        """Remember what happened, to explain a failure by it."""
        note = f"{self.loop.time():9.3f}  {who:<14} {what}"
        self.notes.append(note)
        self._tell(note)

    def _tables(self, parts: Parts) -> Tables:
        return Tables(
            self._broken,
            self.lag,
            index_store=parts.index_store,
            ledger=parts.ledger,
            token_ids=parts.token_ids,
        )

    def _checker(self) -> InvariantChecker:
        """Return the checker, which is told of all that happens to tables, queues and chain."""
        checker = InvariantChecker(self.tables, self.chain, self.queues)
        checker.turns_may_be_lost = self._may_lose_turns
        self.tables.moves.told = checker.moved
        self.queues.misdeed = checker.broken
        self.chain.mined = checker.mined
        return checker

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
        self.sponsoring = seed % SPONSORING_OF in SPONSORING
        self.relaying = seed % RELAYING_OF in RELAYING
        if self.relaying:
            self.tables.builder.clones[CONTRACT] = CLONE
        self.requesting = seed % SPONSORING_OF in REQUESTING
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

    def _chain(self) -> SimulatedChain:
        collection = Collection(
            CHAIN_ID,
            CONTRACT,
            ISSUER.address,
            relayers=frozenset({own_address(RIVAL), *(key.address for key in RELAYERS)}),
            refusing={REFUSING},
        )
        chain = SimulatedChain(collection, finality=FINALITY, now=EPOCH, rng=self.rng)
        if self.with_items:
            chain.items = replace(collection, address=ITEMS)
        chain.fund(TREASURY.address, 100 * ETHER)
        for number, relayer in enumerate(RELAYERS, 1):
            chain.fund(relayer.address, number * ETHER // 4)
        for user in (*USERS, STRANGER, RIVAL):
            chain.fund(own_address(user), ETHER)
        if random.Random(f"prices {self.seed}").random() < PRICED:  # noqa: S311 - as above
            chain.new_account_gas = NEW_ACCOUNT_GAS
            self.faults.count("chains that price new accounts")
        return chain

    def _processes(self) -> list[Process]:
        services: dict[str, Callable[[Process], Coroutine[Any, Any, None]]] = {
            "builder": lambda process: serve_builder(process, self.environment),
            "signer": lambda process: serve_signer(process, self.environment),
            "broadcaster": lambda process: serve_broadcaster(process, self.environment),
            "indexer": lambda process: serve_indexer(process, self.environment),
        }
        processes = [
            self._process(f"{name}-{copy}", start)
            for name, start in services.items()
            for copy in range(1, self._first_of_none(name, self.rng.choice([2, 3])))
        ]
        for copy in (1, 2):
            current: list[Api] = []
            process = self._process(
                f"api-{copy}", partial(_open_api, environment=self.environment, current=current)
            )
            self.clients.apis.append((process, current))
            processes.append(process)
        return processes

    def _first_of_none(self, name: str, drawn: int) -> int:
        """Return the number after a service's last copy."""
        return 3 if name == "indexer" and overtaken(self.seed) else drawn

    def _process(self, name: str, start: Callable[[Process], Coroutine[Any, Any, None]]) -> Process:
        return Process(name, start, faults=self.faults, rng=self.rng, note=self.note, broken=self._broken)

    async def play(self) -> None:
        """Let everything happen; raises Breach."""
        rng = self.rng
        for process in self.processes:
            process.start()
        mining = asyncio.create_task(self.mining.run(self.kinds), name="chain")
        span = rng.uniform(10, 60) + (LONGER if overtaken(self.seed) else 0.0)
        self.disturbances.arm()
        users = USERS[: rng.randint(1, 3)]
        burst = rng.choice([0.0, rng.uniform(0, span), span])
        clients = [
            asyncio.create_task(self.clients.mint(rng.choice(users), number, rng.uniform(0, burst)))
            for number in range(rng.randint(1, 8))
        ]
        clients += self._outside(users, span)
        clients += self._sponsored(users, span) if self.sponsoring else []
        clients += self._requests(users, span) if self.requesting else []
        if self.with_items:
            works = self.item_clients.works(list(users), span, span + MOVES_WITHIN)
            clients += [asyncio.create_task(work) for work in works]
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

    def _outside(self, users: Sequence[str], span: float) -> list[asyncio.Task[None]]:
        """Start those who have keys of their own."""
        chance, outsiders = self.chance, self.outsiders
        works = [outsiders.prey(span, chance.choice([3.0, 10.0]))] if self.preying else []
        works += [
            outsiders.mint(chance.choice(users), number, chance.uniform(0, span))
            for number in range(chance.randint(1, 4) if self.own_wallets else 0)
        ]
        if FORGING[self.seed % len(FORGING)]:
            rng = random.Random(f"messages {self.seed}")  # noqa: S311 - as above
            works.append(outsiders.forge(span, rng.choice([1.0, 4.0]), rng))
        return [asyncio.create_task(work) for work in works]

    def _sponsored(self, users: Sequence[str], span: float) -> list[asyncio.Task[None]]:
        """Start those who mint at a relayer's expense, in bursts, and move what they have."""
        chance, clients = self.operations, self.clients
        [size] = chance.choices(list(BURSTS), weights=list(BURSTS.values()))
        burst = chance.choice([0.0, 0.5, chance.uniform(0, span)])
        starts = chance.uniform(0, span / 2)
        works = [
            clients.sponsored(chance.choice(users), number, starts + chance.uniform(0, burst))
            for number in range(size)
        ]
        works += [
            clients.move(chance.choice(users), number, chance.uniform(0, span), span + MOVES_WITHIN)
            for number in range(chance.randint(0, 6))
        ]
        return [asyncio.create_task(work) for work in works]

    def _requests(self, users: Sequence[str], span: float) -> list[asyncio.Task[None]]:
        """Start those who ask for many mints at once, and the one who changes lines."""
        requesters, rng = self.requesters, self.requesters.rng
        works = [
            requesters.post(rng.choice(users), number, rng.uniform(0, span))
            for number in range(rng.randint(1, 4))
        ]
        works.append(requesters.forge(span, rng.choice([1.0, 4.0])))
        return [asyncio.create_task(work) for work in works]

    async def _catch_up(self) -> None:
        """Hold the index to reaching the block that was the newest when the faults ended."""
        newest, until = self.chain.head.number, self.loop.time() + CATCH_UP
        while not self.checker.indexed(newest):
            if self.loop.time() > until:
                self.checker.broken(f"the index has not reached block {newest} within {CATCH_UP:.0f} s")
                return
            await asyncio.sleep(1)

    async def _rest(self) -> None:
        started = self.loop.time()
        while waiting := self.checker.unfinished():
            if self.checker.breaches:
                break
            if self.loop.time() - started > PATIENCE:
                self.checker.broken(f"no rest within {PATIENCE:.0f} s: " + "; ".join(waiting))
                break
            await asyncio.sleep(1)


async def _open_api(process: Process, *, environment: Environment, current: list[Api]) -> None:
    api = Api(process, environment)
    current[:] = [api]
    await api.begin()
