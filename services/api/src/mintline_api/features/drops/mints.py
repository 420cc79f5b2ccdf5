"""The mints of a drop, in the order of its lines.

Their ids follow from the drop's parts, so no index lists them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mintline.drop_records import Drop, DropPart
from mintline.operation_ids import line_mint_id
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_api.features.bulk.ports import LineStore
from mintline_api.features.drops.ports import DropStore
from mintline_api.features.pages import PageRequest

MOST_READ = 500
"""Mints that are read for one page of those with a status, at most, and up to a part's more."""


@dataclass(frozen=True, slots=True)
class DropMintPage:
    """Some of a drop's mints; `after` continues the list, None at its end."""

    mints: tuple[Mint, ...]
    after: str | None


async def list_drop_mints(
    drop: Drop, status: MintStatus | None, page: PageRequest, *, store: DropStore, lines: LineStore
) -> DropMintPage:
    """Return a page of the mints of the lines that were handed on so far, in the lines' order.

    A page of those with a status may be short, and still go on. A mint whose record is unreadable is left
    out.
    """
    first, line = _position(page.after)
    listed: list[Mint] = []
    read = 0
    async for part in store.parts(drop.drop_id, first=first):
        if part.chunk is None:
            continue
        if part.fed_at is None:
            break
        ids = mint_ids(part)
        start = line if part.number == first else 0
        while start < part.lines:
            if len(listed) == page.limit or read >= MOST_READ:
                return DropMintPage(tuple(listed), f"{part.number}.{start}")
            chosen = ids[start : start + page.limit - len(listed)]
            mints = await lines.mints(chosen)
            listed += (
                mints[mint_id]
                for mint_id in chosen
                if mint_id in mints and status in (None, mints[mint_id].status)
            )
            start += len(chosen)
            read += len(chosen)
    return DropMintPage(tuple(listed), None)


def mint_ids(part: DropPart) -> Sequence[str]:
    """Return the ids of the mints of a part that has a chunk, in order."""
    assert part.chunk is not None
    return [line_mint_id(part.drop_id, part.chunk, line) for line in range(part.lines)]


def _position(after: str | None) -> tuple[int, int]:
    """Return the part and the line in it at which a list goes on."""
    part, _, line = (after or "0.0").partition(".")
    return int(part), int(line)
