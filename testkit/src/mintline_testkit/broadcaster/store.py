"""The broadcaster's transaction store in memory, with the conditions of the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from mintline.authorizations import Authorization, Key, lookup
from mintline.kinds import meaning_of
from mintline.messages.intents import AnyIntent
from mintline.records.index import Transfer
from mintline.records.keys import created_key, open_shard
from mintline.records.operations import Attempt, CollectionOperation, Mint, Operation, TokenOperation
from mintline.records.problems import Problem
from mintline.records.transactions import (
    Outcome,
    Transaction,
    TransactionKey,
    as_far_as_any,
    carried_by,
    open_key,
    sender_shard,
    transaction_key_of,
)
from mintline.states import UNDECIDED, MintStatus, TransactionState, may, stored_sources, transaction_may
from mintline_broadcaster.ports import (
    Final,
    Minting,
    MintMoved,
    OpenMint,
    OpenTransaction,
    Seal,
    SignedTransaction,
    TransactionMoved,
)
from mintline_broadcaster.sweep_schedule import next_sweep

_ENDED = frozenset({MintStatus.FINALIZED, MintStatus.REJECTED})


@dataclass
class MemoryTransactionStore:
    """A Ledger of dictionaries; every call gives way to other tasks first, as a real one would."""

    mints: dict[str, Mint] = field(default_factory=dict)
    """As they are stored: see `as_far_as`."""
    token_operations: dict[str, TokenOperation] = field(default_factory=dict)
    """Transfers and burns, which lie in the same table."""
    collection_operations: dict[str, CollectionOperation] = field(default_factory=dict)
    """Deployments and changes of collections, which lie in the same table."""
    transactions: dict[TransactionKey, Transaction] = field(default_factory=dict)
    signed: dict[bytes, SignedTransaction] = field(default_factory=dict)
    mintings: dict[tuple[str, int | None], Transfer] = field(default_factory=dict)
    """The transfers in the index that made a token, by contract and id."""
    digests: dict[tuple[str, int | None], bytes] = field(default_factory=dict)
    """The metadata digests of the tokens in the index, by contract and id."""
    indexed: Final = field(default_factory=Final)
    """The newest block that is final and indexed."""
    authorizations: dict[Key, Authorization] = field(default_factory=dict)

    async def record(self, signed: SignedTransaction) -> None:
        """Write signed bytes down, once."""
        await asyncio.sleep(0)
        self.signed.setdefault(signed.tx_hash, signed)

    async def read_signed(self, tx_hashes: Iterable[bytes]) -> dict[bytes, SignedTransaction]:
        await asyncio.sleep(0)
        wanted = list(tx_hashes)
        return {tx_hash: self.signed[tx_hash] for tx_hash in wanted if tx_hash in self.signed}

    async def transaction(self, place: TransactionKey) -> Transaction | None:
        await asyncio.sleep(0)
        return self.transactions.get(place)

    async def transactions_from(self, first: TransactionKey) -> list[Transaction]:
        await asyncio.sleep(0)
        own = (
            transaction
            for place, transaction in self.transactions.items()
            if place.sender_id == first.sender_id
        )
        unended = (
            transaction
            for transaction in own
            if transaction.nonce >= first.nonce and transaction.state is not TransactionState.FINAL
        )
        return sorted(unended, key=lambda transaction: transaction.nonce)

    async def open_transactions(
        self, shard: str, *, after: OpenTransaction | None, limit: int
    ) -> list[OpenTransaction]:
        await asyncio.sleep(0)
        positioned = sorted(
            (
                open_key(transaction.key, transaction.reserved_at),
                OpenTransaction(transaction.key, transaction.reserved_at),
            )
            for transaction in self.transactions.values()
            if transaction.state is not TransactionState.FINAL
            and sender_shard(transaction.sender_id) == shard
        )
        start = "" if after is None else open_key(after.key, after.reserved_at)
        return [key for position, key in positioned if position > start][:limit]

    async def enter(self, intent: AnyIntent, attempt: Attempt) -> None:
        await asyncio.sleep(0)
        transaction = self.transactions.get(transaction_key_of(intent.signer, intent.nonce))
        if (
            transaction is None
            or transaction.state is not TransactionState.RESERVED
            or transaction.filling_at is not None
            or transaction.claiming
            or (transaction.meaning, transaction.gas) != (meaning_of(intent), intent.gas)
            or transaction.signer != intent.signer
        ):
            raise TransactionMoved(transaction)
        self._move(
            transaction,
            state=TransactionState.SUBMITTED,
            attempts=(attempt,),
            submitted_at=attempt.at,
            updated_at=attempt.at,
        )

    async def add_attempt(self, transaction: Transaction, attempt: Attempt) -> None:
        """Append to a transaction's attempts, if they are still these."""
        current = await self._unchanged(transaction)
        kept_back = current.filling_at is not None or current.claiming
        if current.state not in UNDECIDED or (kept_back and not attempt.fills):
            raise TransactionMoved(current)
        changes: dict[str, object] = {}
        if current.submitted_at is None and not attempt.fills:
            changes["submitted_at"] = attempt.at
        if current.filling_at is None and attempt.fills:
            changes["filling_at"] = attempt.at
        if current.claiming and attempt.fills:
            changes["claiming"] = None
        self._move(
            current,
            state=TransactionState.SUBMITTED,
            attempts=(*current.attempts, attempt),
            updated_at=attempt.at,
            **changes,
        )

    async def open_gap(self, transaction: Transaction) -> Transaction | None:
        """Create the record of a nonce that nobody reserved, or open one that was closed as filled."""
        await asyncio.sleep(0)
        current = self.transactions.get(transaction.key)
        if current is None:
            self.transactions[transaction.key] = transaction
        elif current.state is TransactionState.FINAL and current.outcome in ("filled", "used"):
            self._move(
                current,
                state=TransactionState.SUBMITTED,
                filling_at=transaction.reserved_at,
                updated_at=transaction.reserved_at,
                outcome=None,
                finalized_at=None,
            )
        else:
            return None
        return self.transactions[transaction.key]

    async def mark(self, transaction: Transaction, *, at: int) -> None:
        await asyncio.sleep(0)
        current = self.transactions.get(transaction.key)
        if current is None or _position(current) != _position(transaction):
            raise TransactionMoved(current)
        self._move(current, swept_at=at, sweeps=next_sweep(transaction))

    async def fill(self, transaction: Transaction, *, at: int) -> None:
        await asyncio.sleep(0)
        self._fill(transaction, at)

    def _fill(self, transaction: Transaction, at: int) -> None:
        current = self.transactions.get(transaction.key)
        if current is None or current.state is not transaction.state:
            raise TransactionMoved(current)
        self._move(current, filling_at=transaction.filling_at or at, updated_at=at)

    async def reseal(self, batch: Transaction, seal: Seal, *, at: int) -> None:
        await asyncio.sleep(0)
        self._reseal(batch, seal, at)

    def _reseal(self, batch: Transaction, seal: Seal, at: int) -> None:
        current = self.transactions.get(batch.key)
        if (
            current is None
            or current.state is not TransactionState.RESERVED
            or current.filling_at is not None
            or current.claiming
            or current.meaning != batch.meaning
        ):
            raise TransactionMoved(current)
        self._move(current, operations=seal.operations, meaning=seal.meaning, updated_at=at)

    async def close(self, transaction: Transaction, outcome: Outcome, *, at: int) -> None:
        current = await self._unchanged(transaction)
        self._move(current, state=TransactionState.FINAL, outcome=outcome, finalized_at=at, updated_at=at)

    async def _unchanged(self, transaction: Transaction) -> Transaction:
        await asyncio.sleep(0)
        current = self.transactions.get(transaction.key)
        if (
            current is None
            or current.state is not transaction.state
            or current.attempts != transaction.attempts
        ):
            raise TransactionMoved(current)
        return current

    def _move(self, transaction: Transaction, **fields: object) -> None:
        target = fields.get("state", transaction.state)
        assert isinstance(target, TransactionState)
        assert target is transaction.state or transaction_may(transaction.state, target)
        self.transactions[transaction.key] = transaction.evolve(**fields)

    async def get(self, operation_id: str) -> Operation | None:
        await asyncio.sleep(0)
        return self.operation(operation_id)

    async def envelope(self, operation: Operation) -> bytes:
        await asyncio.sleep(0)
        return lookup(operation, self.authorizations).envelope

    def standing(self, mint_id: str) -> Mint | None:
        """Return a mint as it stands."""
        mint = self.mints.get(mint_id)
        return mint if mint is None else as_far_as_any(mint, self.transactions)

    def operation(self, operation_id: str) -> Operation | None:
        """Return an operation of any kind as it stands."""
        operation = self.token_operations.get(operation_id) or self.collection_operations.get(operation_id)
        return (
            self.standing(operation_id) if operation is None else as_far_as_any(operation, self.transactions)
        )

    async def operations(self, ids: Iterable[str]) -> dict[str, Operation]:
        await asyncio.sleep(0)
        operations = ((operation_id, self.operation(operation_id)) for operation_id in ids)
        return {name: operation for name, operation in operations if operation is not None}

    async def reject(
        self,
        operation: Operation,
        problem: Problem,
        *,
        at: int,
        carried: Transaction | None = None,
        seal: Seal | None = None,
    ) -> None:
        await asyncio.sleep(0)
        if not may(operation.status, MintStatus.REJECTED):
            raise MintMoved(operation)
        current = self._stored(operation, MintStatus.REJECTED)
        try:
            if carried is not None and seal is not None:
                self._reseal(carried, seal, at)
            elif carried is not None:
                self._fill(carried, at)
        except TransactionMoved:
            raise MintMoved(self.operation(operation.operation_id)) from None
        self._change(current, status=MintStatus.REJECTED, problem=problem, updated_at=at)

    def _record(self, operation_id: str) -> Operation | None:
        """Return an operation as it is stored."""
        tables = (self.mints, self.token_operations, self.collection_operations)
        return next((table[operation_id] for table in tables if operation_id in table), None)

    def _stored(self, operation: Operation, target: MintStatus) -> Operation:
        """Return an operation's record, if it is as it was read and may move to `target`."""
        current = self._record(operation.operation_id)
        carried = carried_by(operation) is not None and operation.status is not MintStatus.ACCEPTED
        stored = MintStatus.BUILT if carried else operation.status
        if (
            current is None
            or current.status is not stored
            or current.nonce != operation.nonce
            or stored not in stored_sources(target)
        ):
            raise MintMoved(self.operation(operation.operation_id))
        return current

    async def final(self) -> Final:
        await asyncio.sleep(0)
        return self.indexed

    async def minting(self, mint: Mint) -> Transfer | None:
        await asyncio.sleep(0)
        return self.mintings.get((mint.contract, mint.token_id))

    async def minted_digest(self, mint: Mint) -> bytes | None:
        await asyncio.sleep(0)
        return self.digests.get((mint.contract, mint.token_id))

    async def mined_by(self, tx_hash: bytes, block_number: int) -> list[Mint]:
        await asyncio.sleep(0)
        outcome = tx_hash, block_number
        return [mint for mint in self.mints.values() if (mint.tx_hash, mint.block_number) == outcome]

    async def mine(self, mint: Mint, minting: Minting, *, at: int) -> None:
        """Move a mint that is still where it was read to mined."""
        await asyncio.sleep(0)
        self._change(
            self._stored(mint, MintStatus.MINED),
            status=MintStatus.MINED,
            tx_hash=minting.tx_hash,
            block_number=minting.block_number,
            block_hash=minting.block_hash,
            problem=None,
            waiting=None,
            mined_at=at,
            updated_at=at,
        )

    async def finalize(self, mint_id: str, minting: Minting, *, at: int) -> None:
        """Move a mint that this transfer's transaction mined to finalized."""
        await asyncio.sleep(0)
        mint = self.mints.get(mint_id)
        if mint is None or mint.status is not MintStatus.MINED or mint.tx_hash != minting.tx_hash:
            raise MintMoved(self.standing(mint_id))
        self._change(mint, status=MintStatus.FINALIZED, finalized_at=at, updated_at=at)

    async def open_mints(self, shard: str, *, after: OpenMint | None, limit: int) -> list[OpenMint]:
        await asyncio.sleep(0)
        positioned = sorted(
            (
                created_key(operation.created_at, operation.operation_id),
                OpenMint(operation.operation_id, operation.created_at),
            )
            for table in (self.mints, self.token_operations, self.collection_operations)
            for operation in table.values()
            if operation.status not in _ENDED
            and operation.nonce is None
            and open_shard(operation.operation_id) == shard
        )
        start = "" if after is None else created_key(after.created_at, after.mint_id)
        return [key for position, key in positioned if position > start][:limit]

    async def mark_swept(self, operation: Operation, *, at: int) -> None:
        await asyncio.sleep(0)
        current = self._record(operation.operation_id)
        if current is None or _operation_position(current) != _operation_position(operation):
            raise MintMoved(self.operation(operation.operation_id))
        self._change(current, swept_at=at, sweeps=next_sweep(operation))

    def _change(self, operation: Operation, **fields: object) -> None:
        match operation:
            case Mint():
                if fields.get("status") in _ENDED:
                    fields["authorization"] = None
                self.mints[operation.mint_id] = operation.evolve(**fields)
            case TokenOperation():
                self.token_operations[operation.operation_id] = operation.evolve(**fields)
            case CollectionOperation():
                self.collection_operations[operation.operation_id] = operation.evolve(**fields)


def _position(transaction: Transaction) -> tuple[TransactionState, int, int | None]:
    return transaction.state, transaction.updated_at, transaction.swept_at


def _operation_position(operation: Operation) -> tuple[MintStatus, int, int | None]:
    return operation.status, operation.updated_at, operation.swept_at
