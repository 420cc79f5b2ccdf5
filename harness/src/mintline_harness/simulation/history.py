"""What records went through, which the event logs have to tell: every write, and the steps of each mint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from mintline.records.operations import Mint, Operation
from mintline.records.problems import CANCELLED
from mintline.records.transactions import Transaction, carried_by
from mintline.states import MintStatus

IN_BLOCK = (MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REVERTED)
CARRIED = (MintStatus.ACCEPTED, MintStatus.BUILT)
"""What the record of a mint says while its transaction says the rest."""
OF_TOKENS = ("mined", "finalized", "reorged")
"""Steps that the user whose token it is has events of, also if a client requested the mint."""


class Written(NamedTuple):
    """A write of a record; `at` is in virtual seconds."""

    at: float
    record: Operation | Transaction


Due: TypeAlias = dict[tuple[str, str], list[str]]
"""Types of events, in order, by principal and mint."""


class History:
    """Hears of every write; `clock` is in virtual seconds.

    What is due is derived from how mints stand by both records, their own and their transaction's. The
    notifier has the changes of each by itself.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.written: list[Written] = []
        self.due: Due = defaultdict(list)
        self.ended_apart: set[str] = set()
        """Mints that a transaction carried and whose end was written on their own record."""
        self._clock = clock
        self._created: set[str] = set()

    def wrote(self, record: Operation | Transaction) -> None:
        """Note a write, before what it moves."""
        self.written.append(Written(self._clock(), record))
        if not isinstance(record, Mint):
            return
        if record.status not in CARRIED and carried_by(record) is not None:
            self.ended_apart.add(record.mint_id)
        if record.mint_id not in self._created:
            self._created.add(record.mint_id)
            self._note(record, "accepted")
            if record.status is MintStatus.REJECTED:
                self._note(record, _end_of(record))

    def moved(self, before: Operation, after: Operation) -> None:
        """Note the steps between two states of an operation."""
        if isinstance(before, Mint) and isinstance(after, Mint):
            for step in _steps(before, after):
                self._note(after, step)

    def _note(self, mint: Mint, step: str) -> None:
        for principal in {mint.asked_by, mint.sub} if step in OF_TOKENS else {mint.asked_by}:
            self.due[principal, mint.mint_id].append(f"mint.{step}")


def _steps(before: Mint, after: Mint) -> Iterator[str]:
    was, status = before.status, after.status
    if was in IN_BLOCK and (status not in IN_BLOCK or before.block_hash != after.block_hash):
        yield "reorged"
        was = MintStatus.SUBMITTED
    if status is was:
        return
    if status in (MintStatus.MINED, MintStatus.FINALIZED) and was is not MintStatus.MINED:
        yield "mined"
    if status is MintStatus.REJECTED:
        yield _end_of(after)
    elif status in (MintStatus.SUBMITTED, MintStatus.FINALIZED, MintStatus.REVERTED):
        yield str(status)


def _end_of(mint: Mint) -> str:
    cancelled = mint.problem is not None and mint.problem.code == CANCELLED.code
    return "cancelled" if cancelled else "rejected"
