"""Which operations' creation is in the logs: no other event of theirs may come before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from mintline.resources import MINTS
from mintline_notifier.changes import SECOND_MS, Change

MOST = 200_000
SKEW_MS = 16 * 60_000
"""How far the clocks of services and streams are apart, at most.

AWS refuses signed requests whose time is off by more than 5 to 15 minutes, by service.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
"""


class Acceptances:
    """Remembers the operations of whose creation the logs have the events."""

    def __init__(self) -> None:
        self.told_until = 0
        """Unix milliseconds, by the streams: all creations until then are in the logs as well."""
        self._told: OrderedDict[str, None] = OrderedDict()

    def add(self, changes: Iterable[Change]) -> None:
        """Note changes whose events are in the logs; those of an operation come after its creation."""
        for change in changes:
            name = change.new.get("mint_id") if change.table is MINTS and change.new else None
            if isinstance(name, str):
                self._told[name] = None
        while len(self._told) > MOST:
            self._told.popitem(last=False)

    def ready(self, changes: Sequence[Change]) -> int:
        """Return how many changes of transactions, from the first on, need not wait."""
        return next((place for place, change in enumerate(changes) if self._waits(change)), len(changes))

    def _waits(self, change: Change) -> bool:
        """Tell whether a transaction carries an operation whose creation is not in the logs yet.

        What it carries was on record when it was reserved, and before each of its changes. An operation's
        own `created_at` says nothing: the record may be written any time later.
        """
        item = change.new or {}
        reserved_at, names = item.get("reserved_at"), item.get("operations")
        latest = change.at + SECOND_MS
        if isinstance(reserved_at, int):
            latest = min(latest, reserved_at + SKEW_MS)
        if latest <= self.told_until or not isinstance(names, list):
            return False
        return not all(isinstance(name, str) and name in self._told for name in names)
