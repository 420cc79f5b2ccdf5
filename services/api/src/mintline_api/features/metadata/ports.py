"""What metadata needs from storage."""

from __future__ import annotations

from typing import Protocol

from mintline.records import Token


class MetadataStore(Protocol):
    """The metadata's bytes."""

    async def read(self, key: str) -> bytes | None:
        """Return an object's bytes."""
        ...

    async def read_token(self, contract: str, token_id: int) -> bytes | None:
        """Return a token's metadata, of an object of its own or of a pack."""
        ...


class TokenReader(Protocol):
    """The tokens on chain."""

    async def token(self, contract: str, token_id: int) -> Token | None:
        """Return a token that was ever minted."""
        ...
