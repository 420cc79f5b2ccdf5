"""What schedules reach: the edges of the state machine, and why operations and signatures fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from mintline.records.operations import Operation
from mintline.records.transactions import Transaction
from mintline.states import TRANSITIONS


@dataclass(slots=True)
class Reached:
    """How often each thing was reached, by its name."""

    edges: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    """Codes that operations carry; a mint that ends in a token may have carried one before."""
    refusals: Counter[str] = field(default_factory=Counter)
    """The enclave's codes."""
    transactions: Counter[str] = field(default_factory=Counter)
    """By kind and outcome."""
    largest: int = 0
    """Operations in one transaction."""

    def moved(self, before: Operation, after: Operation) -> None:
        """Count a write of an operation: an edge if it changes the status, or gives it another nonce."""
        if before.status is not after.status or before.nonce != after.nonce:
            self.edges[f"{before.status}→{after.status}"] += 1
        if after.problem is not None and after.problem != before.problem:
            self.problems[after.problem.code] += 1

    def ended(self, transaction: Transaction) -> None:
        """Count a transaction that is at its end."""
        self.transactions[f"{transaction.kind} {transaction.outcome}"] += 1
        if transaction.outcome == "succeeded":
            self.largest = max(self.largest, len(transaction.operations))

    def add(self, other: Reached) -> None:
        """Count in what another schedule reached."""
        self.edges += other.edges
        self.problems += other.problems
        self.refusals += other.refusals
        self.transactions += other.transactions
        self.largest = max(self.largest, other.largest)

    def lines(self) -> Iterator[str]:
        """Return it as lines to read."""
        legal = [f"{source}→{target}" for source in TRANSITIONS for target in sorted(TRANSITIONS[source])]
        never = [edge for edge in legal if not self.edges[edge]]
        edges = f"edges: {len(legal) - len(never)} of {len(legal)}"
        yield f"{edges}, never: {', '.join(never)}" if never else edges
        for name, counts in (
            ("problems", self.problems),
            ("refusals by the enclave", self.refusals),
            ("transactions", self.transactions),
        ):
            counted = (f"{code} {count}" for code, count in sorted(counts.items()))
            yield f"{name}: {', '.join(counted) or 'none'}"
        yield f"largest batch: {self.largest}"
