"""Refusals that are alike share a record, so that a flood of requests cannot fill the audit trail's disk."""

from __future__ import annotations

from typing import NamedTuple

from mintline.clock import UnixSeconds

WINDOW = 60
"""Seconds in which refusals that are alike share a record."""
MAX_ALIKE = 1000
"""Kinds of refusals in a window that are told apart by their keys, which the sender of a request chooses."""


class Alike(NamedTuple):
    """What refusals that share a record have in common."""

    what: str
    outcome: str
    key: str


class RefusalCounts:
    """Tells which refusals get a record of their own, and counts the rest.

    ::

        the first of its kind in a window     a record at once
        another one                           counted; one record for all of them when the window is over
        one kind more than `max_alike`        as above, with the key left out

    So a window has at most two records of each of `max_alike` kinds, and of each type of request and code.
    """

    def __init__(self, *, max_alike: int = MAX_ALIKE) -> None:
        self._max_alike = max_alike
        self._window = 0
        self._repeated: dict[Alike, tuple[bytes, int]] = {}

    def note(self, alike: Alike, intent: bytes) -> Alike | None:
        """Count a refusal. Return under what it is to be put on record at once; None if it was counted."""
        if alike not in self._repeated and len(self._repeated) >= self._max_alike:
            alike = alike._replace(key="")
        before = self._repeated.get(alike)
        if before is None:
            self._repeated[alike] = intent, 0
            return alike
        self._repeated[alike] = before[0], before[1] + 1
        return None

    def settled(self, now: UnixSeconds) -> list[tuple[Alike, bytes, int]]:
        """Return what was counted in the window before that of `now` (Unix seconds), and begin that one.

        For each kind: the first refusal's intent, and how many repeated it.
        """
        window = int(now // WINDOW)
        if window == self._window:
            return []
        counted = [(alike, intent, count) for alike, (intent, count) in self._repeated.items() if count]
        self._window, self._repeated = window, {}
        return counted
