"""Wallets in DynamoDB, and their keys in KMS and a key store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Put, Update
from mintline.aws.keys import GeneratedKey, generate_key
from mintline.aws.records import read, to_item, unusable
from mintline.errors import Unreadable
from mintline.key_stores import KeyStores, StoredKey, StoreName
from mintline.records.wallets import Wallet
from mintline.resources import WALLET_KEY, WALLETS
from mintline.set_aside import SetAside

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient


class DynamoWallets:
    """The wallets table."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def get(self, wallet_id: str) -> Wallet | None:
        item = await self._dynamo.get(WALLETS, {"wallet_id": wallet_id})
        return None if item is None else self._read(item)

    async def create(self, wallet: Wallet) -> Wallet | None:
        lock = Clause("first_wallet", "wallet_id", "missing")
        try:
            await self._dynamo.write(Put(WALLETS, to_item(wallet), where=(lock,)))
        except ConditionFailed as lost:
            if lost.item is not None:
                return self._read(lost.item)
            return await self.get(wallet.wallet_id)
        return None

    async def mark_ready(self, wallet_id: str) -> None:
        await self._dynamo.write(
            Update(
                WALLETS,
                {"wallet_id": wallet_id},
                set={"ready": True},
                remove=("wrapped", "kms_key"),
                where=(Clause("wallet_exists", "wallet_id", "exists"),),
            )
        )

    def _read(self, item: Item) -> Wallet:
        wallet = read(Wallet, WALLETS, item, self._set_aside)
        if not wallet.ready and wallet.wrapped is None:
            error = Unreadable("Wallet: wrapped: missing, although ready is false")
            raise unusable(WALLETS, item, error, self._set_aside)
        return wallet


class KmsKeys:
    """Keys made by KMS; new ones are kept in the store that is `picked`."""

    def __init__(
        self,
        kms: KMSClient,
        stores: KeyStores,
        *,
        picked: StoreName,
        pinned: Sequence[str],
        prefix: str,
        chain_id: int,
    ) -> None:
        self._kms = kms
        self._pinned = pinned
        self._stores = stores
        self._picked = stores.named(picked)
        self._prefix = prefix
        self._chain_id = chain_id

    async def generate(self, sub: str) -> GeneratedKey:
        """Make a key for a user; raises WrongKmsKey when none of the pinned KMS keys wrapped it."""
        return await generate_key(
            self._kms,
            key_id=WALLET_KEY.alias(self._prefix),
            subject=sub,
            chain_id=self._chain_id,
            pinned=self._pinned,
        )

    async def keep(self, wallet: Wallet) -> None:
        """Keep a wrapped key in the store that was picked when the wallet was made."""
        await self._stores.holding(wallet.secret_id).create(kept_key(wallet))

    def secret_id(self, address: str) -> str:
        return self._picked.reference(self._chain_id, address)


def kept_key(wallet: Wallet) -> StoredKey:
    """Return what is to be kept of a wallet whose record still holds its wrapped key."""
    if wallet.wrapped is None:
        raise Unreadable(f"the wallet {wallet.address} is not ready, and its wrapped key is gone")
    return StoredKey(
        address=wallet.address,
        chain_id=wallet.chain_id,
        subject=wallet.sub,
        wrapped=wallet.wrapped,
        kms_key=wallet.kms_key,
    )
