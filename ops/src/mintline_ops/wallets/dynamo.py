"""The ports over DynamoDB."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from mintline.aws.dynamo import Check, Clause, Dynamo, Item, Put, Update
from mintline.aws.operations import read_mint
from mintline.aws.records import from_item, to_item
from mintline.records.keys import scoped
from mintline.records.wallets import Wallet
from mintline.resources import BALANCES, MINTS, TOKENS, TRANSACTIONS, WALLETS
from mintline.set_aside import SetAside
from mintline.states import TERMINAL, TransactionState

_PAGE = 100
_KEPT = (
    Clause("not_deleting", "deletes_at", "missing"),
    Clause("not_reassigned", "reassigned_to", "missing"),
)
_BY_USER = next(index for index in MINTS.indexes if index.name == "by_user")


class DynamoWalletRecords:
    """The wallets table."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    async def get(self, wallet_id: str) -> Wallet | None:
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
        await self._update(
            wallet,
            set={"secret_id": to, "previous_secret_id": wallet.secret_id, "moved_at": at},
            where=(Clause("not_deleting", "deletes_at", "missing"),),
        )

    async def forget_copy(self, wallet: Wallet) -> None:
        assert wallet.previous_secret_id is not None
        same = Clause("same_copy", "previous_secret_id", "eq", (wallet.previous_secret_id,))
        await self._update(wallet, remove=("previous_secret_id", "moved_at"), where=(same,))

    async def mark_deleting(self, wallet: Wallet, *, at: int) -> None:
        """Note when the key is destroyed."""
        await self._update(wallet, set={"deletes_at": at}, where=_KEPT)

    async def unmark_deleting(self, wallet: Wallet) -> None:
        """Note that the key is kept."""
        assert wallet.deletes_at is not None
        same = Clause("same_deletion", "deletes_at", "eq", (wallet.deletes_at,))
        await self._update(wallet, remove=("deletes_at",), where=(same,))

    async def mark_reassigned(self, wallet: Wallet, *, to: str) -> None:
        """Note who is given the address."""
        await self._update(wallet, set={"reassigned_to": to}, where=_KEPT)

    async def unmark_reassigned(self, wallet: Wallet) -> None:
        """Note that the wallet stays where it is, unless the other user's record has been created."""
        to = wallet.reassigned_to
        assert to is not None
        same = Clause("same_user", "reassigned_to", "eq", (to,))
        not_given = Clause("not_given", "reassigned_from", "missing")
        await self._dynamo.transact(
            [
                Update(WALLETS, {"wallet_id": wallet.wallet_id}, remove=("reassigned_to",), where=(same,)),
                Check(WALLETS, {"wallet_id": scoped(wallet.chain_id, to)}, where=(not_given,)),
            ]
        )

    async def create_reassigned(self, wallet: Wallet) -> None:
        """Create the record, on condition of the mark of the one before."""
        assert wallet.reassigned_from is not None
        marked = Clause("marked", "reassigned_to", "eq", (wallet.sub,))
        first = Clause("first_wallet", "wallet_id", "missing")
        old = scoped(wallet.chain_id, wallet.reassigned_from)
        await self._dynamo.transact(
            [
                Put(WALLETS, to_item(wallet), where=(first,)),
                Check(WALLETS, {"wallet_id": old}, where=(marked,)),
            ]
        )

    async def _update(self, wallet: Wallet, *, where: tuple[Clause, ...], **change: Any) -> None:
        unmoved = Clause("not_moved", "secret_id", "eq", (wallet.secret_id,))
        key: Item = {"wallet_id": wallet.wallet_id}
        await self._dynamo.write(Update(WALLETS, key, where=(unmoved, *where), **change))


class DynamoBelongings:
    """The index's tokens and balances, and the mints."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo
        self._set_aside = SetAside()

    async def tokens(self, wallet: Wallet, *, most: int) -> int:
        """Count the wallet's tokens, and the ERC-1155 tokens that it has some of."""
        owner = scoped(wallet.chain_id, wallet.address)
        pages = await asyncio.gather(
            *(
                self._dynamo.query(table, index=table.index("by_owner"), partition=owner, limit=most)
                for table in (TOKENS, BALANCES)
            )
        )
        return min(most, sum(len(page.items) for page in pages))

    async def open_operation(self, wallet: Wallet) -> str | None:
        """Look through the user's mints, newest first, and at the wallet's newest transaction.

        Nonces are used in their order, so when that one is final, all are: those of transfers and burns too.
        """
        return await self._open_mint(wallet) or await self._open_transaction(wallet)

    async def _open_transaction(self, wallet: Wallet) -> str | None:
        sender_id = scoped(wallet.chain_id, wallet.address)
        page = await self._dynamo.query(TRANSACTIONS, partition=sender_id, forward=False, limit=1)
        for item in page.items:
            if item["state"] != TransactionState.FINAL.value:
                return f"transaction {item['nonce']!r}"
        return None

    async def _open_mint(self, wallet: Wallet) -> str | None:
        start: Item | None = None
        while True:
            page = await self._dynamo.query(
                MINTS, index=_BY_USER, partition=wallet.sub, forward=False, limit=_PAGE, start=start
            )
            ids = [str(item["mint_id"]) for item in page.items]
            mints = await asyncio.gather(
                *(read_mint(self._dynamo, mint_id, self._set_aside) for mint_id in ids)
            )
            for mint in mints:
                # A self-custody mint is sent by another wallet: it does without this one's key.
                if mint is None or mint.custody == "self" or mint.chain_id != wallet.chain_id:
                    continue
                if mint.status not in TERMINAL:
                    return mint.mint_id
            start = page.next
            if start is None:
                return None
