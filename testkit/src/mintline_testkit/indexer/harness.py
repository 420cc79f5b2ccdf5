"""Indexers over a chain and a store in memory, with one clock."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from typing import TypeVar

from prometheus_client import CollectorRegistry

from mintline.clock import Monotonic, UnixMs
from mintline.messages.intents import TransactionKind
from mintline.messages.parts import Fees, KeyRef
from mintline.records.operations import Attempt, Mint, Operation
from mintline.records.transactions import (
    Transaction,
    TransactionKey,
    as_far_as_any,
    carried_by,
    transaction_key_of,
)
from mintline.states import MintStatus, TransactionState
from mintline_indexer.chain_port import Block, Event
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import Attempted, Progress, Store
from mintline_testkit.chain import FakeChain, Move, Sent
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.store import MemoryCollectionRegistry, MemoryStore
from mintline_testkit.queues import MemoryQueues

ALICE, BOB = "0x" + "2" * 40, "0x" + "3" * 40
SENDER = KeyRef(address=ALICE, subject="user", chain_id=1, secret_id="secret")
FEES = Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1)
FINALITY = 3
StoreT = TypeVar("StoreT", bound=MemoryStore)


class DoubtfulChain(FakeChain):
    """Answers the first `empty` questions for events with none at all, and lacks the `missing` blocks."""

    empty = 0
    requested = 0
    missing: Collection[int] = ()

    async def block(self, ref: int | bytes, *, full: bool) -> Block | None:
        """Return a block unless it is missing."""
        block = await super().block(ref, full=full)
        return None if block is not None and block.number in self.missing else block

    async def events(self, block_hash: bytes, contracts: Sequence[str]) -> Sequence[Event]:
        """Return a block's events, or none while the answers are empty."""
        self.requested += 1
        return [] if self.requested <= self.empty else await super().events(block_hash, contracts)

    async def events_from_receipts(self, block: Block, contracts: Sequence[str]) -> Sequence[Event]:
        """Return a block's events."""
        return await super().events(block.hash, contracts)


@dataclass
class Harness:
    """A chain, a store, and the indexers that share them."""

    chain: DoubtfulChain = field(default_factory=lambda: DoubtfulChain(finality=FINALITY))
    store: MemoryStore = field(default_factory=MemoryStore)
    collections: MemoryCollectionRegistry = field(
        default_factory=lambda: MemoryCollectionRegistry({CONTRACT: 1})
    )
    time: float = 0.0
    started: int = 0
    rows_at_once: int = 100

    def __post_init__(self) -> None:
        self.queues = MemoryQueues(clock=lambda: self.time)

    def start(self, writer: str | None = None, store: Store | None = None) -> Indexer:
        """Return one more indexer, on a store of its own if one is named."""
        self.started += 1
        return Indexer(
            chain=self.chain,
            store=store or self.store,
            collections=self.collections,
            chain_id=1,
            writer=writer or f"writer-{self.started}",
            takeover_after=10.0,
            widest=10,
            whole=10,
            metrics=Metrics(CollectorRegistry()),
            outbox=self.queues,
            clock=lambda: Monotonic(self.time),
            now=lambda: UnixMs(int(self.time * 1000)),
            rng=random.Random(1),
            rows_at_once=self.rows_at_once,
        )

    def mint(self, token_id: int, *, mint_id: str | None = None) -> Sent:
        """Return the transaction that mints a token, as a mint's own if one is named."""
        recorded = self.store.mint_table.get(mint_id or "")
        if recorded is not None and recorded.token_id is None:
            self.store.mint_table[recorded.mint_id] = recorded.evolve(token_id=token_id)
        sent = Sent(
            token_id.to_bytes(32, "big"), CONTRACT, (Move(CONTRACT, token_id, None, ALICE, bytes(32)),)
        )
        if mint_id is not None:
            self.sign(sent.hash, mint_id)
        return sent

    def record(self, mint_id: str, status: MintStatus) -> None:
        """Record a custodial mint and the transaction that carries it, by which it is as far as submitted."""
        place = self.carry(mint_id)
        self.store.mint_table[mint_id] = Mint(
            mint_id=mint_id,
            sub="user",
            status=MintStatus.BUILT if status is MintStatus.SUBMITTED else status,
            chain_id=1,
            contract=CONTRACT,
            to=ALICE,
            sender=SENDER,
            nonce=place.nonce,
            metadata_digest=bytes(32),
            request_digest="",
            created_at=0,
            updated_at=0,
        )

    def carry(self, *mint_ids: str, kind: TransactionKind = "mint") -> TransactionKey:
        """Return the transaction that carries operations; if there is none, record one without an attempt."""
        table = self.store.transaction_table
        carrier = next(
            (place for place, transaction in table.items() if transaction.operations == mint_ids), None
        )
        place = carrier or transaction_key_of(SENDER, len(table))
        if carrier is None:
            table[place] = Transaction(
                sender_id=place.sender_id,
                nonce=place.nonce,
                signer=SENDER,
                kind=kind,
                operations=mint_ids,
                gas=100_000,
                fees=FEES,
                meaning=bytes(32),
                state=TransactionState.SUBMITTED,
                reserved_at=0,
                updated_at=0,
            )
        for mint_id in mint_ids:
            if (mint := self.store.mint_table.get(mint_id)) is not None:
                self.store.mint_table[mint_id] = mint.evolve(nonce=place.nonce)
            if (operation := self.store.token_operation_table.get(mint_id)) is not None:
                self.store.keep(operation.evolve(nonce=place.nonce))
            if (collection_operation := self.store.collection_operation_table.get(mint_id)) is not None:
                self.store.keep(collection_operation.evolve(nonce=place.nonce, sender=SENDER))
        return place

    def sign(self, tx_hash: bytes, *mint_ids: str, own: bool = False) -> None:
        """Put an attempt at mints on record: of their transaction, or of a user's own wallet."""
        mint = self.store.mint_table.get(mint_ids[0])
        if mint is not None and mint.custody == "self":
            self.attempts[tx_hash] = Attempted(mint_id=mint.mint_id, own=own)
            return
        place = self.carry(*mint_ids)
        self.attempts[tx_hash] = Attempted(place)
        carrying = self.store.transaction_table[place]
        attempt = Attempt(tx_hash=tx_hash, max_fee_per_gas=2, max_priority_fee_per_gas=1, at=0)
        self.store.transaction_table[place] = carrying.evolve(attempts=(*carrying.attempts, attempt))

    @property
    def attempts(self) -> dict[bytes, Attempted]:
        """The attempts on record, by transaction hash."""
        return self.store.attempt_table

    def stands(self, mint_id: str) -> Mint:
        """Return a mint as it stands."""
        return as_far_as_any(self.store.mint_table[mint_id], self.store.transaction_table)

    def operation(self, operation_id: str) -> Operation:
        """Return the record of an operation of any kind."""
        return next(operation for operation in self.store.kept() if operation.operation_id == operation_id)

    def operation_stands(self, operation_id: str) -> Operation:
        """Return an operation as it stands."""
        return as_far_as_any(self.operation(operation_id), self.store.transaction_table)

    def carrying(self, mint_id: str) -> Transaction:
        """Return the transaction that carries a mint."""
        place = carried_by(self.operation(mint_id))
        assert place is not None
        return self.store.transaction_table[place]

    def like(self, kind: type[StoreT]) -> StoreT:
        """Return a store of another kind with the same tables."""
        return kind(**{f.name: getattr(self.store, f.name) for f in fields(MemoryStore)})

    @property
    def progress(self) -> Progress:
        """The checkpoint on record."""
        assert self.store.progress is not None
        return self.store.progress

    def token_ids(self) -> set[int]:
        """Return the ids of the tokens in the index."""
        return {key.token_id for key in self.store.token_table}
