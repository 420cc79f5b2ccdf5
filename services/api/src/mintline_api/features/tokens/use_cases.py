"""Tokens, their owners and their metadata: what the index and the metadata store know."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mintline.errors import Unreadable
from mintline.records import Checkpoint, Mint, Token, Transfer, metadata_object_key
from mintline_api.features.collections.registry import CollectionRegistry
from mintline_api.features.metadata.use_cases import MetadataCache
from mintline_api.features.pages import Page, PageRequest
from mintline_api.features.tokens.ports import Index, MintReader
from mintline_api.features.tokens.problems import UNKNOWN_TOKEN
from mintline_api.http.problems import RequestRefused


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """A token with all that belongs to it."""

    token: Token
    checkpoint: Checkpoint | None
    metadata: dict[str, Any] | None
    verified: bool | None
    mint: Mint | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReads:
    """What it takes to read tokens."""

    chain_id: int
    collections: CollectionRegistry
    index: Index
    metadata: MetadataCache
    mints: MintReader


async def get_token(contract: str, token_id: int, *, reads: TokenReads) -> TokenFacts:
    """Return what is known of a token; raises RequestRefused if the index has not seen it minted."""
    await reads.collections.known(contract)
    token, checkpoint = await asyncio.gather(reads.index.token(contract, token_id), reads.index.checkpoint())
    if token is None:
        raise _unknown_token(contract, token_id)

    async def digest() -> bytes | None:
        return token.metadata_digest

    stored, altered = None, False
    try:
        key = metadata_object_key(reads.chain_id, contract, token_id)
        stored = await reads.metadata.verified(key, digest)
    except RequestRefused:
        altered = True
    return TokenFacts(
        token=token,
        checkpoint=checkpoint,
        metadata=json.loads(stored) if stored is not None else None,
        verified=False if altered else None if stored is None else True,
        mint=await _mint_of(token, reads.mints),
    )


async def _mint_of(token: Token, mints: MintReader) -> Mint | None:
    """Return the mint of ours that made a token; None for an unreadable one, which hides no token."""
    if token.mint_id is None:
        return None
    with suppress(Unreadable):
        return await mints.get(token.mint_id)
    return None


async def get_transfers(
    contract: str, token_id: int, *, page: PageRequest, reads: TokenReads
) -> tuple[Page[Transfer], Checkpoint | None]:
    """Return a token's transfers, newest first; raises RequestRefused if the index has not seen it minted."""
    await reads.collections.known(contract)
    transfers, checkpoint = await asyncio.gather(
        reads.index.transfers(contract, token_id, limit=page.limit, after=page.after),
        reads.index.checkpoint(),
    )
    if not transfers.items and await reads.index.token(contract, token_id) is None:
        raise _unknown_token(contract, token_id)
    return transfers, checkpoint


async def get_owned(
    owner: str, *, contract: str | None, page: PageRequest, reads: TokenReads
) -> tuple[Page[Token], Checkpoint | None]:
    """Return an owner's tokens by contract and id."""
    if contract is not None:
        await reads.collections.known(contract)
    return await asyncio.gather(
        reads.index.tokens_of(owner, contract=contract, limit=page.limit, after=page.after),
        reads.index.checkpoint(),
    )


def _unknown_token(contract: str, token_id: int) -> RequestRefused:
    return RequestRefused(UNKNOWN_TOKEN, f"Token {token_id} of {contract} not found in the index.")
