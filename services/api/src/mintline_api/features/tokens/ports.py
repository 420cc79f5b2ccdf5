"""What tokens need from the index."""

from __future__ import annotations

from typing import Protocol

from mintline.records import Checkpoint, Mint, Token, Transfer
from mintline_api.features.pages import Page


class Index(Protocol):
    """What the indexer knows of the chain."""

    async def checkpoint(self) -> Checkpoint | None:
        """Return how far the index has come; None before its first block."""
        ...

    async def token(self, contract: str, token_id: int) -> Token | None:
        """Return a token that was ever minted."""
        ...

    async def tokens_of(
        self, owner: str, *, contract: str | None, limit: int, after: str | None
    ) -> Page[Token]:
        """Return an owner's tokens by contract and id."""
        ...

    async def transfers(
        self, contract: str, token_id: int, *, limit: int, after: str | None
    ) -> Page[Transfer]:
        """Return a token's transfers, newest first."""
        ...


class MintReader(Protocol):
    """The mints that made tokens."""

    async def get(self, mint_id: str) -> Mint | None:
        """Return the mint as it is now."""
        ...
