"""Writes an object for each token whose metadata is in a pack or was replaced, for any web host to serve."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from mintline.aws.dynamo import Item
from mintline.aws.errors import translated
from mintline.aws.objects import put_once, read_object
from mintline.aws.records import from_item
from mintline.errors import Unreadable
from mintline.metadata_versions import MetadataVersion, version_object_key
from mintline.object_keys import metadata_object_key
from mintline.packs import PackIndex
from mintline.records.keys import token_of, token_ref
from mintline.resources import COLLECTIONS, METADATA, METADATA_VERSIONS, PACKS
from mintline.reveals import REVEAL_SUFFIX, is_reveal_partition
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
    done, revealed = Unpacked(), []
    async with AsyncExitStack() as stack:
        records = await stack.enter_async_context(open_records(target))
        s3 = await open_aws(stack, target, "s3")
        async for item in records.every(PACKS):
            pack = _read(item, done)
            if pack is None or contract not in (None, pack.collection_id.split("#")[1]):
                continue
            if is_reveal_partition(pack.collection_id):
                revealed.append(pack)
            else:
                await _unpack(pack, records, s3, done)
        collections = {
            item["collection_id"]: item
            async for item in records.every(COLLECTIONS)
            if "reveal" in item or item.get("standard") == "erc1155"
        }
        later = await _latest(records, done)
        for pack in revealed:
            if _is_revealed(collections.get(pack.collection_id.removesuffix(REVEAL_SUFFIX))):
                await _put_revealed(pack, later, records, s3, done)
        for latest in later.values():
            chain_id, of, _ = latest.token_ref.split("#")
            if contract in (None, of):
                # An item of ERC-1155 is minted with its first version, which is no object of its own.
                of_item = collections.get(f"{chain_id}#{of}", {}).get("standard") == "erc1155"
                await _put_latest(latest, records, s3, done, create=of_item)
    return done


async def _latest(records: Records, done: Unpacked) -> dict[str, MetadataVersion]:
    """Return the latest version of each token whose metadata was replaced."""
    latest: dict[str, MetadataVersion] = {}
    async for item in records.every(METADATA_VERSIONS):
        try:
            version = from_item(MetadataVersion, item)
        except Unreadable:
            done.unreadable += 1
            continue
        known = latest.get(version.token_ref)
        if known is None or known.version < version.version:
            latest[version.token_ref] = version
    return latest


async def _put_latest(
    latest: MetadataVersion, records: Records, s3: Any, done: Unpacked, *, create: bool
) -> None:
    bucket = METADATA.bucket_name(records.prefix)
    named = token_of(latest.token_ref)
    text = await read_object(s3, bucket, version_object_key(*named, latest.digest))
    if text is None or hashlib.sha256(text).digest() != latest.digest:
        done.missing += 1
        return
    await _replace(named, text, bucket, s3, done, create=create)


async def _put_revealed(
    pack: PackIndex, later: Mapping[str, MetadataVersion], records: Records, s3: Any, done: Unpacked
) -> None:
    """Put revealed texts in the place of placeholders, but for tokens with a later version."""
    bucket = METADATA.bucket_name(records.prefix)
    done.packs += 1
    chain_id, contract, _ = pack.collection_id.split("#")
    texts = await _texts_of(pack, bucket, s3, done)
    for token_id, text in enumerate(texts, pack.first_token_id):
        if token_ref(int(chain_id), contract, token_id) not in later:
            await _replace((int(chain_id), contract, token_id), text, bucket, s3, done)


async def _replace(
    named: tuple[int, str, int], text: bytes, bucket: str, s3: Any, done: Unpacked, *, create: bool = False
) -> None:
    """Put a text in the place of what a token's own object has, which is kept under its digest.

    A token without an object is not minted, and gets none unless it is to be `create`d: its mint will store
    one.
    """
    key = metadata_object_key(*named)
    there = await read_object(s3, bucket, key)
    if there is None:
        if create and await put_once(s3, bucket, key, text, content_type="application/json"):
            done.written += 1
        return
    if there == text:
        done.present += 1
        return
    kept = version_object_key(*named, hashlib.sha256(there).digest())
    await put_once(s3, bucket, kept, there, content_type="application/json")
    with translated():
        await s3.put_object(Bucket=bucket, Key=key, Body=text, ContentType="application/json")
    done.replaced += 1


def _read(item: Item, done: Unpacked) -> PackIndex | None:
    try:
        return from_item(PackIndex, item)
    except Unreadable:
        done.unreadable += 1
        return None


def _is_revealed(collection: Item | None) -> bool:
    """Tell whether texts that were handed over are served: they are secret before."""
    reveal = None if collection is None else collection["reveal"]
    return isinstance(reveal, dict) and "salt" in reveal


async def _texts_of(pack: PackIndex, bucket: str, s3: Any, done: Unpacked) -> list[bytes]:
    """Return the texts of a pack, none if its object is missing or too short."""
    body = await read_object(s3, bucket, pack.object_key)
    spans = [pack.span_of(pack.first_token_id + place) for place in range(pack.size)]
    if body is None or None in spans or len(body) < max(span[1] for span in spans if span):
        done.missing += 1
        return []
    return [body[slice(*span)] for span in spans if span is not None]


async def _unpack(pack: PackIndex, records: Records, s3: Any, done: Unpacked) -> None:
    bucket = METADATA.bucket_name(records.prefix)
    done.packs += 1
    chain_id, _, contract = pack.collection_id.partition("#")
    for token_id, text in enumerate(await _texts_of(pack, bucket, s3, done), pack.first_token_id):
        key = metadata_object_key(int(chain_id), contract, token_id)
        if await put_once(s3, bucket, key, text, content_type="application/json"):
            done.written += 1
        else:
            done.present += 1
