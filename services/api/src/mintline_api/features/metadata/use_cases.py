"""Metadata of tokens and collections, compared with its digest on chain."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from mintline.metadata_versions import MINTED_VERSION
from mintline.object_keys import collection_object_key, collection_version_key
from mintline.records.collections import RegisteredContract
from mintline.reveals import REVEALED_VERSION
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.features.metadata.ports import MetadataStore, TokenReader, VersionReader
from mintline_api.features.metadata.problems import METADATA_ALTERED, UNKNOWN_METADATA
from mintline_api.http.problems import RequestRefused

log = structlog.get_logger()
_METADATA_CACHE_BYTES = 64 * 1024 * 1024
_METADATA_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class CurrentMetadata:
    """A token's metadata as it is served; its `version` is 1 as minted."""

    text: bytes
    version: int


class MetadataCache:
    """Metadata objects by key, bounded in bytes; absence is not remembered, for it ends within moments.

    `altered` is called for each object that was read and is not what was minted.
    """

    def __init__(
        self,
        store: MetadataStore,
        *,
        versions: VersionReader,
        clock: Callable[[], float],
        looked_up: Callable[[bool], None] = lambda _: None,
        altered: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._versions = versions
        self._altered = altered
        self._cache: BoundedCache[str, bytes] = BoundedCache(
            max_weight=_METADATA_CACHE_BYTES, clock=clock, weight=len, looked_up=looked_up
        )
        self._flights: SingleFlight[str, bytes | None] = SingleFlight()

    async def read(self, key: str) -> bytes | None:
        """Return an object's bytes, at most five minutes old."""
        body = self._cache.get(key)
        if body is None:
            body = await self._flights.run(key, lambda: self._store.read(key))
            if body is not None:
                self._cache.put(key, body, ttl=_METADATA_SECONDS)
        return body

    async def verified(
        self, contract: str, token_id: int, digest: Callable[[], Awaitable[bytes | None]]
    ) -> bytes | None:
        """Return a token's metadata as minted, with the SHA-256 that `digest` gives; None if one is missing.

        Raises RequestRefused for metadata with another digest: it is not what was minted.
        """
        key = f"{contract}/{token_id}"
        body = self._cache.get(key)
        if body is None:
            body = await self._flights.run(key, lambda: self._verify(contract, token_id, digest))
            if body is not None:
                self._cache.put(key, body, ttl=_METADATA_SECONDS)
        return body

    async def current(
        self,
        collection: RegisteredContract,
        token_id: int,
        digest: Callable[[], Awaitable[bytes | None]],
    ) -> CurrentMetadata | None:
        """Return a token's metadata in its latest version; None for a token that has none.

        `digest` returns that of its mint. Raises RequestRefused if what is stored is not that version.
        """
        contract, latest = collection.contract, None
        if collection.standard == "erc1155":
            # All of an item's versions have a row, the first one too.
            latest = await self._versions.latest(contract, token_id)
            if latest is None:
                return None
        elif collection.metadata_versions and await digest() is not None:
            latest = await self._versions.latest(contract, token_id)
        if latest is None:
            text = await self.verified(contract, token_id, digest)
            if text is not None and (revealed := await self.revealed(collection, token_id)) is not None:
                return CurrentMetadata(revealed, REVEALED_VERSION)
            return None if text is None else CurrentMetadata(text, MINTED_VERSION)
        return CurrentMetadata(await self.version(contract, token_id, latest.digest), latest.version)

    async def version(self, contract: str, token_id: int, digest: bytes) -> bytes:
        """Return a version after the minted one, by its SHA-256; raises RequestRefused if it is missing."""
        key = f"{contract}/{token_id}/{digest.hex()}"
        text = self._cache.get(key)
        if text is None:
            text = await self._flights.run(key, lambda: self._store.read_version(contract, token_id, digest))
            if text is None or hashlib.sha256(text).digest() != digest:
                raise self._not_as_recorded(contract, token_id)
            self._cache.put(key, text, ttl=_METADATA_SECONDS)
        return text

    async def revealed(self, collection: RegisteredContract, token_id: int) -> bytes | None:
        """Return the text that a collection revealed for a token, None if there is none."""
        reveal, contract = collection.reveal, collection.contract
        if reveal is None or not reveal.is_done or not reveal.covers(token_id):
            return None
        key = f"{contract}/{token_id}/revealed"
        text = self._cache.get(key)
        if text is None:
            text = await self._flights.run(key, lambda: self._store.read_revealed(contract, token_id))
            if text is None:
                raise self._not_as_recorded(contract, token_id)
            self._cache.put(key, text, ttl=_METADATA_SECONDS)
        return text

    def _not_as_recorded(self, contract: str, token_id: int) -> RequestRefused:
        log.error("metadata_altered", contract=contract, token_id=str(token_id))
        self._altered()
        return RequestRefused(
            METADATA_ALTERED, "The stored metadata is not what was minted or set, and is not served."
        )

    async def _verify(
        self, contract: str, token_id: int, digest: Callable[[], Awaitable[bytes | None]]
    ) -> bytes | None:
        body, minted = await asyncio.gather(self._store.read_token(contract, token_id), digest())
        if body is None or minted is None:
            return None
        if hashlib.sha256(body).digest() == minted:
            return body
        # `unpack-metadata` puts the latest version in the minted one's place, which is kept under its digest.
        kept = await self._store.read_version(contract, token_id, minted)
        if kept is None or hashlib.sha256(kept).digest() != minted:
            kept = await self._store.find_token(contract, token_id, minted)
        if kept is None:
            raise self._not_as_recorded(contract, token_id)
        return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataReads:
    """What it takes to read metadata."""

    chain_id: int
    collections: CollectionRegistry
    tokens: TokenReader
    metadata: MetadataCache


@dataclass(frozen=True, slots=True)
class ServedMetadata:
    """What a URI on chain gives, and whether it may be something else later."""

    text: bytes
    changeable: bool


async def get_metadata(contract: str, token_id: int, *, reads: MetadataReads) -> ServedMetadata:
    """Return the exact bytes of the latest version; the first one's SHA-256 is the digest on chain.

    Raises RequestRefused if there are none yet, or if others are stored.
    """
    collection = await reads.collections.known(contract)

    async def digest() -> bytes | None:
        token = await reads.tokens.token(contract, token_id)
        return None if token is None else token.metadata_digest

    current = await reads.metadata.current(collection, token_id, digest)
    if current is None:
        raise RequestRefused(UNKNOWN_METADATA, f"Metadata of token {token_id} of {contract} not found.")
    return ServedMetadata(current.text, changeable=is_changeable(collection))


def is_changeable(collection: RegisteredContract) -> bool:
    """Tell whether a collection's client may still change its metadata, or its tokens'."""
    return collection.clone is not None and not collection.standing.frozen


async def get_collection_metadata(contract: str, *, reads: MetadataReads) -> ServedMetadata:
    """Return the collection's own metadata (ERC-7572); its name and symbol if nothing richer is stored."""
    collection = await reads.collections.known(contract)
    digest = collection.metadata_digest
    metadata = await reads.metadata.read(
        collection_object_key(reads.chain_id, contract)
        if digest is None
        else collection_version_key(reads.chain_id, contract, digest)
    )
    if metadata is None:
        metadata = json.dumps({"name": collection.name, "symbol": collection.symbol}).encode()
    return ServedMetadata(metadata, changeable=is_changeable(collection))
