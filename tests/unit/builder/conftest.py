"""A builder over memory, and the records that it works on."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mintline import authorizations
from mintline.authorizations import Authorization
from mintline.chain.gas import GasBound
from mintline.eth import keccak256, to_checksum_address
from mintline.messages import BuildMint, FinishBatch, FundWallet, KeyRef, Message, RenewNonce
from mintline.records import Mint, digest_of
from mintline.states import MintStatus
from mintline.transaction_records import Transaction, place_of
from mintline_builder import builder as building
from mintline_builder.config import BuilderConfig
from mintline_builder.fees import FeePolicy
from mintline_builder.funds import TopUpPolicy
from mintline_builder.metrics import Metrics
from mintline_builder.ports import Account
from mintline_testkit.builder.chain import MemoryChain
from mintline_testkit.builder.tables import (
    MemoryAccounts,
    MemoryMetadata,
    MemoryOperations,
    MemoryOutbox,
    MemoryTables,
)
from mintline_testkit.constants import CHAIN_ID, ETHER

METADATA = '{"name":"A picture"}'


def address(name: str) -> str:
    return to_checksum_address(keccak256(name.encode())[12:])


def key(name: str) -> KeyRef:
    return KeyRef(address=address(name), subject=name, chain_id=CHAIN_ID, secret_id=f"secrets/{name}")


CONTRACT = address("contract")


def accepted_mint(mint_id: str, *, sender: str = "alice", to: str | None = None) -> Mint:
    return Mint(
        mint_id=mint_id,
        sub=sender,
        status=MintStatus.ACCEPTED,
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        to=address(to or sender),
        sender=key(sender),
        metadata_digest=digest_of(METADATA),
        request_digest="00" * 32,
        token_id=1,
        trace="trace-of-" + mint_id,
        created_at=1_700_000_000_000,
        updated_at=1_700_000_000_000,
    )


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


@dataclass
class World:
    """Everything around one or more builders, in memory."""

    tables: MemoryTables = field(default_factory=MemoryTables)
    chain: MemoryChain = field(default_factory=MemoryChain)
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    metadata: MemoryMetadata = field(default_factory=MemoryMetadata)
    now: float = 1_700_000_000.0
    day_budget: int = 100 * ETHER
    relayer: KeyRef | None = field(default_factory=lambda: key("relayer"))
    max_batch: int = 100
    batch_gas: int = 16_777_216
    max_cost: int = ETHER
    chain_ahead: float = 0.0
    """Seconds by which the chain's clock is ahead of ours."""

    def __post_init__(self) -> None:
        self.accounts = MemoryAccounts(self.tables)
        self.mints = MemoryOperations(self.tables)
        self.chain.clock = lambda: self.now + self.chain_ahead
        self.chain.codes[CONTRACT] = b"\x00"
        self.chain.balances[address("treasury")] = 1000 * ETHER
        self.chain.balances[address("alice")] = ETHER
        self.chain.balances[address("relayer")] = 1000 * ETHER

    contract = CONTRACT
    metadata_text = METADATA
    address = staticmethod(address)
    key = staticmethod(key)

    def accept(self, mint_id: str, *, sender: str = "alice", to: str | None = None, **fields: Any) -> Mint:
        """Put an accepted mint on record, with the next token id unless another one is named.

        Its authorization is beside it, as the api leaves it, with other `metadata` if that is named.
        """
        authorization = Authorization(
            envelope=f"sealed for {mint_id}".encode(), metadata=fields.pop("metadata", METADATA)
        )
        fields = {"token_id": len(self.tables.mints) + 1, **fields}
        if fields.get("custody") in ("self", "sponsored"):
            fields["sender"] = None
        mint = accepted_mint(mint_id, sender=sender, to=to).model_copy(update=fields)
        if (under := authorizations.key_of(mint)) is not None:
            self.tables.authorizations[under] = authorization
        self.tables.mints[mint_id] = mint
        return mint

    def mint(self, mint_id: str) -> Mint:
        """Return a mint as it stands."""
        mint = self.tables.standing(mint_id)
        assert isinstance(mint, Mint)
        return mint

    def transaction(self, name: str, nonce: int) -> Transaction:
        return self.tables.transactions[place_of(key(name), nonce)]

    def move(self, name: str, nonce: int, /, **changes: Any) -> Transaction:
        """Move a transaction on, as broadcaster and indexer do."""
        moved = self.transaction(name, nonce).evolve(**changes)
        self.tables.transactions[moved.place] = moved
        return moved

    def top_up(self, name: str) -> Transaction:
        """Return the latest top-up of a wallet."""
        account = self.account(name)
        assert account.top_up_treasury == address("treasury")
        assert account.top_up_nonce is not None
        return self.transaction("treasury", account.top_up_nonce)

    def account(self, name: str) -> Account:
        return self.tables.accounts[address(name)]

    def mine(self, name: str) -> None:
        """Let the chain mine everything that a sender has reserved."""
        account = self.tables.accounts[address(name)]
        assert account.next_nonce is not None
        self.chain.counts[address(name)] = account.next_nonce

    def clock(self) -> float:
        return self.now

    def messages(self) -> list[Message]:
        return [message for _, message, _ in self.outbox.sent]

    def builder(self) -> Builder:
        return Builder(self)


class Builder:
    """One copy of the builder."""

    _numbers = count()

    def __init__(self, world: World) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self._builder = building.Builder(
            building.Adapters(
                accounts=world.accounts,
                operations=world.mints,
                metadata=world.metadata,
                chain=world.chain,
                outbox=world.outbox,
            ),
            BuilderConfig(
                chain_id=CHAIN_ID,
                issuer=key("issuer"),
                voucher_ttl=3600,
                treasury=key("treasury"),
                relayer=world.relayer,
                top_ups=TopUpPolicy(
                    mints=20,
                    max_mints=100,
                    max_value=ETHER,
                    max_cost=world.max_cost,
                    day_budget=world.day_budget,
                ),
                fees=FeePolicy(min_priority_fee=1, max_priority_fee=5 * 10**9, max_fee=200 * 10**9),
                mint_gas=GasBound("MINTLINE_MAX_GAS", 1_000_000),
                transfer_gas=GasBound("MINTLINE_MAX_TRANSFER_GAS", 500_000),
                recipient_gas=200_000,
                max_batch=world.max_batch,
                batch_gas=GasBound("MINTLINE_MAX_BATCH_GAS", world.batch_gas),
            ),
            metrics=self.metrics,
            now=world.clock,
            clock=world.clock,
            sleep=no_sleep,
            rng=random.Random(next(self._numbers)),
        )
        self.reserver = self._builder.reserver
        self.funds = self._builder.funds

    async def build(self, mint_id: str) -> None:
        await self._builder.handle(BuildMint(mint_id=mint_id))

    async def renew(self, mint_id: str, spent: int) -> None:
        await self._builder.handle(RenewNonce(mint_id=mint_id, nonce=spent))

    async def fund(self, wallet: str, required: int, balance: int = 0) -> None:
        await self._builder.handle(FundWallet(wallet=wallet, required=required, balance=balance))

    async def finish(self, sender: str, nonce: int) -> None:
        await self._builder.handle(FinishBatch(sender=address(sender), nonce=nonce))

    async def aclose(self) -> None:
        await self._builder.aclose()

    def count(self, metric: str, **labels: str) -> float:
        found = getattr(self.metrics, metric)
        if labels:
            found = found.labels(**labels)
        value: float = found._value.get()
        return value


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def builder(world: World) -> Builder:
    return world.builder()
