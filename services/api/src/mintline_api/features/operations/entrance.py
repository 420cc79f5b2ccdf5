"""Where requests of a trickle wait for one another, so that they share requests to AWS from then on."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from mintline.batcher import Batcher

ENTRANCE_SECONDS = 0.35
"""How long a request waits for others at most, in seconds, in a trickle (`mintline.batcher`)."""
TAIL_SECONDS = 0.2
"""A wait in whose last part, this long, no request came was in vain: those who wait may be all there are."""
TOGETHER = 10
"""Requests that wait for no more of them: at higher rates they meet without waiting."""


class Entrance:
    """Lets requests for operations pass, those of a trickle together; with 0 `seconds` each at once."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._batcher: Batcher[None, None] | None = None
        if seconds:
            self._batcher = Batcher(_pass, max_items=TOGETHER, linger=0.0, trickle=seconds, tail=TAIL_SECONDS)

    async def wait(self) -> None:
        """Return when a request may go on; a caller that is cancelled holds no other back."""
        if self._batcher is not None:
            await self._batcher.submit(None)


async def _pass(requests: Sequence[None]) -> Sequence[None]:
    return requests


ENTRANCE = web.AppKey("entrance", Entrance)
