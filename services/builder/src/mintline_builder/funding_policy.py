"""What a wallet lacks, and how much a top-up or a refill brings it. All amounts are in wei."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from mintline.clock import UnixSeconds
from mintline.records.transactions import Transaction

SOON = 60.0
"""Seconds after a top-up within which the next one is twice as large."""
BUSY = 32
"""Open transactions from which on a wallet is topped up before it lacks money."""
RECENT = 3.0
"""Seconds for which an operation that lacked gas money counts as waiting: it looks again after one."""
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class FundingCheck:
    """What a wallet must hold and does hold, in wei; `cost` is that of one mint at most, 0 if unknown.

    `mined` is how many of its transactions are mined, `in_flight` how many are open, `waiting` how many more
    are known to lack money.
    """

    required: int
    balance: int
    cost: int
    mined: int = 0
    in_flight: int = 0
    waiting: int = 0

    @property
    def sufficient(self) -> bool:
        """Whether the balance is enough."""
        return self.balance >= self.required

    @property
    def needed_soon(self) -> Self | None:
        """What a wallet that sends many at once needs for as many more, if it has less; None otherwise."""
        ahead = replace(self, required=2 * self.required)
        return None if self.in_flight < BUSY or ahead.sufficient else ahead


class Demand:
    """Which operations have lacked gas money lately, in this process; `clock` is in Unix seconds."""

    def __init__(self, *, clock: Callable[[], UnixSeconds]) -> None:
        self._clock = clock
        self._lacking: OrderedDict[str, tuple[str, UnixSeconds]] = OrderedDict()

    def note(self, wallet: str, operation_id: str) -> None:
        """Note that an operation of a wallet waits for money."""
        now = self._clock()
        self._lacking.pop(operation_id, None)
        self._lacking[operation_id] = wallet, now
        while len(self._lacking) > REMEMBERED or next(iter(self._lacking.values()))[1] < now - RECENT:
            self._lacking.popitem(last=False)

    def of(self, wallet: str) -> int:
        """Return how many operations of a wallet wait."""
        recent = self._clock() - RECENT
        return sum(whose == wallet and at >= recent for whose, at in self._lacking.values())


@dataclass(frozen=True, slots=True)
class TopUpPolicy:
    """How much a top-up brings: the gas of `mints` mints, or of all that wait if they are more.

    It is doubled for a wallet that is soon back for more. `max_mints` ends the doubling, and bounds how many
    of those that wait are paid for at once. `max_value` (wei) bounds any top-up; it must be within the
    enclave's own policy, or a treasury nonce is reserved for what will not be signed. `max_cost` (wei) bounds
    what one transaction may be said to need, `day_budget` (wei) what all top-ups of a wallet bring in a UTC
    day.
    """

    mints: int
    max_mints: int
    max_value: int
    max_cost: int
    day_budget: int

    def value(self, funding: FundingCheck, before: Transaction | None, now: float) -> int:
        """Return the wei to send, given the settled top-up before this one; `now` is in Unix seconds."""
        missing = funding.required - funding.balance
        waiting = min(funding.waiting, self.max_mints)
        value = max(self.mints * funding.cost, 2 * missing, missing + (waiting - 1) * funding.cost)
        if before is not None and before.top_up is not None and now - before.reserved_at / 1000 < SOON:
            value = max(value, min(2 * before.top_up.value, self.max_mints * funding.cost))
        return min(value, self.max_value)

    def least(self, funding: FundingCheck) -> int:
        """Return the wei to send if the treasury cannot pay more."""
        return max(self.mints * funding.cost, funding.required - funding.balance)


@dataclass(frozen=True, slots=True)
class Refill:
    """When the treasury tops a relayer up, and to what: below `below` wei, to `target`. 0: never."""

    below: int = 0
    target: int = 0

    def value(self, balance: int, required: int) -> int:
        """Return the wei that a relayer lacks, 0 if it has enough; `required` counts up to the target."""
        if balance >= max(self.below, min(required, self.target)):
            return 0
        return max(0, self.target - balance)


NO_REFILL = Refill()
