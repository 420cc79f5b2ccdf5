"""Tokens, their owners and their metadata: what the index and the metadata store know."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mintline.errors import Unreadable
from mintline.records import Checkpoint, Mint, Token, Transfer, metadata_object_key
from mintline_api.features.collections.registry import Collections
from mintline_api.features.metadata.use_cases import MetadataCache
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.pages import Page
from mintline_api.features.tokens.ports import Index
from mintline_api.features.tokens.problems import UNKNOWN_TOKEN
from mintline_api.http.problems import Refused


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


def _unknown_token(contract: str, token_id: int) -> Refused:
    return Refused(UNKNOWN_TOKEN, f"The index has seen no token {token_id} of {contract}.")
