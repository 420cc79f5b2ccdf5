"""Give a wallet to the user's new `sub`, after the old one is gone from the user pool.

::

    check ──▶ the enclave wraps the key ──▶ mark the old record ──▶ wait until no api knows it otherwise ──▶
      1                  2                           3
    check again ──▶ store the key under a new name, read it back ──▶ create the new record
         4                            5                                      6

A refusal at 1 or 2 changes nothing. From 3 on nothing is accepted for the old user; a refusal at 4 takes that
back. Nobody uses what 5 stores before 6. A run that was interrupted is completed by the next one, which
begins at 1. The old record and the key that it names are kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from mintline.errors import Conflict, Rejected
from mintline.key_stores import KeyStores, StoredKey
from mintline.records.keys import scoped
from mintline.records.wallets import WALLET_CACHE_SECONDS, Wallet
from mintline_ops.wallets.migration import copy
from mintline_ops.wallets.ports import Belongings, WalletRecords
from mintline_signer.protocol import Reassign, Rewrapped, WrappedKey


class ReassigningEnclave(Protocol):
    """The enclave, as far as reassigning goes."""

    async def rewrap(self, request: Reassign) -> Rewrapped:
        """Return a key wrapped for another user; raises EnclaveRefusal, EnclaveFailure or Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Reassignment:
    """One wallet's way from one user to another."""

    chain_id: int
    old: str
    """The `sub` that is gone."""
    new: str
    """The `sub` that the user has now."""
    records: WalletRecords
    belongings: Belongings
    stores: KeyStores
    enclave: ReassigningEnclave
    sleep: Callable[[float], Awaitable[None]]

    async def run(self) -> Wallet:
        """Reassign the wallet and return its new record; safe to repeat.

        Raises Rejected with what stands against it, EnclaveRefusal if the enclave's policy does not name this
        very pair of users and address.
        """
        wallet = await self._known()
        done = await self._check(wallet)
        if done is not None:
            return done
        key = await self._wrapped(wallet)
        if wallet.reassigned_to is None:
            await self.records.mark_reassigned(wallet, to=self.new)
            wallet = wallet.evolve(reassigned_to=self.new)
        await self.sleep(WALLET_CACHE_SECONDS + 1)
        try:
            done = await self._check(wallet)
        except Rejected:
            await self.records.unmark_reassigned(wallet)
            raise
        return done or await self._give(wallet, key)

    async def _known(self) -> Wallet:
        if self.old == self.new:
            raise Rejected("same_user", "OLD_SUB and NEW_SUB are the same; name two users")
        wallet = await self.records.get(scoped(self.chain_id, self.old))
        if wallet is None:
            raise Rejected("wallet_unknown", f"{self.old} has no wallet on chain {self.chain_id}")
        if not wallet.ready:
            raise Rejected("wallet_unready", f"the wallet of {self.old} has not been finished by the api yet")
        if wallet.reassigned_to not in (None, self.new):
            raise Rejected("wallet_reassigned", f"{wallet.address} is {wallet.reassigned_to}'s already")
        return wallet

    async def _check(self, wallet: Wallet) -> Wallet | None:
        """Return the new record if all has been done; raises Rejected with what stands against it."""
        new = await self.records.get(scoped(self.chain_id, self.new))
        if new is not None:
            if wallet.reassigned_to == self.new and new.reassigned_from == self.old:
                return new
            raise Rejected(
                "wallet_exists",
                f"{self.new} has the wallet {new.address} already; reassign before the new user's first "
                "request, or re-create the user once more and name that sub",
            )
        if wallet.deletes_at is not None:
            raise Rejected(
                "wallet_deleting",
                f"the key of {wallet.address} is being destroyed; run `mintline wallets undelete` first",
            )
        under_way = await self.belongings.open_operation(wallet)
        if under_way is not None:
            raise Rejected(
                "mint_under_way", f"{under_way} of {wallet.address} has not ended; wait until it has"
            )
        return None

    async def _wrapped(self, wallet: Wallet) -> StoredKey:
        before = await self.stores.read(wallet.key())
        wrapped = WrappedKey.model_validate(before.model_dump(exclude={"version", "reassigned"}))
        rewrapped = await self.enclave.rewrap(Reassign(key=wrapped, to=self.new))
        return before.evolve(
            subject=self.new, wrapped=rewrapped.wrapped, kms_key=rewrapped.kms_key, reassigned=True
        )

    async def _give(self, wallet: Wallet, key: StoredKey) -> Wallet:
        reference = await copy(key, self.stores.holding(wallet.secret_id))
        new = Wallet(
            wallet_id=scoped(self.chain_id, self.new),
            sub=self.new,
            chain_id=wallet.chain_id,
            address=wallet.address,
            secret_id=reference,
            ready=True,
            created_at=wallet.created_at,
            reassigned_from=self.old,
        )
        try:
            await self.records.create_reassigned(new)
        except Conflict:
            raise Conflict(f"the wallets of {self.old} and {self.new} have changed; run it again") from None
        return new
