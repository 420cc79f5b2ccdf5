"""The table of packs: which object has a token's metadata, and where; and the text itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from mintline.aws.dynamo import Dynamo
from mintline.aws.objects import read_object
from mintline.aws.records import read
from mintline.packs import MOST_TOKENS, PackIndex
from mintline.records.keys import token_key
from mintline.resources import PACKS
from mintline.set_aside import SetAside

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_PAGE = 100


async def read_packed(
    dynamo: Dynamo, collection_id: str, token_id: int, aside: SetAside, *, s3: S3Client, bucket: str
) -> bytes | None:
    """Return a token's text of the pack that has it, None if none has it; raises Unreadable."""
    pack = await find_pack(dynamo, collection_id, token_id, aside)
    span = None if pack is None else pack.span_of(token_id)
    if pack is None or span is None:
        return None
    return await read_object(s3, bucket, pack.object_key, span=span)


async def find_pack(dynamo: Dynamo, collection_id: str, token_id: int, aside: SetAside) -> PackIndex | None:
    """Return the pack that has a token's metadata, None if none has it; raises Unreadable.

    Packs do not overlap, so it is the last one that begins at or before the token.
    """
    sorts = (token_key(0), token_key(token_id))
    page = await dynamo.query(PACKS, partition=collection_id, sort_between=sorts, forward=False, limit=1)
    pack = read(PackIndex, PACKS, page.items[0], aside) if page.items else None
    return pack if pack is not None and pack.span_of(token_id) is not None else None


async def packs_with(
    dynamo: Dynamo, collection_id: str, token_id: int, aside: SetAside
) -> AsyncIterator[PackIndex]:
    """Yield every pack that has a token's metadata, last first; raises Unreadable.

    More than one has it if its id was given out twice, after a backup was restored.
    """
    sorts = (token_key(max(0, token_id - MOST_TOKENS + 1)), token_key(token_id))
    start = None
    while True:
        page = await dynamo.query(
            PACKS, partition=collection_id, sort_between=sorts, forward=False, limit=_PAGE, start=start
        )
        for item in page.items:
            pack = read(PackIndex, PACKS, item, aside)
            if pack.span_of(token_id) is not None:
                yield pack
        start = page.next
        if start is None:
            return


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
