"""The ports over DynamoDB."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from mintline.aws.dynamo import Clause, Dynamo, Item, Update
from mintline.aws.records import from_item
from mintline.records import Mint, Wallet, scoped
from mintline.resources import MINTS, TOKENS, WALLETS
from mintline.states import TERMINAL

_PAGE = 100
_BY_USER = next(index for index in MINTS.indexes if index.name == "by_user")
_BY_OWNER = next(index for index in TOKENS.indexes if index.name == "by_owner")


class DynamoWalletRecords:
    """The wallets table."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    async def get(self, wallet_id: str) -> Wallet | None:
        """Return a wallet as it is now."""
        item = await self._dynamo.get(WALLETS, {"wallet_id": wallet_id})
        return None if item is None else from_item(Wallet, item)

    async def all(self) -> AsyncIterator[Wallet]:
        """Yield every wallet of the table."""
        start: Item | None = None
        while True:
            page = await self._dynamo.scan(WALLETS, limit=_PAGE, start=start)
            for item in page.items:
                yield from_item(Wallet, item)
            start = page.next
            if start is None:
                return

    async def move(self, wallet: Wallet, *, to: str, at: int) -> None:
        """Make `to` the wallet's reference."""
        await self._update(
            wallet,
            set={"secret_id": to, "previous_secret_id": wallet.secret_id, "moved_at": at},
            where=(Clause("not_deleting", "deletes_at", "missing"),),
        )

    async def forget_copy(self, wallet: Wallet) -> None:
        """Forget the reference that was before."""
        assert wallet.previous_secret_id is not None
        same = Clause("same_copy", "previous_secret_id", "eq", (wallet.previous_secret_id,))
        await self._update(wallet, remove=("previous_secret_id", "moved_at"), where=(same,))

    async def mark_deleting(self, wallet: Wallet, *, at: int) -> None:
        """Note when the key is destroyed."""
        kept = Clause("not_deleting", "deletes_at", "missing")
        await self._update(wallet, set={"deletes_at": at}, where=(kept,))

    async def unmark_deleting(self, wallet: Wallet) -> None:
        """Note that the key is kept."""
        assert wallet.deletes_at is not None
        same = Clause("same_deletion", "deletes_at", "eq", (wallet.deletes_at,))
        await self._update(wallet, remove=("deletes_at",), where=(same,))

    async def _update(self, wallet: Wallet, *, where: tuple[Clause, ...], **change: Any) -> None:
        unmoved = Clause("not_moved", "secret_id", "eq", (wallet.secret_id,))
        key: Item = {"wallet_id": wallet.wallet_id}
        await self._dynamo.write(Update(WALLETS, key, where=(unmoved, *where), **change))


class DynamoBelongings:
    """The index's tokens, and the mints."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    async def tokens(self, wallet: Wallet, *, most: int) -> int:
        """Count the wallet's tokens."""
        owner = scoped(wallet.chain_id, wallet.address)
        page = await self._dynamo.query(TOKENS, index=_BY_OWNER, partition=owner, limit=most)
        return len(page.items)

    async def open_mint(self, wallet: Wallet) -> str | None:
        """Look through the user's mints, newest first."""
        start: Item | None = None
        while True:
            page = await self._dynamo.query(
                MINTS, index=_BY_USER, partition=wallet.sub, forward=False, limit=_PAGE, start=start
            )
            ids = [str(item["mint_id"]) for item in page.items]
            items = await asyncio.gather(*(self._dynamo.get(MINTS, {"mint_id": one}) for one in ids))
            for item in items:
                mint = None if item is None else from_item(Mint, item)
                # A self-custody mint is sent by another wallet: it does without this one's key.
                if mint is None or mint.custody == "self" or mint.chain_id != wallet.chain_id:
                    continue
                if mint.status not in TERMINAL:
                    return mint.mint_id
            start = page.next
            if start is None:
                return None
