"""Builders over ports in memory, and the records that they work on."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from prometheus_client import CollectorRegistry

from mintline import authorizations
from mintline.authorizations import Authorization
from mintline.canonical_json import digest_of
from mintline.chain.gas import GasBound
from mintline.clock import Monotonic, UnixSeconds
from mintline.eth import ETHER, GWEI, keccak256, to_checksum_address
from mintline.messages.codec import AnyMessage
from mintline.messages.parts import KeyRef, Message
from mintline.messages.work import BuildMint, FinishBatch, FundWallet, RenewNonce
from mintline.records.operations import Mint
from mintline.records.transactions import Transaction, transaction_key_of
from mintline.states import MintStatus
from mintline_builder import builder as building
from mintline_builder.config import BuilderConfig
from mintline_builder.fees import FeePolicy
from mintline_builder.funding_policy import Refill, TopUpPolicy
from mintline_builder.metrics import Metrics
from mintline_builder.ports import Account
from mintline_testkit.builder.tables import (
    MemoryAccounts,
    MemoryCollections,
    MemoryMetadata,
    MemoryOperations,
    MemoryOutbox,
    MemoryTables,
)
from mintline_testkit.chain import FakeChain
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.notices import MemoryNotices

METADATA = '{"name":"A picture"}'


def address(name: str) -> str:
    """Return an address for a name."""
    return to_checksum_address(keccak256(name.encode())[12:])


def key(name: str) -> KeyRef:
    """Return the key of a named sender."""
    return KeyRef(address=address(name), subject=name, chain_id=CHAIN_ID, secret_id=f"secrets/{name}")


def accepted_mint(mint_id: str, *, sender: str = "alice", to: str | None = None) -> Mint:
    """Return a mint as the API accepts it."""
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
    """Give way to other tasks."""
    await asyncio.sleep(0)


@dataclass
class Harness:
    """Everything around one or more builders, in memory."""

    tables: MemoryTables = field(default_factory=MemoryTables)
    chain: FakeChain = field(default_factory=lambda: FakeChain(minimum_tip=GWEI))
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    metadata: MemoryMetadata = field(default_factory=MemoryMetadata)
    notices: MemoryNotices = field(default_factory=MemoryNotices)
    now: float = 1_700_000_000.0
    day_budget: int = 100 * ETHER
    relayers: tuple[KeyRef, ...] = field(default_factory=lambda: (key("relayer"),))
    refill: Refill = field(default_factory=Refill)
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

        Its authorization is beside it, as the api leaves it, with other `metadata` if that is named; with
        `packed` that is stored already.
        """
        authorization = Authorization(
            envelope=f"sealed for {mint_id}".encode(),
            metadata=fields.pop("metadata", METADATA),
            packed=fields.pop("packed", False),
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
        """Return the transaction of a sender's nonce."""
        return self.tables.transactions[transaction_key_of(key(name), nonce)]

    def move(self, name: str, nonce: int, /, **changes: Any) -> Transaction:
        """Move a transaction on, as broadcaster and indexer do."""
        moved = self.transaction(name, nonce).evolve(**changes)
        self.tables.transactions[moved.key] = moved
        return moved

    def top_up(self, name: str) -> Transaction:
        """Return the latest top-up of a wallet."""
        account = self.account(name)
        assert account.top_up_treasury == address("treasury")
        assert account.top_up_nonce is not None
        return self.transaction("treasury", account.top_up_nonce)

    def account(self, name: str) -> Account:
        """Return a sender's account."""
        return self.tables.accounts[address(name)]

    def mine(self, name: str) -> None:
        """Let the chain mine everything that a sender has reserved."""
        self.chain.counts[address(name)] = self.next_nonce(name)

    def next_nonce(self, name: str) -> int:
        """Return the nonce after those that a sender has on record."""
        return max(self.tables.nonces(address(name)), default=-1) + 1

    def clock(self) -> UnixSeconds:
        """Return the time."""
        return UnixSeconds(self.now)

    def monotonic(self) -> Monotonic:
        """Return the same as a duration's clock."""
        return Monotonic(self.now)

    def messages(self) -> list[Message]:
        """Return what was sent, oldest first."""
        return [message for _, message, _ in self.outbox.sent]

    def builder(self) -> Builder:
        """Return one more copy of the builder."""
        return Builder(self)


class Builder:
    """One copy of the builder."""

    _numbers = count()

    def __init__(self, harness: Harness) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self._builder = building.Builder(
            building.Adapters(
                accounts=harness.accounts,
                operations=harness.mints,
                collections=MemoryCollections(harness.tables),
                metadata=harness.metadata,
                chain=harness.chain,
                outbox=harness.outbox,
                notices=harness.notices,
            ),
            BuilderConfig(
                chain_id=CHAIN_ID,
                issuer=key("issuer"),
                voucher_ttl=3600,
                treasury=key("treasury"),
                relayers=harness.relayers,
                refill=harness.refill,
                top_ups=TopUpPolicy(
                    mints=20,
                    max_mints=100,
                    max_value=ETHER,
                    max_cost=harness.max_cost,
                    day_budget=harness.day_budget,
                ),
                fees=FeePolicy(min_priority_fee=1, max_priority_fee=5 * 10**9, max_fee=200 * 10**9),
                mint_gas=GasBound("MINTLINE_MAX_GAS", 1_000_000),
                transfer_gas=GasBound("MINTLINE_MAX_TRANSFER_GAS", 500_000),
                recipient_gas=200_000,
                max_batch=harness.max_batch,
                batch_gas=GasBound("MINTLINE_MAX_BATCH_GAS", harness.batch_gas),
            ),
            metrics=self.metrics,
            now=harness.clock,
            clock=harness.monotonic,
            sleep=no_sleep,
            rng=random.Random(next(self._numbers)),
        )
        self.reserver = self._builder.reserver
        self.funds = self._builder.funds

    async def handle(self, message: AnyMessage) -> None:
        """Handle a message."""
        await self._builder.handle(message)

    async def build(self, mint_id: str) -> None:
        """Handle a request to build a mint."""
        await self._builder.handle(BuildMint(mint_id=mint_id))

    async def renew(self, mint_id: str, spent: int) -> None:
        """Handle a request for a mint's next nonce."""
        await self._builder.handle(RenewNonce(mint_id=mint_id, nonce=spent))

    async def fund(self, wallet: str, required: int, balance: int = 0) -> None:
        """Handle a request for a top-up; amounts in wei."""
        await self._builder.handle(FundWallet(wallet=wallet, required=required, balance=balance))

    async def finish(self, sender: str, nonce: int) -> None:
        """Handle a request to finish a batch."""
        await self._builder.handle(FinishBatch(sender=address(sender), nonce=nonce))

    async def aclose(self) -> None:
        """Stop the builder's tasks."""
        await self._builder.aclose()

    def count(self, metric: str, **labels: str) -> float:
        """Return the value of one of the builder's metrics."""
        series = getattr(self.metrics, metric)
        if labels:
            series = series.labels(**labels)
        value: float = series._value.get()  # noqa: SLF001 - prometheus-client reads no single value
        return value
