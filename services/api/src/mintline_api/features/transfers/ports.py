"""What transfers and burns need from storage."""

from __future__ import annotations

from typing import Protocol

from mintline.records import Token, TokenOperation


class TokenReader(Protocol):
    """The tokens, as the index has them."""

    async def token(self, contract: str, token_id: int) -> Token | None:
        """Return a token that was ever minted."""
        ...


class TokenOperationReader(Protocol):
    """The transfers and burns of wallets in custody."""

    async def under_way(self, sender: str) -> tuple[TokenOperation, ...]:
        """Return a wallet's transfers and burns that have a nonce and whose nonce is not final.

        `sender` is the wallet's address. One that has no nonce yet may be missing.
        """
        ...
