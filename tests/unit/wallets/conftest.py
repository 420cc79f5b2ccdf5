from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from mintline.eth import keccak256, to_checksum_address
from mintline.key_stores import KeyStores, MemoryKeyStore, StoredKey
from mintline.records.keys import scoped
from mintline.records.wallets import Wallet
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.wallets import MemoryBelongings, MemoryWalletRecords

START = 1_795_398_654.0


@dataclass
class Custody:
    """Wallets, their stores and a clock, all in memory."""

    at: float = START
    records: MemoryWalletRecords = field(default_factory=MemoryWalletRecords)
    belongings: MemoryBelongings = field(default_factory=MemoryBelongings)
    slept: list[float] = field(default_factory=list)
    secrets: MemoryKeyStore = field(init=False)
    items: MemoryKeyStore = field(init=False)
    stores: KeyStores = field(init=False)

    def __post_init__(self) -> None:
        self.secrets = MemoryKeyStore("secretsmanager", now=self.now)
        self.items = MemoryKeyStore("dynamodb", now=self.now)
        self.stores = KeyStores(self.secrets, self.items)

    def now(self) -> float:
        return self.at

    def milliseconds(self) -> int:
        return int(self.at * 1000)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    async def add(self, sub: str, **changes: object) -> Wallet:
        """Make a wallet whose key is in Secrets Manager."""
        address = to_checksum_address(keccak256(sub.encode())[12:])
        key = StoredKey(address=address, chain_id=CHAIN_ID, subject=sub, wrapped=f"wrapped {sub}".encode())
        wallet = Wallet(
            wallet_id=scoped(CHAIN_ID, sub),
            sub=sub,
            chain_id=CHAIN_ID,
            address=address,
            secret_id=await self.secrets.create(key),
            ready=True,
            created_at=self.milliseconds(),
        ).model_copy(update=changes)
        self.records.items[wallet.wallet_id] = wallet
        return wallet

    def wallet(self, sub: str) -> Wallet:
        return self.records.items[scoped(CHAIN_ID, sub)]

    async def key(self, wallet: Wallet) -> bytes:
        """Return the wrapped key as a host would find it."""
        return (await self.stores.read(wallet.key())).wrapped


@pytest.fixture
def custody() -> Custody:
    return Custody()
