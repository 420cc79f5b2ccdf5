"""The table of packs: which object has a token's metadata, and where."""

from __future__ import annotations

from mintline.aws.dynamo import Dynamo
from mintline.aws.records import read
from mintline.packs import PackIndex
from mintline.records import token_key
from mintline.resources import PACKS
from mintline.set_aside import SetAside


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
