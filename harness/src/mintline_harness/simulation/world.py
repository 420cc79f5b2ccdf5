"""One schedule: a seed chooses the load, the chain's pace and every fault; then the faults stop.

::

    0 ──────────── faults, mints ───────────▶ CALM ── no fault, no new mint ──▶ at rest, or PATIENCE is over
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeVar

from mintline.errors import Retryable
from mintline_api.inputs import Metadata, MintRequest
from mintline_api.problems import Refused
from mintline_harness.simulation.chain import SimulatedChain
from mintline_harness.simulation.endpoints import Endpoints
from mintline_harness.simulation.invariants import Breach, Watch
from mintline_harness.simulation.lagging import Lag
from mintline_harness.simulation.loop import VirtualLoop
from mintline_harness.simulation.outsiders import STRANGER as OUTSIDER
from mintline_harness.simulation.outsiders import Outsiders
from mintline_harness.simulation.parts import ETHER, GWEI, SHORT_TTL, VOUCHER_TTL, Parts, Surroundings
from mintline_harness.simulation.process import EPOCH, Ambush, Faults, Process
from mintline_harness.simulation.queues import SimulatedQueues
from mintline_harness.simulation.services import (
    Api,
    serve_broadcaster,
    serve_builder,
    serve_indexer,
    serve_signer,
)
from mintline_harness.simulation.tables import (
    CHAIN_ID,
    CONTRACT,
    ISSUER,
    TREASURY,
    USERS,
    Custody,
    Tables,
    own_address,
)

T = TypeVar("T")

PATIENCE = 1_800.0
"""Seconds, from the last fault, in which everything must come to rest."""
NOTES = 400
FINALITY = 3
KINDS = ("crash", "ambush", "usurp", "pause", "clock", "lag", "reorg", "pool", "fees", "stranger")
"""What may go wrong; each schedule knows some of it, so that nothing always drowns out something else."""
AMBUSHES: tuple[tuple[float, Literal["before", "after"] | None], ...] = (
    (0.0, "before"),
    (0.0, "after"),
    (40.0, None),
    (40.0, "after"),
)
CANCELS = 0.15
"""How often a client stops its mint."""
REFUSING = "0x" + "6" * 40
STRANGER = "0x" + "7" * 40


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one schedule."""

    seed: int
    breach: str | None
    mints: int
    seconds: float
    """Virtual ones."""
    faults: dict[str, int]
    notes: tuple[str, ...] = field(repr=False)
    """The last things that happened, oldest first."""


def run(seed: int, parts: Parts | None = None, *, tell: Callable[[str], object] = lambda _: None) -> Report:
    """Run the schedule of a seed to its end; `tell` hears of everything that the harness does in it."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_run(seed, parts or Parts(), tell))


async def _run(seed: int, parts: Parts, tell: Callable[[str], object]) -> Report:
    world = World(seed, parts, tell)
    breach = None
    try:
        await world.play()
    except Breach as found:
        breach = str(found)
    return Report(
        seed, breach, len(world.watch.accepted), world.loop.time(), world.faults.struck, tuple(world.notes)
    )


class World:
    """Everything of one schedule."""

    def __init__(self, seed: int, parts: Parts, tell: Callable[[str], object]) -> None:
        self.rng = rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
        self.loop = asyncio.get_running_loop()
        self.notes: deque[str] = deque(maxlen=NOTES)
        self._tell = tell
        self.faults = Faults()
        # What came later draws from a source of its own, so that the seeds before it stay what they were.
        self.chance = chance = random.Random(f"indexes {seed}")  # noqa: S311 - as above
        self.lag = Lag(clock=self.loop.time, rng=chance, told=partial(self.faults.count, "stale index reads"))
        self.tables = Tables(self._broken, self.lag, index_store=parts.index_store, ledger=parts.ledger)
        self.queues = SimulatedQueues(clock=self.loop.time, rng=rng, faults=self.faults)
        self.chain = SimulatedChain(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            issuer=ISSUER.address,
            finality=FINALITY,
            now=EPOCH,
            rng=rng,
        )
        self.chain.fund(TREASURY.address, 100 * ETHER)
        for user in (*USERS, OUTSIDER):
            self.chain.fund(own_address(user), ETHER)
        self.chain.refusing.add(REFUSING)
        self.watch = Watch(self.tables, self.chain, self.queues)
        self.tables.mints.rejected = self.watch.rejected
        self.queues.misdeed = self.watch.broken
        self.chain.mined = self.watch.mined
        self.custody = Custody()
        self.endpoints = Endpoints(seed, self.chain, faults=self.faults, sending=self.watch.sending)
        self.block_time = rng.choice([1.0, 2.0, 4.0])
        self.kinds = rng.sample(KINDS, rng.randint(1, len(KINDS)))
        self.calm = False
        self.own_wallets, self.preying = chance.random() < 0.4, chance.random() < 0.4
        self.outsiders = Outsiders(
            tables=self.tables,
            chain=self.chain,
            faults=self.faults,
            rng=chance,
            clock=self.loop.time,
            note=self.note,
            ask=self._until_answered,
            accepted=self.watch.accepted,
        )
        self.around = Surroundings(
            tables=self.tables,
            queues=self.queues,
            custody=self.custody,
            endpoints=self.endpoints,
            parts=parts,
            rng=rng,
            true_time=self._true_time,
            signed=self.watch.signing,
            broken=self._broken,
            voucher_ttl=SHORT_TTL if self.own_wallets else VOUCHER_TTL,
        )
        self.apis: list[tuple[Process, list[Api]]] = []
        self.processes = self._processes()

    def note(self, who: str, what: str) -> None:
        """Remember what happened, for whoever has to explain a failure."""
        note = f"{self.loop.time():9.3f}  {who:<14} {what}"
        self.notes.append(note)
        self._tell(note)

    def _true_time(self) -> float:
        return EPOCH + self.loop.time()

    def _broken(self, what: str) -> None:
        self.watch.broken(what)

    def _processes(self) -> list[Process]:
        services: dict[str, Callable[[Process], Coroutine[Any, Any, None]]] = {
            "builder": lambda process: serve_builder(process, self.around),
            "signer": lambda process: serve_signer(process, self.around),
            "broadcaster": lambda process: serve_broadcaster(process, self.around),
            "indexer": lambda process: serve_indexer(process, self.around),
        }
        processes = [
            self._process(f"{name}-{copy}", start)
            for name, start in services.items()
            for copy in range(1, self.rng.choice([2, 3]))
        ]
        for copy in (1, 2):
            current: list[Api] = []
            process = self._process(f"api-{copy}", partial(_open_api, around=self.around, current=current))
            self.apis.append((process, current))
            processes.append(process)
        return processes

    def _process(self, name: str, start: Callable[[Process], Coroutine[Any, Any, None]]) -> Process:
        return Process(name, start, faults=self.faults, rng=self.rng, note=self.note, broken=self._broken)

    # --- the schedule ---

    async def play(self) -> None:
        """Let everything happen; raises Breach."""
        rng = self.rng
        for process in self.processes:
            process.start()
        mining = asyncio.create_task(self._mine(), name="chain")
        span = rng.uniform(10, 60)
        self._arm()
        users = USERS[: rng.randint(1, 3)]
        burst = rng.choice([0.0, rng.uniform(0, span), span])
        clients = [
            asyncio.create_task(self._ask(rng.choice(users), number, rng.uniform(0, burst)))
            for number in range(rng.randint(1, 8))
        ]
        clients += self._outside(users, span)
        disturbing = asyncio.create_task(self._disturb(span), name="faults")
        troubling = asyncio.create_task(self.endpoints.disturb(), name="nodes")
        await asyncio.wait([disturbing])
        await disturbing
        await troubling
        await asyncio.gather(*clients)
        await self._rest()
        mining.cancel()
        self.watch.end()

    def _outside(self, users: Sequence[str], span: float) -> list[asyncio.Task[None]]:
        """Start those who have keys of their own."""
        chance, outsiders = self.chance, self.outsiders
        works = [outsiders.prey(span, chance.choice([3.0, 10.0]))] if self.preying else []
        works += [
            outsiders.mint(chance.choice(users), number, chance.uniform(0, span))
            for number in range(chance.randint(1, 4) if self.own_wallets else 0)
        ]
        return [asyncio.create_task(work) for work in works]

    def _arm(self) -> None:
        rng, faults = self.rng, self.faults
        level = rng.choice([0.0, 0.3, 1.0, 1.0])
        faults.refusal = level * rng.choice([0.0, 0.02, 0.1])
        faults.lost_answer = level * rng.choice([0.0, 0.02, 0.1])
        faults.slow = level * rng.choice([0.0, 0.02, 0.1])
        faults.crash = level * rng.choice([0.0, 0.005, 0.02])
        self.queues.duplicates = level * rng.choice([0.0, 0.1, 0.3])
        self.queues.delays = level * rng.choice([0.0, 0.1])
        self.lag.most = self.chance.choice([0.0, 0.0, 1.0, 30.0])

    async def _disturb(self, span: float) -> None:
        """Let things go wrong for `span` seconds, and set everything right at the end of it."""
        rng = self.rng
        pace = rng.choice([1.0, 3.0, 10.0])
        while self.loop.time() < span:
            await asyncio.sleep(rng.expovariate(1 / pace))
            self._one_fault()
            for process in self.processes:
                if not process.alive and rng.random() < 0.5:
                    process.start()
        self.faults.end()
        self.lag.most = 0.0
        self.queues.end_faults()
        self.endpoints.end()
        self.chain.base_fee, self.calm = GWEI, True
        for process in self.processes:
            process.lag, process.skew = 0, 0.0
            process.ambush(None)
            if not process.alive:
                process.start()
        self.note("harness", "the faults are over")

    def _one_fault(self) -> None:
        """Let one thing go wrong, of the kinds that this schedule knows."""
        kinds: dict[str, Callable[[Process], None]] = {
            "crash": Process.crash,
            "ambush": self._ambush,
            "usurp": self._usurp,
            "pause": lambda victim: victim.pause(self.rng.choice([1.0, 10.0, 40.0])),
            "clock": self._skew,
            "lag": self._lag,
            "reorg": lambda _: self._reorganise(self.rng.randint(1, FINALITY)),
            "pool": self._drop_pool,
            "fees": self._move_fees,
            "stranger": lambda _: self.outsiders.use_key_elsewhere(self.rng),
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

    def _skew(self, victim: Process) -> None:
        self.faults.count("clock jumps")
        victim.skew = self.rng.choice([0.0, -300.0, -5.0, 5.0, 300.0])

    def _lag(self, victim: Process) -> None:
        self.faults.count("lags")
        victim.lag = self.rng.choice([0, 1, 2])

    def _move_fees(self, _victim: Process) -> None:
        self.chain.base_fee = int(GWEI * self.rng.choice([0.1, 1, 3, 20]))

    def _drop_pool(self, _victim: Process) -> None:
        gone = self.chain.drop_pool(self.rng.choice([0.3, 1.0]))
        if gone:
            self.faults.count("pool drops")
            self.note("chain", f"forgets {gone} pending transactions")

    def _reorganise(self, depth: int) -> None:
        gone = self.chain.reorganise(depth, self._true_time(), kept=self.rng.choice([0.0, 0.5, 1.0, 1.0]))
        if gone:
            self.faults.count("reorgs")
            self.note("chain", f"reorganises {gone} blocks")

    async def _mine(self) -> None:
        while True:
            await asyncio.sleep(self.block_time)
            eagerness = 1.0 if self.calm else self.rng.choice([0.0, 0.5, 1.0, 1.0])
            block = self.chain.mine(self._true_time(), eagerness=eagerness)
            self.endpoints.mined(self._true_time())
            if block.outcomes:
                self.note("chain", f"mines {len(block.outcomes)} transactions in block {block.number}")
                if "reorg" in self.kinds and not self.calm and self.rng.random() < 0.3:
                    # Reorganisations that undo something are the ones that matter.
                    await asyncio.sleep(self.rng.uniform(0, 2 * self.block_time))
                    self._reorganise(1 + self.chain.head.number - block.number)

    async def _ask(self, user: str, number: int, at: float) -> None:
        """Post one mint, and now and then stop it again; or give up on either."""
        rng = self.rng
        await asyncio.sleep(at)
        to = rng.choice([None, None, STRANGER, REFUSING])
        metadata = Metadata(name=f"mint {number}", image="https://example.com/a.png")
        request = MintRequest(to=to, metadata=metadata)
        accepted = await self._until_answered(lambda api: api.mint(request, sub=user, key=f"key-{number}"))
        if accepted is None:
            self.note("client", f"gives up on mint {number}")
            return
        mint_id = accepted.mint.mint_id
        self.watch.accepted.add(mint_id)
        self.note("client", f"{mint_id} is accepted")
        if rng.random() < CANCELS:
            await asyncio.sleep(rng.choice([0.0, 1.0, 5.0, 20.0]))
            try:
                stopped = await self._until_answered(lambda api: api.cancel(mint_id, sub=user))
            except Refused as refusal:
                self.note("client", f"cannot stop {mint_id}: {refusal.detail}")
            else:
                self.faults.count("cancellations")
                self.note("client", f"asks to stop {mint_id}: {stopped and stopped.mint.status}")

    async def _until_answered(self, asked: Callable[[Api], Awaitable[T]]) -> T | None:
        """Ask any copy of the api until one answers, as it wants its clients to; None after giving up."""
        rng = self.rng
        while True:
            process, current = rng.choice(self.apis)
            if process.alive and current:
                call = process.spawn(asked(current[0]))
                await asyncio.wait([call])
                if not call.cancelled():
                    error = call.exception()
                    if error is None:
                        return call.result()
                    if not isinstance(error, Retryable):
                        raise error
                if rng.random() < 0.1:
                    return None
            await asyncio.sleep(rng.uniform(0.5, 3))

    async def _rest(self) -> None:
        started = self.loop.time()
        while waiting := self.watch.unfinished():
            if self.watch.breaches:
                break
            if self.loop.time() - started > PATIENCE:
                self.watch.broken(f"no rest within {PATIENCE:.0f} s: " + "; ".join(waiting))
                break
            await asyncio.sleep(1)


async def _open_api(process: Process, *, around: Surroundings, current: list[Api]) -> None:
    current[:] = [Api(process, around)]
