"""What the keys that pay for gas have, what they spend, and how long that lasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mintline.clock import DAY_MS
from mintline.records.transactions import Transaction
from mintline_api.features.pipeline.ports import PipelineRecords, Role

SAMPLE = 50
"""Transactions whose cost is taken for that of all."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A key that pays for gas."""

    address: str
    role: Role


@dataclass(frozen=True, slots=True)
class Use:
    """What a sender did in the last day: how many transactions, and of those sampled the mean of each."""

    transactions: int
    gas: float
    value: float
    """Wei that it sent on, as the treasury does to those that it tops up."""

    def wei(self, gas_price: int) -> int:
        """Return what that costs at a price in wei per gas."""
        return round(self.transactions * (self.gas * gas_price + self.value))


@dataclass(frozen=True, slots=True)
class Funds:
    """A sender's balance, and what the last day would cost at the present price of gas, in wei."""

    sender: Sender
    balance: int
    transactions: int
    per_day: int

    @property
    def days_left(self) -> float | None:
        """How long the balance lasts at that rate; None: nothing was sent."""
        return round(self.balance / self.per_day, 1) if self.per_day else None


async def read_use(records: PipelineRecords, address: str, *, now: int) -> Use:
    """Return what a sender did in the day before `now`, in Unix milliseconds.

    What it sent is counted by nonces, so a busy sender costs no more reads than a quiet one. Gas is the limit
    of each transaction, which is above what it uses.
    """
    since = now - DAY_MS
    newest = await records.newest_transactions(address, SAMPLE)
    recent = [transaction for transaction in newest if transaction.reserved_at >= since]
    if not recent:
        return Use(0, 0.0, 0.0)
    count = len(recent)
    if count == SAMPLE:
        count = newest[0].nonce + 1 - await _first_since(records, address, since, recent)
    return Use(
        transactions=count,
        gas=sum(transaction.gas for transaction in recent) / len(recent),
        value=sum(transaction.top_up.value for transaction in recent if transaction.top_up is not None)
        / len(recent),
    )


async def _first_since(
    records: PipelineRecords, address: str, since: int, recent: Sequence[Transaction]
) -> int:
    """Return the first nonce that was reserved since then: later nonces are reserved later."""
    low, high = 0, recent[-1].nonce
    while low < high:
        middle = (low + high) // 2
        transaction = await records.transaction_from(address, middle)
        if transaction is None or transaction.reserved_at >= since:
            high = middle
        else:
            low = transaction.nonce + 1
    return low
