"""The outcomes of a write or a read other than success."""

from __future__ import annotations

from dataclasses import dataclass

from mintline.aws.changes import Change
from mintline.aws.items import Item
from mintline.errors import Conflict, Retryable


class ConditionFailed(Conflict):
    """A clause did not hold; `item` is the item as it was, None if there is none."""

    def __init__(self, change: Change, item: Item | None) -> None:
        clauses = ", ".join(clause.name for clause in change.where)
        super().__init__(f"{change.table.name}: {clauses}")
        self.item = item


@dataclass(frozen=True, slots=True)
class Reason:
    """What became of one change of a cancelled transaction: a code, a text, and the item that was found."""

    code: str
    item: Item | None
    message: str = ""


class TransactionCancelled(Conflict):
    """A clause of a transaction did not hold; `reasons` are in the order of its changes."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        super().__init__(", ".join(reason.code for reason in reasons))
        self.reasons = reasons


class Contended(Retryable):
    """Other writes to the same items kept coming in between."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a query; `next` is where the following one starts, None at the end."""

    items: list[Item]
    next: Item | None
