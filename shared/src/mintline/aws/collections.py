"""Conditional writes on the records of collections."""

from __future__ import annotations

from mintline.aws.changes import Clause
from mintline.aws.records import to_item
from mintline.records.collections import RegisteredContract

OPEN_CHANGES = ("pending", "pausing")
"""The attributes of a collection's changes that have not ended."""


def same_changes(before: RegisteredContract) -> tuple[Clause, ...]:
    """Return the condition that a collection's open changes are as they were read."""
    stored = to_item(before)
    return tuple(
        Clause(f"same_{name}", name, "eq", (stored[name],))
        if name in stored
        else Clause(f"no_{name}", name, "missing")
        for name in OPEN_CHANGES
    )
