"""What transfers and burns need from storage."""

from __future__ import annotations

from typing import Protocol

from mintline.records.index import Token
from mintline.records.operations import TokenOperation


class TokenReader(Protocol):
    """The tokens, as the index has them."""

    async def token(self, contract: str, token_id: int) -> Token | None:
        """Return a token that was ever minted."""
        ...


class TokenOperationReader(Protocol):
    """The transfers and burns of wallets in custody."""

    async def under_way(self, wallet: str, contract: str) -> tuple[TokenOperation, ...]:
        """Return a wallet's transfers and burns of a contract's tokens that have a nonce, and have not ended.

        `wallet` is its address. One that has no nonce yet may be missing.
        """
        ...
