"""The chain's nodes as a schedule has them: one asked directly, or several behind the services' own `Rpc`.

Each of several is the same to all processes, and now and then in trouble for a while. What only one process
has to bear on its way there, `Process.reach` adds to every exchange.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from mintline.chain.health import upper_half
from mintline.chain.rpc import Rpc, RpcError
from mintline.chain.transport import Request
from mintline.errors import Throttled, Unavailable
from mintline_harness.simulation.chain import Sent, SimulatedChain
from mintline_harness.simulation.gaps import WHOLE, Gaps, Lack, open_gaps
from mintline_harness.simulation.process import Faults, Process
from mintline_harness.simulation.rpc import SimulatedNode

NODES = (3, 1, 2, 1, 3)
"""How many nodes a schedule has, by its seed."""
TIMEOUT = 10.0
"""Seconds after which the services' transport gives an exchange up."""
LONGEST = 40.0
"""Seconds that a node's trouble lasts at most."""

Kind: TypeAlias = Literal["still", "fork", "finalize", "stall", "refuse"]
NAMES: dict[Kind, str] = {
    "still": "nodes standing still",
    "fork": "nodes on a losing fork",
    "finalize": "nodes finalizing a losing fork",
    "stall": "nodes stalling",
    "refuse": "nodes refusing",
}
LACKS: dict[Lack, float] = {"hole": 3.0, "hollow": 3.0, "forgetful": 1.0}
"""How likely each gap is, against the others."""
LACK_NAMES: dict[Lack, str] = {
    "hole": "nodes without a block",
    "hollow": "nodes without receipts",
    "forgetful": "nodes forgetting their own pool",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a node is in until `until`, and the chain as it sees it meanwhile."""

    kind: Kind
    until: float
    chain: SimulatedChain


class Endpoints:
    """The nodes of one schedule. `sending` hears of what is sent before any node does."""

    def __init__(
        self, seed: int, chain: SimulatedChain, *, faults: Faults, sending: Callable[[Sent], None]
    ) -> None:
        # Its own randomness: with one node, a schedule does not depend on what several would do.
        self._rng = random.Random(f"the nodes of {seed}")  # noqa: S311 - reproducible on purpose
        self._chain = chain
        self._faults = faults
        self._sending = sending
        self._loop = asyncio.get_running_loop()
        self._urls = [f"https://node-{number}" for number in range(1, NODES[seed % len(NODES)] + 1)]
        self._troubles: dict[str, Trouble] = {}
        # As above: a schedule without gaps does not depend on what they would be.
        self._chance = random.Random(f"the gaps of {seed}")  # noqa: S311 - reproducible on purpose
        self._gaps: dict[str, tuple[float, Gaps]] = {}

    def rpc(self, process: Process, *, seldom: bool = False) -> SimulatedNode | Rpc:
        """Return the way to the nodes of a process that has just started."""
        if len(self._urls) == 1:
            return process.port(self.node(self._urls[0], process), seldom=seldom)
        rpc = Rpc(
            self._urls,
            chain_id=self._chain.collection.chain_id,
            transport=process.port(_Transport(self, process, self._rng), seldom=seldom),
            clock=process.clock,
            jitter=upper_half(self._rng),
        )
        rpc.watch()
        return rpc

    def node(self, url: str, process: Process) -> SimulatedNode:
        """Return one node as a process sees it."""
        return SimulatedNode(
            lambda: self._seen_by(url),
            gaps=lambda: self._gaps_of(url),
            lag=lambda: process.lag,
            sending=self._sending,
        )

    def trouble(self, url: str) -> Trouble | None:
        """Return what a node is in; whatever is over ends here."""
        trouble = self._troubles.get(url)
        if trouble is not None and trouble.until <= self._loop.time():
            self._chain.leave(trouble.chain)
            return self._troubles.pop(url) and None
        return trouble

    def _seen_by(self, url: str) -> SimulatedChain:
        trouble = self.trouble(url)
        return self._chain if trouble is None else trouble.chain

    def mined(self, now: float) -> None:
        """Let a node on another branch put a block on it, as the others have done on theirs."""
        for url in self._urls:
            trouble = self.trouble(url)
            if trouble is not None and trouble.kind in ("fork", "finalize"):
                trouble.chain.mine(now, eagerness=self._rng.choice([0.5, 1.0]))

    def _gaps_of(self, url: str) -> Gaps:
        until, gaps = self._gaps.get(url, (0.0, WHOLE))
        return gaps if self._loop.time() < until else WHOLE

    async def disturb(self) -> None:
        """Let things go wrong with one of several nodes, again and again, until the faults are over."""
        pace = self._rng.choice([2.0, 5.0, 15.0])
        while len(self._urls) > 1:
            await asyncio.sleep(self._rng.expovariate(1 / pace))
            if self._faults.over:
                return
            self._one_fault()

    async def open_gaps(self) -> None:
        """Let any node lack something, again and again, until the faults are over."""
        pace = self._chance.choice([2.0, 5.0, 15.0])
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / pace))
            if self._faults.over:
                return
            url = self._chance.choice(self._urls)
            [lack] = self._chance.choices(list(LACKS), weights=list(LACKS.values()))
            if self._gaps_of(url) is WHOLE:
                gaps = open_gaps(lack, self._seen_by(url), self._chance)
                self.lack(url, gaps, self._chance.uniform(1, LONGEST))
                self._faults.count(LACK_NAMES[lack])

    def lack(self, url: str, gaps: Gaps, seconds: float) -> None:
        """Let a node lack something for so many seconds."""
        self._gaps[url] = (self._loop.time() + seconds, gaps)

    def end(self) -> None:
        """Set every node right."""
        for trouble in self._troubles.values():
            self._chain.leave(trouble.chain)
        self._troubles.clear()
        self._gaps.clear()

    def _one_fault(self) -> None:
        url = self._rng.choice(self._urls)
        kind = self._rng.choice(list(NAMES))
        if self.trouble(url) is not None or not self._may_be(kind):
            return
        chain = self._chain
        match kind:
            case "still":
                chain = chain.split(0, self._rng)
            case "fork":
                chain = chain.split(self._rng.randint(0, 2), self._rng)
            case "finalize":
                chain = chain.split(self._rng.randint(0, 2), self._rng, finality=chain.finality)
        self._troubles[url] = Trouble(kind, self._loop.time() + self._rng.uniform(1, LONGEST), chain)
        self._faults.count(NAMES[kind])

    def _may_be(self, kind: Kind) -> bool:
        """Tell whether the other nodes could still be right about what is final.

        They are against one that finalizes another branch if both are in service: a silent node has no say.
        """
        kinds = {trouble.kind for url in self._urls if (trouble := self.trouble(url)) is not None}
        if kind == "finalize":
            return len(self._urls) > 2 and not kinds
        return "finalize" not in kinds and not (kind == "fork" and "fork" in kinds)


class _Transport:
    """What carries one process's requests to the nodes."""

    def __init__(self, endpoints: Endpoints, process: Process, rng: random.Random) -> None:
        self._endpoints = endpoints
        self._process = process
        self._rng = rng

    async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
        """Return the responses; a node that stalls may have done all that was asked of it."""
        trouble = self._endpoints.trouble(url)
        if trouble is not None and trouble.kind == "refuse":
            raise (Throttled if self._rng.random() < 0.2 else Unavailable)(f"{url} refuses")
        stalls = trouble is not None and trouble.kind == "stall"
        if not stalls or self._rng.random() < 0.5:
            node = self._endpoints.node(url, self._process)
            responses = [await _response(node, request) for request in requests]
        if stalls:
            await asyncio.sleep(TIMEOUT)
            raise Unavailable(f"{url} was silent")
        return responses if len(requests) > 1 else responses[0]

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


async def _response(node: SimulatedNode, request: Request) -> dict[str, Any]:
    try:
        return {"result": await node.call(request.method, request.params)}
    except RpcError as error:
        return {"error": {"code": error.code, "message": error.message, "data": error.data}}
