"""Writes an object for each token whose metadata is in a pack or was replaced, for any web host to serve."""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from mintline.aws.dynamo import Item
from mintline.aws.objects import put_once, read_object
from mintline.aws.records import from_item
from mintline.aws.session import translated
from mintline.errors import Unreadable
from mintline.metadata_versions import MetadataVersion, version_object_key
from mintline.packs import PackIndex
from mintline.records import metadata_object_key
from mintline.resources import METADATA, METADATA_VERSIONS, PACKS
from mintline_ops.deployments import Records, Target, open_aws, open_records


@dataclass(slots=True)
class Unpacked:
    """What became of the packs' tokens."""

    packs: int = 0
    written: int = 0
    replaced: int = 0
    """Objects in the place of which the latest version of the metadata was put."""
    present: int = 0
    """Tokens that have an object already, which was left as it is."""
    missing: int = 0
    """Packs and versions whose object is not there, or is shorter than its row says."""
    unreadable: int = 0
    """Rows that are no pack's, or no version's."""

    @property
    def clean(self) -> bool:
        """Whether every token has an object of its own now, with its latest metadata."""
        return not self.missing and not self.unreadable


async def unpack_metadata(target: Target, *, contract: str | None = None) -> Unpacked:
    """Write the objects that are missing, of one contract's tokens if it is named; safe to repeat.

    Where metadata was replaced, the latest version takes the place of what was minted, which stays under its
    digest. Compare the result with the chain by `mintline verify` or the tokens' digests: what a pack holds
    is not compared here.
    """
    done = Unpacked()
    async with AsyncExitStack() as stack:
        records = await stack.enter_async_context(open_records(target))
        s3 = await open_aws(stack, target, "s3")
        async for item in records.every(PACKS):
            pack = _read(item, done)
            if pack is not None and contract in (None, pack.collection_id.partition("#")[2]):
                await _unpack(pack, records, s3, done)
        for latest in (await _latest(records, done)).values():
            if contract in (None, latest.token_ref.split("#")[1]):
                await _put_latest(latest, records, s3, done)
    return done


async def _latest(records: Records, done: Unpacked) -> dict[str, MetadataVersion]:
    """Return the latest version of each token whose metadata was replaced."""
    found: dict[str, MetadataVersion] = {}
    async for item in records.every(METADATA_VERSIONS):
        try:
            version = from_item(MetadataVersion, item)
        except Unreadable:
            done.unreadable += 1
            continue
        known = found.get(version.token_ref)
        if known is None or known.version < version.version:
            found[version.token_ref] = version
    return found


async def _put_latest(latest: MetadataVersion, records: Records, s3: Any, done: Unpacked) -> None:
    bucket = METADATA.bucket_name(records.prefix)
    chain_id, contract, token_id = latest.token_ref.split("#")
    named = int(chain_id), contract, int(token_id)
    text = await read_object(s3, bucket, version_object_key(*named, latest.digest))
    if text is None or hashlib.sha256(text).digest() != latest.digest:
        done.missing += 1
        return
    key = metadata_object_key(*named)
    if await read_object(s3, bucket, key) == text:
        done.present += 1
        return
    with translated():
        await s3.put_object(Bucket=bucket, Key=key, Body=text, ContentType="application/json")
    done.replaced += 1


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
