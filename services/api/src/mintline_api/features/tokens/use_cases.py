"""Tokens, their owners and their metadata: what the index and the metadata store know."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from mintline.errors import Unreadable
from mintline.records import (
    Checkpoint,
    Mint,
    RegisteredContract,
    Token,
    Transfer,
    collection_object_key,
    metadata_object_key,
)
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.features.collections.problems import UNKNOWN_CONTRACT
from mintline_api.features.metadata.problems import METADATA_ALTERED, UNKNOWN_METADATA
from mintline_api.features.tokens.problems import UNKNOWN_TOKEN
from mintline_api.http.problems import Refused
from mintline_api.ports import Index, MetadataStore, MintStore, Page

log = structlog.get_logger()

_CACHED_COLLECTIONS = 10_000
_ABSENCE_SECONDS = 5.0
_METADATA_CACHE_BYTES = 64 * 1024 * 1024
_METADATA_SECONDS = 300.0


class Collections:
    """The contracts that are ours: a known one stays known, an unknown one is asked about again soon."""

    def __init__(
        self,
        index: Index,
        *,
        clock: Callable[[], float],
        looked_up: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._index = index
        self._cache: BoundedCache[str, tuple[RegisteredContract | None]] = BoundedCache(
            max_weight=_CACHED_COLLECTIONS, clock=clock, looked_up=looked_up
        )
        self._flights: SingleFlight[str, RegisteredContract | None] = SingleFlight()

    async def known(self, contract: str) -> RegisteredContract:
        """Return the collection; raises Refused for a contract that is not ours."""
        entry = self._cache.get(contract)
        if entry is None:
            collection = await self._flights.run(contract, lambda: self._index.collection(contract))
            entry = (collection,)
            self._cache.put(contract, entry, ttl=_ABSENCE_SECONDS if collection is None else float("inf"))
        if entry[0] is None:
            raise Refused(UNKNOWN_CONTRACT, f"{contract} is no collection of this API.")
        return entry[0]


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
        found = self._cache.get(key)
        if found is None:
            found = await self._flights.run(key, lambda: self._store.read(key))
            if found is not None:
                self._cache.put(key, found, ttl=_METADATA_SECONDS)
        return found

    async def verified(self, key: str, digest: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        """Return a token's metadata, whose SHA-256 is what `digest` returns; None if either is missing.

        Raises Refused for an object with another digest: whoever wrote it, it is not what was minted.
        """
        found = self._cache.get(key)
        if found is None:
            found = await self._flights.run(key, lambda: self._verify(key, digest))
            if found is not None:
                self._cache.put(key, found, ttl=_METADATA_SECONDS)
        return found

    async def _verify(self, key: str, digest: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        found, minted = await asyncio.gather(self._store.read(key), digest())
        if found is None or minted is None:
            return None
        if hashlib.sha256(found).digest() != minted:
            log.error("metadata_altered", key=key)
            self._altered()
            raise Refused(METADATA_ALTERED, "The stored metadata is not what was minted, and is not served.")
        return found


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """A token with all that belongs to it."""

    token: Token
    checkpoint: Checkpoint | None
    metadata: dict[str, Any] | None
    verified: bool | None
    mint: Mint | None


async def get_token(
    contract: str,
    token_id: int,
    *,
    chain_id: int,
    collections: Collections,
    index: Index,
    metadata: MetadataCache,
    mints: MintStore,
) -> TokenFacts:
    """Return what is known of a token; raises Refused if the index has not seen it minted."""
    await collections.known(contract)
    token, checkpoint = await asyncio.gather(index.token(contract, token_id), index.checkpoint())
    if token is None:
        raise _unknown_token(contract, token_id)

    async def digest() -> bytes | None:
        return token.metadata_digest

    stored, altered = None, False
    try:
        stored = await metadata.verified(metadata_object_key(chain_id, contract, token_id), digest)
    except Refused:
        altered = True
    return TokenFacts(
        token=token,
        checkpoint=checkpoint,
        metadata=json.loads(stored) if stored is not None else None,
        verified=False if altered else None if stored is None else True,
        mint=await _mint_of(token, mints),
    )


async def _mint_of(token: Token, mints: MintStore) -> Mint | None:
    """Return the mint of ours that made a token; None for an unreadable one, which hides no token."""
    if token.mint_id is None:
        return None
    with suppress(Unreadable):
        return await mints.get(token.mint_id)
    return None


async def get_transfers(
    contract: str,
    token_id: int,
    *,
    limit: int,
    after: str | None,
    collections: Collections,
    index: Index,
) -> tuple[Page[Transfer], Checkpoint | None]:
    """Return a token's transfers, newest first; raises Refused if the index has not seen it minted."""
    await collections.known(contract)
    page, checkpoint = await asyncio.gather(
        index.transfers(contract, token_id, limit=limit, after=after), index.checkpoint()
    )
    if not page.items and await index.token(contract, token_id) is None:
        raise _unknown_token(contract, token_id)
    return page, checkpoint


async def get_owned(
    owner: str,
    *,
    contract: str | None,
    limit: int,
    after: str | None,
    collections: Collections,
    index: Index,
) -> tuple[Page[Token], Checkpoint | None]:
    """Return an owner's tokens by contract and id."""
    if contract is not None:
        await collections.known(contract)
    return await asyncio.gather(
        index.tokens_of(owner, contract=contract, limit=limit, after=after), index.checkpoint()
    )


async def get_metadata(
    contract: str,
    token_id: int,
    *,
    chain_id: int,
    collections: Collections,
    index: Index,
    metadata: MetadataCache,
) -> bytes:
    """Return the exact bytes whose SHA-256 is the token's metadata digest on chain.

    Raises Refused if there are none yet, or if others are stored.
    """
    await collections.known(contract)

    async def digest() -> bytes | None:
        token = await index.token(contract, token_id)
        return None if token is None else token.metadata_digest

    found = await metadata.verified(metadata_object_key(chain_id, contract, token_id), digest)
    if found is None:
        raise Refused(UNKNOWN_METADATA, f"There is no metadata of token {token_id} of {contract}.")
    return found


async def get_collection_metadata(
    contract: str, *, chain_id: int, collections: Collections, metadata: MetadataCache
) -> bytes:
    """Return the collection's own metadata (ERC-7572); its name and symbol if nothing richer is stored."""
    collection = await collections.known(contract)
    found = await metadata.read(collection_object_key(chain_id, contract))
    if found is None:
        found = json.dumps({"name": collection.name, "symbol": collection.symbol}).encode()
    return found


def _unknown_token(contract: str, token_id: int) -> Refused:
    return Refused(UNKNOWN_TOKEN, f"The index has seen no token {token_id} of {contract}.")
