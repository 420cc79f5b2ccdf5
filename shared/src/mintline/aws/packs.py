"""The table of packs: which object has a token's metadata, and where."""

from __future__ import annotations

from collections.abc import AsyncIterator

from mintline.aws.dynamo import Dynamo
from mintline.aws.records import read
from mintline.packs import PackIndex
from mintline.records.keys import token_key
from mintline.resources import PACKS
from mintline.set_aside import SetAside

_PAGE = 100
_LAST = 20


async def find_pack(dynamo: Dynamo, collection_id: str, token_id: int, aside: SetAside) -> PackIndex | None:
    """Return the pack that has a token's metadata, None if none has it; raises Unreadable.

    Packs do not overlap, so it is the last one that begins at or before the token.
    """
    packs = await find_packs(dynamo, collection_id, token_id, aside, most=1)
    return packs[0] if packs else None


async def find_packs(
    dynamo: Dynamo, collection_id: str, token_id: int, aside: SetAside, *, most: int = _LAST
) -> list[PackIndex]:
    """Return those of the last packs at or before a token that have its metadata, last first.

    More than one has it if a token id was given out twice, after a backup was restored. Raises Unreadable.
    """
    page = await dynamo.query(
        PACKS,
        partition=collection_id,
        sort_between=(token_key(0), token_key(token_id)),
        forward=False,
        limit=most,
    )
    packs = (read(PackIndex, PACKS, item, aside) for item in page.items)
    return [pack for pack in packs if pack.span_of(token_id) is not None]


async def every_pack(dynamo: Dynamo, partition: str, aside: SetAside) -> AsyncIterator[PackIndex]:
    """Yield the packs of a partition by their first tokens; raises Unreadable."""
    start = None
    while True:
        page = await dynamo.query(PACKS, partition=partition, limit=_PAGE, start=start)
        for item in page.items:
            yield read(PackIndex, PACKS, item, aside)
        start = page.next
        if start is None:
            return
