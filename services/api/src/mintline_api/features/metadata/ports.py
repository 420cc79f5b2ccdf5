"""What metadata needs from storage."""

from __future__ import annotations

from typing import Protocol

from mintline.records import Token


class MetadataStore(Protocol):
    """The metadata's bytes."""

    async def read(self, key: str) -> bytes | None:
        """Return an object's bytes."""
        ...


class TokenReader(Protocol):
    """The tokens on chain."""

    async def token(self, contract: str, token_id: int) -> Token | None:
        """Return a token that was ever minted."""
        ...
