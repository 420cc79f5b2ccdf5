"""What wallets in custody need from storage and key management."""

from __future__ import annotations

from typing import Protocol

from mintline.aws.keys import GeneratedKey
from mintline.records.wallets import Wallet


class WalletStore(Protocol):
    """The users' wallets."""

    async def get(self, wallet_id: str) -> Wallet | None:
        """Return the wallet as it is now."""
        ...

    async def create(self, wallet: Wallet) -> Wallet | None:
        """Create a wallet unless its id exists; return None if created, else the wallet that was there."""
        ...

    async def mark_ready(self, wallet_id: str) -> None:
        """Note that the wrapped key is in its store, and drop the copy; harmless if that is done."""
        ...


class Keys(Protocol):
    """Makes keys and keeps them wrapped."""

    async def generate(self, sub: str) -> GeneratedKey:
        """Make a key for a user."""
        ...

    async def keep(self, wallet: Wallet) -> None:
        """Keep the wrapped key of a record under its `secret_id`; harmless if that is done."""
        ...

    def secret_id(self, address: str) -> str:
        """Return where the wrapped key of a new address is to be kept."""
        ...
