"""What the work on wallets needs of the world; `dynamo` and `memory` provide it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

from mintline.records.wallets import Wallet

T = TypeVar("T")


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

    async def mark_reassigned(self, wallet: Wallet, *, to: str) -> None:
        """Note that the address is being given to the user `to`."""
        ...

    async def unmark_reassigned(self, wallet: Wallet) -> None:
        """Note that the wallet stays with its user; Conflict if the other one has been given it."""
        ...

    async def create_reassigned(self, wallet: Wallet) -> None:
        """Create the record of the user that is given the address of a record that is marked so."""
        ...


class Belongings(Protocol):
    """What would be lost with a key."""

    async def tokens(self, wallet: Wallet, *, most: int) -> int:
        """Return how many tokens the wallet owns by the index, `most` if it is that many or more."""
        ...

    async def open_operation(self, wallet: Wallet) -> str | None:
        """Return what of the wallet's has not ended, a mint or a transaction; None if there is nothing."""
        ...


async def for_each(
    items: AsyncIterator[T], work: Callable[[T], Awaitable[None]], *, concurrency: int
) -> None:
    """Do the work for every item, for `concurrency` of them at a time; the first error ends it."""
    slots = asyncio.Semaphore(concurrency)

    async def run_in_slot(item: T) -> None:
        try:
            await work(item)
        finally:
            slots.release()

    try:
        async with asyncio.TaskGroup() as group:
            async for item in items:
                await slots.acquire()
                group.create_task(run_in_slot(item))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
