"""Metadata of tokens and collections, compared with its digest on chain."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from mintline.records import collection_object_key, collection_version_key
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.features.metadata.ports import MetadataStore, TokenReader
from mintline_api.features.metadata.problems import METADATA_ALTERED, UNKNOWN_METADATA
from mintline_api.http.problems import RequestRefused

log = structlog.get_logger()
_METADATA_CACHE_BYTES = 64 * 1024 * 1024
_METADATA_SECONDS = 300.0


class MetadataCache:
    """Metadata objects by key, bounded in bytes; absence is not remembered, for it ends within moments.

    `altered` is called for each object that was read and is not what was minted.
    """

    def __init__(
        self,
        store: MetadataStore,
        *,
        clock: Callable[[], float],
        looked_up: Callable[[bool], None] = lambda _: None,
        altered: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
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
        """Return a token's metadata, whose SHA-256 is what `digest` returns; None if either is missing.

        Raises RequestRefused for metadata with another digest: it is not what was minted.
        """
        key = f"{contract}/{token_id}"
        body = self._cache.get(key)
        if body is None:
            body = await self._flights.run(key, lambda: self._verify(contract, token_id, digest))
            if body is not None:
                self._cache.put(key, body, ttl=_METADATA_SECONDS)
        return body

    async def _verify(
        self, contract: str, token_id: int, digest: Callable[[], Awaitable[bytes | None]]
    ) -> bytes | None:
        body, minted = await asyncio.gather(self._store.read_token(contract, token_id), digest())
        if body is None or minted is None:
            return None
        if hashlib.sha256(body).digest() != minted:
            log.error("metadata_altered", contract=contract, token_id=str(token_id))
            self._altered()
            raise RequestRefused(
                METADATA_ALTERED, "The stored metadata is not what was minted, and is not served."
            )
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataReads:
    """What it takes to read metadata."""

    chain_id: int
    collections: CollectionRegistry
    tokens: TokenReader
    metadata: MetadataCache


async def get_metadata(contract: str, token_id: int, *, reads: MetadataReads) -> bytes:
    """Return the exact bytes whose SHA-256 is the token's metadata digest on chain.

    Raises RequestRefused if there are none yet, or if others are stored.
    """
    await reads.collections.known(contract)

    async def digest() -> bytes | None:
        token = await reads.tokens.token(contract, token_id)
        return None if token is None else token.metadata_digest

    metadata = await reads.metadata.verified(contract, token_id, digest)
    if metadata is None:
        raise RequestRefused(UNKNOWN_METADATA, f"Metadata of token {token_id} of {contract} not found.")
    return metadata


async def get_collection_metadata(contract: str, *, reads: MetadataReads) -> bytes:
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
    return metadata
