"""Carries out the pieces of one block side by side: how long that takes does not grow with each token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from mintline.errors import Retryable
from mintline_indexer.store_port import Refused

LANES = 4
"""Pieces that are carried out at once."""
TRIES = 3
"""Of a piece that fails for now, on top of what the store itself tries."""

PieceT = TypeVar("PieceT")


async def run(
    pieces: Iterable[PieceT],
    carry_out: Callable[[PieceT], Awaitable[Refused]],
    *,
    between: Callable[[], Awaitable[None]],
) -> Refused:
    """Carry out all pieces, in no order; return what was refused of them. `between` is called after each.

    Every piece has ended when this returns or raises, so that none runs on unwatched. A piece may be carried
    out several times. Raises what a piece raises, Retryable only if it keeps failing.
    """
    places = asyncio.Semaphore(LANES)
    refused = Refused()

    async def through(piece: PieceT) -> Refused:
        async with places:
            refused = await carry_out(piece)
        await between()
        return refused

    left = list(pieces)
    for attempt in range(1, TRIES + 1):
        ends = await asyncio.gather(*map(through, left), return_exceptions=True)
        failed: list[PieceT] = []
        errors: list[BaseException] = []
        for piece, end in zip(left, ends, strict=True):
            if isinstance(end, Refused):
                refused.add(end)
            elif isinstance(end, Retryable) and attempt < TRIES:
                failed.append(piece)
            else:
                errors.append(end)
        if errors:
            raise next((error for error in errors if not isinstance(error, Retryable)), errors[0])
        left = failed
        if not left:
            break
    return refused
