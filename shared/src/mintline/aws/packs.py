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


async def find_pack(dynamo: Dynamo, collection_id: str, token_id: int, aside: SetAside) -> PackIndex | None:
    """Return the pack that has a token's metadata, None if none has it; raises Unreadable.

    Packs do not overlap, so it is the last one that begins at or before the token.
    """
    page = await dynamo.query(
        PACKS,
        partition=collection_id,
        sort_between=(token_key(0), token_key(token_id)),
        forward=False,
        limit=1,
    )
    if not page.items:
        return None
    pack = read(PackIndex, PACKS, page.items[0], aside)
    return None if pack.span_of(token_id) is None else pack


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
