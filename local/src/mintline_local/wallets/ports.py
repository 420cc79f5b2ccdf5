"""What the work on wallets needs of the world; `dynamo` and `memory` provide it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from mintline.records import Wallet


class WalletRecords(Protocol):
    """The wallets' records. What is written is conditional: Conflict if the record is not as it was read."""

    async def get(self, wallet_id: str) -> Wallet | None:
        """Return a wallet as it is now."""
        ...

    def all(self) -> AsyncIterator[Wallet]:
        """Yield every wallet, in no order."""
        ...

    async def move(self, wallet: Wallet, *, to: str, at: int) -> None:
        """Make `to` the wallet's reference, and remember the one before; `at` is in Unix milliseconds."""
        ...

    async def forget_copy(self, wallet: Wallet) -> None:
        """Forget the reference that was before."""
        ...

    async def mark_deleting(self, wallet: Wallet, *, at: int) -> None:
        """Note that the key is destroyed `at` (Unix milliseconds)."""
        ...

    async def unmark_deleting(self, wallet: Wallet) -> None:
        """Note that the key is not destroyed after all."""
        ...


class Belongings(Protocol):
    """What would be lost with a key."""

    async def tokens(self, wallet: Wallet, *, most: int) -> int:
        """Return how many tokens the wallet owns by the index, `most` if it is that many or more."""
        ...

    async def open_mint(self, wallet: Wallet) -> str | None:
        """Return the id of a mint of the wallet's that has not ended, None if there is none."""
        ...


async def for_each(
    wallets: AsyncIterator[Wallet], work: Callable[[Wallet], Awaitable[None]], *, concurrency: int
) -> None:
    """Do the work for every wallet, for `concurrency` of them at a time; the first error ends it."""
    slots = asyncio.Semaphore(concurrency)

    async def one(wallet: Wallet) -> None:
        try:
            await work(wallet)
        finally:
            slots.release()

    try:
        async with asyncio.TaskGroup() as group:
            async for wallet in wallets:
                await slots.acquire()
                group.create_task(one(wallet))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
