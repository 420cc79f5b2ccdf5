"""How far each shard was read, and which process reads: a lease, and a position a shard.

Two readers at once do no harm: the logs know what they have by its marks. The lease only spares the work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Put, Update
from mintline.resources import EVENT_CURSORS

LEADER = "leader"
_PAGE = 100


class Cursor(NamedTuple):
    """How far a shard was read."""

    number: str
    """The sequence number of the last change whose events are in the logs; empty before the first."""
    at: int
    """Unix milliseconds: the events of all changes until then are in the logs."""


class Cursors(Protocol):
    """What readers hand over to each other."""

    async def lease(self, owner: str, *, now: int, until: int) -> bool:
        """Become the reader until then, or stay it (Unix milliseconds); False while another one is."""

    async def release(self, owner: str) -> None:
        """Let another process become the reader at once."""

    async def all(self) -> Mapping[str, Cursor]:
        """Return the cursors of all shards by name."""

    async def save(self, shard: str, cursor: Cursor) -> None:
        """Note how far a shard was read."""


class DynamoCursors:
    """The table `event-cursors`."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    async def lease(self, owner: str, *, now: int, until: int) -> bool:
        """Take or keep the lease."""
        key: Item = {"cursor_id": LEADER}
        item: Item = {"owner": owner, "until": until}
        for clause in (
            Clause("own", "owner", "eq", (owner,)),
            Clause("over", "until", "lt", (now,)),
        ):
            try:
                await self._dynamo.write(Update(EVENT_CURSORS, key, set=item, where=(clause,)))
            except ConditionFailed:
                continue
            return True
        try:
            await self._dynamo.write(
                Put(EVENT_CURSORS, key | item, where=(Clause("none", "cursor_id", "missing"),))
            )
        except ConditionFailed:
            return False
        return True

    async def release(self, owner: str) -> None:
        """End the lease, if it is this owner's."""
        own = Clause("own", "owner", "eq", (owner,))
        try:
            await self._dynamo.write(
                Update(EVENT_CURSORS, {"cursor_id": LEADER}, set={"until": 0}, where=(own,))
            )
        except ConditionFailed:
            return

    async def all(self) -> Mapping[str, Cursor]:
        """Return all cursors, by a scan: there is one for each shard of some hours."""
        cursors: dict[str, Cursor] = {}
        start: Item | None = None
        while True:
            page = await self._dynamo.scan(EVENT_CURSORS, limit=_PAGE, start=start)
            for item in page.items:
                number, at = item.get("number"), item.get("at")
                if isinstance(number, str) and isinstance(at, int):
                    cursors[str(item["cursor_id"])] = Cursor(number, at)
            if (start := page.next) is None:
                return cursors

    async def save(self, shard: str, cursor: Cursor) -> None:
        await self._dynamo.write(
            Put(EVENT_CURSORS, {"cursor_id": shard, "number": cursor.number, "at": cursor.at})
        )
