"""Bodies of responses that others send: read whole, and no longer than they may be."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Body(Protocol):
    """A body as it arrives, such as aiohttp's StreamReader."""

    async def readexactly(self, n: int, /) -> bytes:
        """Return `n` bytes; raises IncompleteReadError, with those that there are, if it ends before."""
        ...


async def read_at_most(body: Body, most: int) -> bytes | None:
    """Return a whole body, or None if it has more than `most` bytes: then the rest is not read."""
    try:
        await body.readexactly(most + 1)
    except asyncio.IncompleteReadError as ended:
        return ended.partial
    return None
