"""What tokens need from the index."""

from __future__ import annotations

from typing import Protocol

from mintline.records import Checkpoint, RegisteredContract, Token, Transfer
from mintline_api.features.pages import Page


class Index(Protocol):
    """What the indexer knows of the chain."""

    async def collection(self, contract: str) -> RegisteredContract | None:
        """Return a collection of ours."""
        ...

    async def checkpoint(self) -> Checkpoint | None:
        """Return how far the index has come; None before its first block."""
        ...

    async def token(self, contract: str, token_id: int) -> Token | None:
        """Return a token that was ever minted."""
        ...

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        """Return a high one of `ids` that was minted in a collection: the highest, but for gaps; or None."""
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
