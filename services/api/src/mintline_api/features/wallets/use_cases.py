"""Wallets in custody, made on first use.

::

    KMS makes the pair ──▶ record (ready = false, with the wrapped key) ──▶ store ──▶ record (ready = true)
          1                       2  the lock                                 3            4

If a process dies between two steps, the next request continues: before 2 there is only an unused pair; after
it the record holds all that steps 3 and 4 need. Only one request succeeds in step 2, so a user has one
address permanently, and no address is shown before its key is stored.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from mintline.records.keys import scoped
from mintline.records.wallets import WALLET_CACHE_SECONDS, Wallet
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.features.wallets.ports import Keys, WalletStore
from mintline_api.features.wallets.problems import WALLET_DELETED, WALLET_REASSIGNED
from mintline_api.http.models import rfc3339
from mintline_api.http.problems import RequestRefused

log = structlog.get_logger()

_CACHED_WALLETS = 100_000


async def provision(
    sub: str, *, chain_id: int, wallets: WalletStore, keys: Keys, now: Callable[[], int]
) -> Wallet:
    """Return the user's wallet, ready to sign; make it, or finish making it, if need be.

    `now` returns Unix milliseconds. Raises Unavailable or Throttled; safe to repeat after any of them.
    """
    wallet_id = scoped(chain_id, sub)
    wallet = await wallets.get(wallet_id)
    if wallet is None:
        key = await keys.generate(sub)
        new = Wallet(
            wallet_id=wallet_id,
            sub=sub,
            chain_id=chain_id,
            address=key.address,
            secret_id=keys.secret_id(key.address),
            ready=False,
            wrapped=key.wrapped,
            kms_key=key.kms_key,
            created_at=now(),
        )
        wallet = await wallets.create(new) or new
    if wallet.ready:
        return wallet
    await keys.keep(wallet)
    await wallets.mark_ready(wallet_id)
    log.info("wallet_provisioned", address=wallet.address, chain_id=chain_id)
    return wallet.evolve(ready=True, wrapped=None, kms_key=None)


class WalletDirectory:
    """The wallets that this process has met: a bounded cache, and one provisioning per user at a time."""

    def __init__(
        self,
        *,
        chain_id: int,
        wallets: WalletStore,
        keys: Keys,
        now: Callable[[], int],
        clock: Callable[[], float],
        max_cached: int = _CACHED_WALLETS,
        looked_up: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._chain_id = chain_id
        self._wallets = wallets
        self._keys = keys
        self._now = now
        self._cache: BoundedCache[str, Wallet] = BoundedCache(
            max_weight=max_cached, clock=clock, looked_up=looked_up
        )
        self._flights: SingleFlight[str, Wallet] = SingleFlight()

    async def of(self, sub: str) -> Wallet:
        """Return the user's wallet, made on first use; raises RequestRefused if it was reassigned."""
        wallet = self._cache.get(sub)
        if wallet is None:
            wallet = await self._flights.run(sub, lambda: self._provision(sub))
        if wallet.reassigned_to is not None:
            raise RequestRefused(WALLET_REASSIGNED, f"The wallet {wallet.address} is another account's now.")
        return wallet

    async def existing(self, sub: str) -> Wallet | None:
        """Return the user's wallet if there is one that can be shown; makes none."""
        wallet = self._cache.get(sub) or await self._wallets.get(scoped(self._chain_id, sub))
        return wallet if wallet is not None and wallet.ready else None

    async def usable(self, sub: str) -> Wallet:
        """Return the user's wallet as `of` does; raises RequestRefused too if its key is to be destroyed."""
        wallet = await self.of(sub)
        if wallet.deletes_at is not None:
            raise RequestRefused(
                WALLET_DELETED, f"The wallet's key is destroyed at {rfc3339(wallet.deletes_at)}."
            )
        return wallet

    async def _provision(self, sub: str) -> Wallet:
        wallet = await provision(
            sub, chain_id=self._chain_id, wallets=self._wallets, keys=self._keys, now=self._now
        )
        # Only a ready wallet comes out of `provision`. It may still be moved to another store, or be deleted.
        self._cache.put(sub, wallet, ttl=WALLET_CACHE_SECONDS)
        return wallet
