"""Where a serial of an ERC-1155 collection was used: the one event on the chain that names it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from mintline.chain.answers import Log
from mintline.chain.rpc import RpcError
from mintline.errors import Retryable, Throttled

REQUESTS = 32
"""How many ranges of blocks one search asks for, at most."""
REMEMBERED = 1_000
"""Searches that go on where they ended."""

ReadLogs: TypeAlias = Callable[[str, int, int, int], Awaitable[tuple[Log, ...]]]
"""The logs that name a collection's serial between two blocks, both included."""


class SerialSearch:
    """Looks for the events of serials that are known to be used, from newer blocks to older ones.

    At first it asks for all blocks at once, which many nodes answer for a search by topics; what a node finds
    too much is halved. A search that comes to no end in REQUESTS is continued by the next one.
    """

    def __init__(self, logs: ReadLogs) -> None:
        self._logs = logs
        self._widest: int | None = None
        """The widest range that is asked for, in blocks; None while none was refused."""
        self._left: OrderedDict[tuple[str, int], int] = OrderedDict()
        """The newest block that a search has not asked for, by collection and serial."""

    async def find(self, contract: str, serial: int, *, last: int) -> Log | None:
        """Return the event by which a serial was used up to a block, None if it was not found so far.

        One node's word. Raises Retryable if nodes answer nothing at all.
        """
        name = contract, serial
        newest = min(last, self._left.pop(name, last))
        for _ in range(REQUESTS):
            width = newest + 1 if self._widest is None else min(self._widest, newest + 1)
            oldest = newest + 1 - width
            try:
                found = await self._logs(contract, serial, oldest, newest)
            except Throttled:
                raise
            except (RpcError, Retryable):
                if width == 1:
                    raise
                self._widest = width // 2
                continue
            if found:
                return found[0]
            if oldest == 0:
                return None
            newest = oldest - 1
        self._left[name] = newest
        while len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return None
