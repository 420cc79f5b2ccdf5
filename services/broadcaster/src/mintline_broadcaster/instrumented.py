"""The broadcaster's ports with metrics: each passes calls on, and counts their outcomes."""

from __future__ import annotations

from collections.abc import Iterable

from mintline.chain.answers import FeeMarket, Log, Receipt
from mintline.chain.calls import Call
from mintline.chain.send_facts import SendAnswer
from mintline.messages.intents import AnyIntent, Intent, SignMint, SignNoop
from mintline.messages.parts import Message
from mintline.messages.signed import VoucherIssued
from mintline.messages.work import RenewNonce
from mintline.queue_port import SendingPort
from mintline.records.index import Transfer
from mintline.records.operations import Attempt, Mint, Operation
from mintline.records.problems import TOKEN_TAKEN, Problem
from mintline.records.transactions import Outcome, Transaction, TransactionKey
from mintline.resource_types import Queue
from mintline.states import MintStatus
from mintline_broadcaster.kinds import minted_by, mints_of
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.ports import (
    ChainClient,
    Final,
    Minting,
    OpenMint,
    OpenTransaction,
    Seal,
    SignedTransaction,
    TransactionStore,
    VoucherStore,
)


class InstrumentedTransactionStore:
    """A Ledger that counts the mints which it moves on."""

    def __init__(self, store: TransactionStore, metrics: Metrics) -> None:
        self._store = store
        self._stages = metrics.stages
        self._refused = metrics.outcomes_refused

    async def record(self, signed: SignedTransaction) -> None:
        await self._store.record(signed)

    async def read_signed(self, tx_hashes: Iterable[bytes]) -> dict[bytes, SignedTransaction]:
        return await self._store.read_signed(tx_hashes)

    async def transaction(self, place: TransactionKey) -> Transaction | None:
        return await self._store.transaction(place)

    async def transactions_from(self, first: TransactionKey) -> list[Transaction]:
        return await self._store.transactions_from(first)

    async def open_transactions(
        self, shard: str, *, after: OpenTransaction | None, limit: int
    ) -> list[OpenTransaction]:
        return await self._store.open_transactions(shard, after=after, limit=limit)

    async def enter(self, intent: AnyIntent, attempt: Attempt) -> None:
        """Take a transaction from reserved to submitted."""
        await self._store.enter(intent, attempt)
        built_at = intent.built_at if isinstance(intent, SignMint) else None
        after = None if built_at is None else (attempt.at - built_at) / 1000
        for _ in minted_by(intent):
            self._stages.reached(MintStatus.SUBMITTED, after=after)

    async def add_attempt(self, transaction: Transaction, attempt: Attempt) -> None:
        """Append to a transaction's attempts."""
        await self._store.add_attempt(transaction, attempt)
        if transaction.submitted_at is None and not attempt.fills:
            after = (attempt.at - transaction.reserved_at) / 1000
            for _ in mints_of(transaction):
                self._stages.reached(MintStatus.SUBMITTED, after=after)

    async def open_gap(self, transaction: Transaction) -> Transaction | None:
        return await self._store.open_gap(transaction)

    async def mark(self, transaction: Transaction, *, at: int) -> None:
        await self._store.mark(transaction, at=at)

    async def fill(self, transaction: Transaction, *, at: int) -> None:
        await self._store.fill(transaction, at=at)

    async def reseal(self, batch: Transaction, seal: Seal, *, at: int) -> None:
        await self._store.reseal(batch, seal, at=at)

    async def close(self, transaction: Transaction, outcome: Outcome, *, at: int) -> None:
        """Note that a nonce is used for good."""
        await self._store.close(transaction, outcome, at=at)

    async def get(self, operation_id: str) -> Operation | None:
        return await self._store.get(operation_id)

    async def envelope(self, operation: Operation) -> bytes:
        return await self._store.envelope(operation)

    async def reject(
        self,
        operation: Operation,
        problem: Problem,
        *,
        at: int,
        carried: Transaction | None = None,
        seal: Seal | None = None,
    ) -> None:
        await self._store.reject(operation, problem, at=at, carried=carried, seal=seal)
        if isinstance(operation, Mint):
            self._stages.reached(MintStatus.REJECTED)
        if problem.code == TOKEN_TAKEN.code:
            self._refused.inc()

    async def open_mints(self, shard: str, *, after: OpenMint | None, limit: int) -> list[OpenMint]:
        return await self._store.open_mints(shard, after=after, limit=limit)

    async def operations(self, ids: Iterable[str]) -> dict[str, Operation]:
        return await self._store.operations(ids)

    async def mark_swept(self, operation: Operation, *, at: int) -> None:
        await self._store.mark_swept(operation, at=at)

    async def final(self) -> Final:
        return await self._store.final()

    async def minting(self, mint: Mint) -> Transfer | None:
        return await self._store.minting(mint)

    async def minted_digest(self, mint: Mint) -> bytes | None:
        return await self._store.minted_digest(mint)

    async def mined_by(self, tx_hash: bytes, block_number: int) -> list[Mint]:
        """Return the mints that a transaction mined by their own records."""
        return await self._store.mined_by(tx_hash, block_number)

    async def mine(self, mint: Mint, minting: Minting, *, at: int) -> None:
        await self._store.mine(mint, minting, at=at)
        self._stages.reached(MintStatus.MINED)

    async def finalize(self, mint_id: str, minting: Minting, *, at: int) -> None:
        await self._store.finalize(mint_id, minting, at=at)
        self._stages.reached(MintStatus.FINALIZED)


class InstrumentedVoucherStore:
    """Vouchers that count the mints which they move on."""

    def __init__(self, vouchers: VoucherStore, metrics: Metrics) -> None:
        self._vouchers = vouchers
        self._stages = metrics.stages

    async def issue(self, issued: VoucherIssued, *, at: int) -> None:
        """Move a built self-custody mint to issued."""
        await self._vouchers.issue(issued, at=at)
        self._stages.reached(MintStatus.ISSUED)

    async def attempt(self, mint: Mint, attempt: Attempt) -> None:
        await self._vouchers.attempt(mint, attempt)

    async def taken(self, mint_id: str, *, at: int) -> None:
        """Note that a node has taken a transaction."""
        await self._vouchers.taken(mint_id, at=at)
        self._stages.reached(MintStatus.SUBMITTED)

    async def refused(self, mint_id: str, problem: Problem, *, at: int) -> None:
        """Note why a node refused a transaction."""
        await self._vouchers.refused(mint_id, problem, at=at)


class InstrumentedChain:
    """A Chain that counts what its node says to transactions."""

    def __init__(self, chain: ChainClient, metrics: Metrics) -> None:
        self._chain = chain
        self._sends = metrics.sends

    async def send_raw(self, raw: bytes) -> SendAnswer:
        response = await self._chain.send_raw(raw)
        self._sends.labels(response.fact.value).inc()
        return response

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        return await self._chain.receipt(tx_hash)

    async def transaction_count(self, address: str) -> int:
        return await self._chain.transaction_count(address)

    async def transaction_count_at(self, address: str, block_hash: bytes) -> int | None:
        return await self._chain.transaction_count_at(address, block_hash)

    async def is_minted(self, contract: str, token_id: int, block_hash: bytes) -> bool | None:
        return await self._chain.is_minted(contract, token_id, block_hash)

    async def minted_digest(self, contract: str, token_id: int, block_hash: bytes) -> bytes | None:
        """Return the metadata digest that a token was minted with in that very block."""
        return await self._chain.minted_digest(contract, token_id, block_hash)

    async def serial_used(self, contract: str, serial: int, *, last: int) -> Log | None:
        return await self._chain.serial_used(contract, serial, last=last)

    async def item_minted(self, contract: str, serial: int, block_hash: bytes) -> Log | None:
        return await self._chain.item_minted(contract, serial, block_hash)

    async def balance(self, address: str) -> int:
        return await self._chain.balance(address)

    async def fees(self) -> FeeMarket:
        return await self._chain.fees()

    async def estimate_gas(self, call: Call) -> int:
        return await self._chain.estimate_gas(call)

    async def timestamp(self, blocks_ago: int) -> int:
        """Return when the block so many before the latest was made."""
        return await self._chain.timestamp(blocks_ago)

    async def time(self) -> int:
        return await self._chain.time()


class InstrumentedOutbox:
    """A SendingPort that counts replacements and no-ops."""

    def __init__(self, outbox: SendingPort, metrics: Metrics) -> None:
        self._outbox = outbox
        self._metrics = metrics

    async def send(self, queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        """Enqueue a message."""
        await self._outbox.send(queue, message, group=group, dedup=dedup)
        if isinstance(message, SignNoop):
            self._metrics.noops.inc()
        elif isinstance(message, Intent):
            self._metrics.fee_bumps.inc()
        elif isinstance(message, RenewNonce):
            self._metrics.nonces_taken.inc()
