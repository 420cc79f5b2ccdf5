"""Have the enclave rewrap every key under the KMS key that its policy names.

What the stores hold is walked, not the wallets' records: so copies and the platform's keys are among it.
Each key is replaced where it lies, on condition that it is still what the enclave was given.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from mintline.authorization import key_id
from mintline.aws.authorization_keys import StoredAuthorizationKey
from mintline.errors import Rejected
from mintline.key_stores import KeyStore, KeyStores
from mintline_ops.wallets.ports import for_each
from mintline_ops.wallets.summary import Summary
from mintline_signer.protocol import Rewrap, Rewrapped, WrappedAuthorizationKey, WrappedKey


class RewrappingEnclave(Protocol):
    """What rewrapping needs of the enclave."""

    async def rewrap(self, request: Rewrap) -> Rewrapped:
        """Return a key as it is wrapped now; raises EnclaveRefusal, EnclaveFailure or Unavailable."""
        ...


class AuthorizationKeys(Protocol):
    """The authorization keys; `AuthorizationKeySecrets` is them."""

    def references(self) -> AsyncIterator[str]:
        """Yield where each is."""
        ...

    async def read(self, reference: str) -> StoredAuthorizationKey:
        """Return one of them; raises Rejected."""
        ...

    async def replace(
        self, reference: str, *, old: StoredAuthorizationKey, new: StoredAuthorizationKey
    ) -> None:
        """Put `new` in place of `old`; raises Conflict."""
        ...


async def rewrap(
    *,
    to: str,
    stores: KeyStores,
    authorization_keys: AuthorizationKeys,
    enclave: RewrappingEnclave,
    concurrency: int,
    dry_run: bool,
) -> Summary:
    """Have every key of every store, and every authorization key, wrapped under the KMS key `to` (its ARN).

    Counts: `rewrapped` (with `dry_run`: those that would be), `there` already. An enclave whose policy names
    another key than `to` changes nothing: its answer counts as a failure.
    """
    summary = Summary()
    wrapping = Wrapping(to, enclave, dry_run=dry_run)

    async def one_authorization_key(reference: str) -> None:
        await summary.record(reference, wrapping.authorization_key(reference, authorization_keys))

    await for_each(authorization_keys.references(), one_authorization_key, concurrency=concurrency)
    for store in stores.all():

        async def one_key(reference: str, store: KeyStore = store) -> None:
            await summary.record(reference, wrapping.key(reference, store))

        await for_each(store.references(), one_key, concurrency=concurrency)
    return summary


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What becomes of one key."""

    to: str
    enclave: RewrappingEnclave
    dry_run: bool

    async def key(self, reference: str, store: KeyStore) -> str:
        """Have a wallet's or a platform's key rewrapped, and return the outcome."""
        old = await store.read(reference)
        if old.kms_key == self.to:
            return "there"
        if not self.dry_run:
            change = await self._anew(
                WrappedKey.model_validate(old.model_dump(exclude={"version", "reassigned"}))
            )
            await store.replace(reference, old=old, new=old.evolve(**change))
        return "rewrapped"

    async def authorization_key(self, reference: str, authorization_keys: AuthorizationKeys) -> str:
        """Have an authorization key rewrapped, and return the outcome."""
        old = await authorization_keys.read(reference)
        if old.kms_key == self.to:
            return "there"
        if not self.dry_run:
            key = WrappedAuthorizationKey(
                key_id=key_id(old.public_key),
                chain_id=old.chain_id,
                wrapped=old.wrapped,
                kms_key=old.kms_key,
            )
            await authorization_keys.replace(reference, old=old, new=old.evolve(**await self._anew(key)))
        return "rewrapped"

    async def _anew(self, key: WrappedKey | WrappedAuthorizationKey) -> dict[str, object]:
        rewrapped = await self.enclave.rewrap(Rewrap(key=key))
        if rewrapped.kms_key != self.to:
            raise Rejected("other_kms_key", f"the enclave's policy names {rewrapped.kms_key}")
        return {"wrapped": rewrapped.wrapped, "kms_key": rewrapped.kms_key}
