"""Tokens as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mintline.records.index import Checkpoint
from mintline_api.features.tokens.models import (
    TokenMint,
    TokenSummary,
    TokenView,
    TokenWithMetadata,
    index_view,
    token_summary,
)
from mintline_api.features.tokens.ports import CountedToken
from mintline_api.features.tokens.use_cases import ListedToken, TokenFacts


def token_items(
    tokens: Sequence[ListedToken],
    checkpoint: Checkpoint | None,
    include: Literal["metadata"] | None,
    *,
    public_url: str,
) -> list[TokenSummary | TokenWithMetadata]:
    """Return listed tokens, with their metadata if that was asked for."""
    items: list[TokenSummary | TokenWithMetadata] = []
    for token in tokens:
        summary = token_summary(token.counted, checkpoint, public_url=public_url)
        if include is None:
            items.append(TokenSummary(**summary))
        else:
            items.append(
                TokenWithMetadata(
                    **summary,
                    metadata=token.metadata,
                    metadata_verified=token.verified,
                    metadata_version=token.version,
                )
            )
    return items


def token_view(facts: TokenFacts, *, sub: str, public_url: str, now: int) -> TokenView:
    """Return one token; its mint's id is for the user whose mint it was."""
    mint = facts.mint
    return TokenView(
        **token_summary(CountedToken(facts.token, facts.supply), facts.checkpoint, public_url=public_url),
        metadata=facts.metadata,
        metadata_verified=facts.verified,
        metadata_version=facts.version,
        minted=None if facts.item is None else facts.item.minted,
        item_cap=None if facts.item is None else facts.item.cap,
        mint=None
        if mint is None
        else TokenMint(mint_id=mint.mint_id if mint.sub == sub else None, status=mint.status),
        index=index_view(facts.checkpoint, now=now),
    )
