"""Writes an object for each token whose metadata is in a pack, so that any web host can serve it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from mintline.aws.dynamo import Item
from mintline.aws.objects import put_once, read_object
from mintline.aws.records import from_item
from mintline.errors import Unreadable
from mintline.packs import PackIndex
from mintline.records import metadata_object_key
from mintline.resources import METADATA, PACKS
from mintline_ops.deployments import Records, Target, open_aws, open_records


@dataclass(slots=True)
class Unpacked:
    """What became of the packs' tokens."""

    packs: int = 0
    written: int = 0
    present: int = 0
    """Tokens that have an object already, which was left as it is."""
    missing: int = 0
    """Packs whose object is not there, or is shorter than its row says."""
    unreadable: int = 0
    """Rows that are no pack's."""

    @property
    def clean(self) -> bool:
        """Whether every token has an object of its own now."""
        return not self.missing and not self.unreadable


async def unpack_metadata(target: Target, *, contract: str | None = None) -> Unpacked:
    """Write the objects that are missing, of one contract's tokens if it is named; safe to repeat.

    Nothing is replaced. Compare the result with the chain by `mintline verify` or the tokens' digests: what
    a pack holds is not compared here.
    """
    done = Unpacked()
    async with AsyncExitStack() as stack:
        records = await stack.enter_async_context(open_records(target))
        s3 = await open_aws(stack, target, "s3")
        async for item in records.every(PACKS):
            pack = _read(item, done)
            if pack is not None and contract in (None, pack.collection_id.partition("#")[2]):
                await _unpack(pack, records, s3, done)
    return done


def _read(item: Item, done: Unpacked) -> PackIndex | None:
    try:
        return from_item(PackIndex, item)
    except Unreadable:
        done.unreadable += 1
        return None


async def _unpack(pack: PackIndex, records: Records, s3: Any, done: Unpacked) -> None:
    bucket = METADATA.bucket_name(records.prefix)
    done.packs += 1
    body = await read_object(s3, bucket, pack.object_key)
    chain_id, _, contract = pack.collection_id.partition("#")
    spans = [pack.span_of(pack.first_token_id + place) for place in range(pack.size)]
    if body is None or None in spans or len(body) < max(span[1] for span in spans if span):
        done.missing += 1
        return
    for place, span in enumerate(spans):
        assert span is not None
        key = metadata_object_key(int(chain_id), contract, pack.first_token_id + place)
        if await put_once(s3, bucket, key, body[slice(*span)], content_type="application/json"):
            done.written += 1
        else:
            done.present += 1
