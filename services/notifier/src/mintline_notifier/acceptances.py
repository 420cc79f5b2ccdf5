"""Which operations' creation has been told of: nothing else about them may be told before."""

from __future__ import annotations

from collections import OrderedDict

MOST = 200_000


class Acceptances:
    """Remembers the operations whose creation was read, since a moment by which all others were.

    `floor` (Unix milliseconds): the creation of what was created until then has been told of.
    """

    def __init__(self, floor: int) -> None:
        self._floor = floor
        self._created: OrderedDict[str, int] = OrderedDict()

    def add(self, operation_id: str, created_at: int) -> None:
        """Note that an operation's creation was read."""
        self._created[operation_id] = created_at
        if len(self._created) > MOST:
            _, oldest = self._created.popitem(last=False)
            self._floor = max(self._floor, oldest)

    def knows(self, operation_id: str, created_at: int) -> bool:
        """Tell whether an operation's creation was read, by this process or one before it."""
        return created_at <= self._floor or operation_id in self._created
