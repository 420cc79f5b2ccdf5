"""Wallet records and what wallets hold, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

from mintline.errors import Conflict
from mintline.records.keys import scoped
from mintline.records.wallets import Wallet


class MemoryWalletRecords:
    """Wallets in a dict."""

    def __init__(self, *wallets: Wallet) -> None:
        self.items = {wallet.wallet_id: wallet for wallet in wallets}

    async def get(self, wallet_id: str) -> Wallet | None:
        return self.items.get(wallet_id)

    async def all(self) -> AsyncIterator[Wallet]:
        for wallet_id in list(self.items):
            yield self.items[wallet_id]

    async def move(self, wallet: Wallet, *, to: str, at: int) -> None:
        """Change the reference."""
        change = {"secret_id": to, "previous_secret_id": wallet.secret_id, "moved_at": at}
        self._change(wallet, change, holds=self._now(wallet).deletes_at is None)

    async def forget_copy(self, wallet: Wallet) -> None:
        same = self._now(wallet).previous_secret_id == wallet.previous_secret_id
        self._change(wallet, {"previous_secret_id": None, "moved_at": None}, holds=same)

    async def mark_deleting(self, wallet: Wallet, *, at: int) -> None:
        """Set the time."""
        self._change(wallet, {"deletes_at": at}, holds=self._kept(wallet))

    async def unmark_deleting(self, wallet: Wallet) -> None:
        """Unset the time."""
        same = self._now(wallet).deletes_at == wallet.deletes_at
        self._change(wallet, {"deletes_at": None}, holds=same)

    async def mark_reassigned(self, wallet: Wallet, *, to: str) -> None:
        """Set the user."""
        self._change(wallet, {"reassigned_to": to}, holds=self._kept(wallet))

    async def unmark_reassigned(self, wallet: Wallet) -> None:
        """Unset the user."""
        assert wallet.reassigned_to is not None
        other = self.items.get(scoped(wallet.chain_id, wallet.reassigned_to))
        holds = self._now(wallet).reassigned_to == wallet.reassigned_to
        given = other is not None and other.reassigned_from is not None
        self._change(wallet, {"reassigned_to": None}, holds=holds and not given)

    async def create_reassigned(self, wallet: Wallet) -> None:
        assert wallet.reassigned_from is not None
        old = self.items[scoped(wallet.chain_id, wallet.reassigned_from)]
        if wallet.wallet_id in self.items or old.reassigned_to != wallet.sub:
            raise Conflict(f"{wallet.wallet_id} has changed")
        self.items[wallet.wallet_id] = wallet

    def _kept(self, wallet: Wallet) -> bool:
        now = self._now(wallet)
        return now.deletes_at is None and now.reassigned_to is None

    def _now(self, wallet: Wallet) -> Wallet:
        return self.items[wallet.wallet_id]

    def _change(self, wallet: Wallet, change: dict[str, object], *, holds: bool) -> None:
        current = self._now(wallet)
        if not holds or current.secret_id != wallet.secret_id:
            raise Conflict(f"{wallet.wallet_id} has changed")
        self.items[wallet.wallet_id] = current.evolve(**change)


class MemoryBelongings:
    """Tokens by address and open operations by user, to be filled by the test."""

    def __init__(self) -> None:
        self.owned: Counter[str] = Counter()
        self.open: dict[str, str] = {}

    async def tokens(self, wallet: Wallet, *, most: int) -> int:
        """Count."""
        return min(most, self.owned[wallet.address])

    async def open_operation(self, wallet: Wallet) -> str | None:
        """Look up."""
        return self.open.get(wallet.sub)
