"""Mints, shown to the one who asked for them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mintline.errors import Unreadable
from mintline.records import Mint
from mintline.states import MintStatus
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.mints.problems import UNKNOWN_MINT
from mintline_api.http.problems import Refused

_PAGES_PER_REQUEST = 5
_FILTER_WINDOW = 100


@dataclass(frozen=True, slots=True)
class MintPage:
    """Some of a user's mints; `after` continues the list, None at its end."""

    mints: tuple[Mint, ...]
    after: str | None


async def get_mint(mint_id: str, *, sub: str, mints: MintStore) -> Mint:
    """Return the caller's mint; another user's is as unknown as none."""
    mint = await mints.get(mint_id)
    if mint is None or mint.sub != sub:
        raise Refused(UNKNOWN_MINT, "There is no such mint of yours.")
    return mint


async def _readable(mint_id: str, mints: MintStore) -> Mint | None:
    """Return a mint; None for an unreadable record, which must not hide the user's others."""
    try:
        return await mints.get(mint_id)
    except Unreadable:
        return None


async def list_mints(
    sub: str,
    *,
    status: MintStatus | None,
    limit: int,
    after: str | None,
    mints: MintStore,
) -> MintPage:
    """Return up to `limit` of the user's mints, newest first, those in `status` if one is given.

    A mint whose record is unreadable is left out. The filter looks at a bounded number of mints, so a page
    may be short, even empty, and still have a next.
    """
    found: list[Mint] = []
    window = limit if status is None else _FILTER_WINDOW
    for _ in range(_PAGES_PER_REQUEST):
        page = await mints.ids_of(sub, limit=window, after=after)
        read = await asyncio.gather(*(_readable(mint_id, mints) for _, mint_id in page.items))
        for (position, _), mint in zip(page.items, read, strict=True):
            after = position
            if mint is None or mint.sub != sub or (status is not None and mint.status is not status):
                continue
            found.append(mint)
            if len(found) == limit:
                last = page.items[-1][0]
                return MintPage(tuple(found), after if page.more or position != last else None)
        if not page.more:
            return MintPage(tuple(found), None)
    return MintPage(tuple(found), after)
