"""Where a serial of an ERC-1155 collection was used: the one event on the chain that names it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from mintline.chain.answers import Log
from mintline.chain.rpc import RpcError
from mintline.chain.transport import AnswerTooLarge, BodyTooLarge
from mintline.errors import Retryable, Throttled

REQUESTS = 32
"""How many ranges of blocks one search asks for, at most."""
REMEMBERED = 1_000
"""Searches that go on where they ended."""
UNANSWERED = 10_000
"""The narrowest range, in blocks, to which ranges that got no answer at all narrow a search."""

ReadLogs: TypeAlias = Callable[[str, int, int, int], Awaitable[tuple[Log, ...]]]
"""The logs that name a collection's serial between two blocks, both included."""


@dataclass(slots=True)
class _Search:
    """How far one search has come."""

    newest: int
    """The newest block that was not requested yet."""
    width: int
    """The widest range that it asks for next, in blocks."""


class SerialSearch:
    """Looks for the events of serials that are known to be used, from newer blocks to older ones.

    At first it asks for all blocks at once, which many nodes answer for a search by topics; what a node finds
    too much is halved. A search that comes to no end in REQUESTS, or fails, is continued by the next one.

    A width that was refused bounds other searches once a narrower range was answered. A refusal of what was
    answered before is not about the width, and an outage is not a refusal: these narrow one search alone.
    """

    def __init__(self, logs: ReadLogs) -> None:
        self._logs = logs
        self._widest: int | None = None
        """The widest range that is requested, in blocks; None while none was refused."""
        self._answered = 0
        """The widest range that was answered, in blocks."""
        self._left: OrderedDict[tuple[str, int], _Search] = OrderedDict()
        """Searches that have not ended, by collection and serial."""

    async def find(self, contract: str, serial: int, *, last: int) -> Log | None:
        """Return the event by which a serial was used up to a block, None if it was not found so far.

        One node's word. Raises RpcError or Retryable if nodes do not answer the narrowest range either.
        """
        name = contract, serial
        search = self._left.pop(name, None) or _Search(last, last + 1)
        search.newest = min(search.newest, last)
        ended = False
        try:
            log = await self._go_on(contract, serial, search)
            ended = log is not None or search.newest < 0
        finally:
            if not ended:
                self._left[name] = search
            while len(self._left) > REMEMBERED:
                self._left.popitem(last=False)
        return log

    async def _go_on(self, contract: str, serial: int, search: _Search) -> Log | None:
        refused = False
        for _ in range(REQUESTS):
            width = min(search.width, search.newest + 1, self._widest or search.width)
            oldest = search.newest + 1 - width
            try:
                logs = await self._logs(contract, serial, oldest, search.newest)
            except (RpcError, BodyTooLarge, AnswerTooLarge):
                if width == 1:
                    raise
                search.width = width // 2
                refused = refused or width > self._answered
                continue
            except Throttled:
                raise
            except Retryable:
                # A node that takes too long for so many blocks looks the same as one that is away.
                search.width = max(width // 2, min(width, UNANSWERED))
                raise
            if refused:
                self._widest, refused = width, False
            self._answered = max(self._answered, width)
            search.newest, search.width = oldest - 1, 2 * width
            if logs:
                return logs[0]
            if oldest == 0:
                break
        return None
