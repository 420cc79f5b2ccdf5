"""Nonces, reserved in one transaction with what they are for.

Invariants, whatever crashes, repeats or races:

- A transaction's record is the lock of its nonce. The write that creates it, once, makes over to it what it
  is for, so a nonce can be neither lost nor given twice. Its conditions are, by name:

  ================== ==================================================================
  first_of_its_nonce no transaction is on record under the nonce
  still_accepted     the mint is still `accepted`, or `still_built` under the nonce that is `nonce_spent`
  did_not_succeed    the transaction of that nonce was not mined, nor `did_not_fail`
  settled            the wallet's latest top-up is the one seen to be settled
  ================== ==================================================================

- The next nonce is counted from the records: it follows the highest one. What this process remembers of it is
  a guess; a wrong guess costs one refused transaction, after which the records are read.
- An answer that got lost is harmless. The claim's own condition fails when it is tried again, which the
  caller sees as Conflict: it reads back what is on record.
- A nonce that the chain has used already is never given out: where a claim's `floor` is above the next nonce
  by the records, someone used the key elsewhere, and the reservation begins at the floor. Should a reorg take
  that back, the nonces in between are a gap, which the broadcaster fills.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context
from dataclasses import dataclass, field
from random import Random

import structlog

from mintline.errors import Conflict, Unavailable, Unusable, Unwritable
from mintline.tracing import OFF, Tracer
from mintline_builder.claims import Advance, Claim
from mintline_builder.ports import Accounts, NotCommitted

log = structlog.get_logger(__name__)

MAX_TRIES = 30
"""Refusals after which a claim's message goes back: a hot account must not hold handlers without end."""
STEPS = 4
"""Parts of the linger: where nothing is under way, company that none joins within one of them is complete."""
MAX_GUESSES = 100_000
"""Senders whose next nonce is remembered, those used last."""


@dataclass(eq=False, slots=True)
class _Waiting:
    claim: Claim
    nonce: asyncio.Future[int]
    trace: str
    floor: int = 0
    tries: int = 0
    alone: bool = False
    """Whether a transaction that it shared was refused for what one of the claims holds."""


@dataclass(slots=True)
class _Flight:
    """One transaction under way. Its items are locked in this process until it lands."""

    groups: dict[str, list[_Waiting]] = field(default_factory=dict)
    items: set[str] = field(default_factory=set)
    expected: dict[str, int] = field(default_factory=dict)
    """The next nonces by the records; those given out are higher if the chain has used more."""

    def waiting(self) -> Iterable[_Waiting]:
        return (waiting for group in self.groups.values() for waiting in group)


class Reserver:
    """Gives out nonces, many in one transaction.

    Claims that arrive together share a transaction of at most `max_changes` writes, across senders. A sender
    under way is locked in this process, so its later claims gather for the next transaction. A lone claim
    goes at once; company waits for more, for `linger` seconds at most, or for one of `max_flights`
    transactions to end, which are larger the fewer they are. `conflicts` is called once per refused
    transaction, `jumps` once per sender whose nonces were used elsewhere.
    In traces a transaction links to the spans of all its claims.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        sleep: Callable[[float], Awaitable[None]],
        rng: Random,
        linger: float = 0.02,
        max_flights: int = 2,
        max_changes: int = 100,
        conflicts: Callable[[], None] = lambda: None,
        jumps: Callable[[], None] = lambda: None,
        tracer: Tracer = OFF,
    ) -> None:
        self._accounts = accounts
        self._sleep = sleep
        self._rng = rng
        self._linger = linger
        self._max_flights = max_flights
        self._max_changes = max_changes
        self._conflicts = conflicts
        self._jumps = jumps
        self._tracer = tracer
        self._queues: dict[str, deque[_Waiting]] = {}
        self._guesses: dict[str, int] = {}
        self._locked: set[str] = set()
        self._flights: set[asyncio.Task[None]] = set()
        self._gathering: asyncio.Task[None] | None = None

    async def reserve(self, sender: str, claim: Claim, *, floor: int = 0) -> int:
        """Return the nonce of `sender` that `claim` got, once both are committed.

        `floor` is the sender's count of mined transactions as the caller last saw it.

        Raises Conflict if the claim's own condition fails: someone else, or an earlier try of one's own, got
        there first. Raises Retryable if it is unknown whether the write happened.
        """
        waiting = _Waiting(claim, asyncio.get_running_loop().create_future(), self._tracer.current(), floor)
        self._queues.setdefault(sender, deque()).append(waiting)
        if self._gathering is None:
            # Contexts of their own: these tasks serve many callers, and must not log under one caller's ids.
            self._gathering = asyncio.create_task(self._gather(), name="reserver-gather", context=Context())
        return await waiting.nonce

    async def next_nonce(self, sender: str, mined: int) -> int:
        """Return the next nonce of `sender`, of whose transactions `mined` are, as last seen here."""
        return max(mined, await self._expected(sender, mined))

    async def aclose(self) -> None:
        """Wait for what is under way, so that no answer is thrown away."""
        while tasks := [*self._flights, *([self._gathering] if self._gathering else [])]:
            await asyncio.wait(tasks)

    async def _gather(self) -> None:
        # One turn of the loop lets claims of the same moment meet.
        await asyncio.sleep(0)
        if self._flights:
            await self._sleep(self._linger)
        elif (claims := self._claims()) > 1:
            await self._wait_for_company(claims)
        self._gathering = None
        self._launch()

    async def _wait_for_company(self, claims: int) -> None:
        """Wait as long as others follow closely on those that came together."""
        for _ in range(STEPS):
            await self._sleep(self._linger / STEPS)
            if (more := self._claims()) == claims:
                break
            claims = more

    def _claims(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def _launch(self) -> None:
        while len(self._flights) < self._max_flights and (flight := self._compose()).groups:
            self._locked |= flight.items
            task = asyncio.create_task(self._fly(flight), name="reserver-flight", context=Context())
            self._flights.add(task)

    def _compose(self) -> _Flight:
        """Fill a transaction, oldest sender first, with claims whose items no other has."""
        flight = _Flight()
        room = self._max_changes
        for sender in list(self._queues):
            own = _lock_of(sender)
            if own in self._locked:
                continue
            if not room:
                break
            if flight.groups and self._queues[sender][0].alone:
                continue
            chosen, left = self._choose(sender, flight.items, room)
            if chosen:
                flight.groups[sender] = chosen
                flight.items |= {own, *(waiting.claim.item for waiting in chosen)}
                taken = sum(waiting.claim.writes for waiting in chosen)
                room = 0 if chosen[0].alone else room - taken
            if left:
                # Behind the other senders, so that none is starved.
                del self._queues[sender]
                self._queues[sender] = left
            else:
                del self._queues[sender]
        return flight

    def _choose(self, sender: str, taken: set[str], room: int) -> tuple[list[_Waiting], deque[_Waiting]]:
        chosen: list[_Waiting] = []
        left: deque[_Waiting] = deque()
        items: set[str] = set()
        for waiting in self._queues[sender]:
            if waiting.nonce.done():
                continue
            item, writes = waiting.claim.item, waiting.claim.writes
            if waiting.alone:
                room = 0 if chosen else writes
            if writes <= room and item not in self._locked | taken | items:
                chosen.append(waiting)
                items.add(item)
                room -= writes
            else:
                left.append(waiting)
        return chosen, left

    async def _fly(self, flight: _Flight) -> None:
        try:
            await self._commit(flight)
        except asyncio.CancelledError:
            self._land(flight)
            self._fail(flight, Unavailable("reservation: stopped"))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller must hear of it
            self._fail(flight, error)
        self._land(flight)
        self._launch()

    def _land(self, flight: _Flight) -> None:
        self._locked -= flight.items
        task = asyncio.current_task()
        assert task is not None
        self._flights.discard(task)

    async def _commit(self, flight: _Flight) -> None:
        advances = await self._advances(flight)
        if not advances:
            return
        links = [waiting.trace for waiting in flight.waiting() if waiting.trace]
        try:
            with self._tracer.span("reserve nonces", links=links, attributes={"mintline.claims": len(links)}):
                await self._accounts.commit(advances)
        except NotCommitted as refusal:
            self._conflicts()
            await self._settle_refusal(flight, refusal)
            return
        except Unwritable:
            if len(list(flight.waiting())) <= 1:
                raise
            self._take_apart(flight)
            return
        for advance in advances:
            # Only now: what is expected may be a guess that another copy of the builder has overtaken.
            expected = flight.expected[advance.sender]
            if advance.first > expected:
                log.error(
                    "nonces_used_elsewhere", sender=advance.sender, next_nonce=expected, mined=advance.first
                )
                self._jumps()
            self._guess(advance.sender, advance.next_nonce)
            for index, waiting in enumerate(flight.groups[advance.sender]):
                if not waiting.nonce.done():
                    waiting.nonce.set_result(advance.first + index)

    def _take_apart(self, flight: _Flight) -> None:
        """Let claims of which one is at fault go again, one in each transaction, which shows the one."""
        for sender, group in flight.groups.items():
            for waiting in group:
                waiting.alone = True
            self._queues.setdefault(sender, deque()).extendleft(reversed(group))

    async def _advances(self, flight: _Flight) -> list[Advance]:
        """Return what each sender needs; one whose account is unusable leaves the flight with its error."""
        senders = list(flight.groups)
        outcomes = await asyncio.gather(
            *(self._advance(sender, flight) for sender in senders), return_exceptions=True
        )
        advances: list[Advance] = []
        for sender, advance in zip(senders, outcomes, strict=True):
            if isinstance(advance, Advance):
                advances.append(advance)
            elif isinstance(advance, Unusable):
                self._fail(_Flight({sender: flight.groups.pop(sender)}), advance)
            else:
                raise advance
        return advances

    async def _advance(self, sender: str, flight: _Flight) -> Advance:
        group = flight.groups[sender]
        floor = max(waiting.floor for waiting in group)
        flight.expected[sender] = expected = await self._expected(sender, floor)
        return Advance(sender, max(expected, floor), tuple(waiting.claim for waiting in group))

    async def _settle_refusal(self, flight: _Flight, refusal: NotCommitted) -> None:
        """Answer the claims that lost; let the others go again, ahead of newer ones."""
        for sender in refusal.taken:
            last = await self._accounts.last_nonce(sender)
            self._guess(sender, 0 if last is None else last + 1)
        if refusal.busy or not (refusal.lost or refusal.taken):
            tries = max(waiting.tries for waiting in flight.waiting())
            await self._sleep(self._rng.uniform(0, min(0.2, 0.01 * 2**tries)))
        for sender, group in flight.groups.items():
            again = [waiting for waiting in group if not self._answered(waiting, refusal.lost)]
            if again:
                self._queues.setdefault(sender, deque()).extendleft(reversed(again))

    @staticmethod
    def _answered(waiting: _Waiting, lost: frozenset[str]) -> bool:
        waiting.tries += 1
        if waiting.nonce.done():
            return True
        if waiting.claim.item in lost:
            waiting.nonce.set_exception(Conflict("the claim was taken before"))
            return True
        if waiting.tries >= MAX_TRIES:
            waiting.nonce.set_exception(Unavailable("reservation: too much contention"))
            return True
        return False

    def _fail(self, flight: _Flight, error: Exception) -> None:
        """Tell every caller that the outcome is unknown, and assume no nonce any more."""
        for sender in flight.groups:
            self._guesses.pop(sender, None)
        for waiting in flight.waiting():
            if not waiting.nonce.done():
                waiting.nonce.set_exception(error)

    async def _expected(self, sender: str, mined: int) -> int:
        """Return the next nonce by the records, as it was last seen here.

        A guess that the chain is ahead of is no longer one: another copy has reserved since, or somebody used
        the key elsewhere.
        """
        if self._guesses.get(sender, -1) < mined:
            read = await self._accounts.next_nonce(sender, mined)
            # While this was being read, a transaction may have landed and known better.
            self._guess(sender, max(read, self._guesses.get(sender, 0)))
        return self._guesses[sender]

    def _guess(self, sender: str, next_nonce: int) -> None:
        self._guesses.pop(sender, None)
        self._guesses[sender] = next_nonce
        if len(self._guesses) > MAX_GUESSES:
            del self._guesses[next(iter(self._guesses))]


def _lock_of(sender: str) -> str:
    """Name what keeps two transactions of this process from counting on from one nonce."""
    return f"nonces of {sender}"
