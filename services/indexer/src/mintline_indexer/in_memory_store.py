"""An index in memory, with the conditions of the tables: an operator rebuilds the index in it to compare."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mintline.collection_records import CollectionOperation
from mintline.records import Mint, Operation, Token, TokenOperation, Transfer
from mintline.states import MintStatus, TransactionState, may, transaction_may
from mintline.transaction_records import Place, Transaction, as_far_as_any, carried_by
from mintline_indexer.effects import transfer_key
from mintline_indexer.store_port import (
    NONE_KNOWN,
    Aside,
    CheckpointConflict,
    Outcome,
    Progress,
    RecordConflict,
    ReopenedMint,
    ReopenedTransaction,
    TokenKey,
    TransactionResult,
    UndoRecord,
    Write,
)

_OUTCOME_FIELDS = ("tx_hash", "block_number", "block_hash", "mined_at", "problem")


@dataclass(slots=True)
class InMemoryStore:
    """The tables of one chain, as far as the indexer writes them.

    It has all methods of the store port except `attempts` and `vouchers`: those read what other services
    recorded, and a subclass says where from.
    """

    progress: Progress | None = None
    block_rows: dict[str, UndoRecord] = field(default_factory=dict)
    token_table: dict[TokenKey, Token] = field(default_factory=dict)
    transfer_table: dict[tuple[str, str], Transfer] = field(default_factory=dict)
    mint_table: dict[str, Mint] = field(default_factory=dict)
    token_operation_table: dict[str, TokenOperation] = field(default_factory=dict)
    """Transfers and burns, which lie in the same table as mints."""
    collection_operation_table: dict[str, CollectionOperation] = field(default_factory=dict)
    """Deployments and changes of collections likewise."""
    transaction_table: dict[Place, Transaction] = field(default_factory=dict)
    aside_table: dict[str, Aside] = field(default_factory=dict)
    contract_table: dict[str, int | None] = field(default_factory=dict)
    """The next block to read of each contract, None of those that are followed."""

    def keep(self, operation: Operation) -> None:
        """Put an operation's record in its table."""
        if isinstance(operation, Mint):
            self.mint_table[operation.mint_id] = operation
        elif isinstance(operation, TokenOperation):
            self.token_operation_table[operation.operation_id] = operation
        elif isinstance(operation, CollectionOperation):
            self.collection_operation_table[operation.operation_id] = operation

    def kept(self) -> Iterator[Operation]:
        """Yield the records of all operations."""
        yield from self.mint_table.values()
        yield from self.token_operation_table.values()
        yield from self.collection_operation_table.values()

    async def load(self) -> Progress | None:
        """Return the checkpoint with its contracts."""
        return self.progress

    async def peek(self) -> Progress | None:
        """Return the checkpoint without its contracts."""
        return self.progress and replace(self.progress, collections=(), backfills={})

    async def commit(self, progress: Progress, write: Write) -> None:
        """Write both, or raise CheckpointConflict or RecordConflict."""
        if (self.progress.revision if self.progress else 0) != progress.revision - 1:
            raise CheckpointConflict("another writer moved the checkpoint")
        tokens = [
            change.key for change in write.tokens if change.assumed_new and change.key in self.token_table
        ]
        mints = [outcome.mint_id for outcome in write.outcomes if not self._may_end(outcome)]
        mints += [reopened.mint_id for reopened in write.reopened_mints if not self._may_reopen(reopened)]
        places = [one.place for one in write.results if not self._may_settle(one)]
        places += [one.place for one in write.reopened_transactions if not self._may_reopen_transaction(one)]
        if tokens or mints or places:
            raise RecordConflict(tokens=tokens, mints=mints, transactions=places)
        table = {} if progress.revision == 1 else self.contract_table
        self.contract_table = {**table, **write.contracts}
        self.progress = replace(
            progress,
            collections=tuple(
                sorted(name for name, following in self.contract_table.items() if following is None)
            ),
            backfills={name: n for name, n in self.contract_table.items() if n is not None},
        )
        for change in write.tokens:
            if change.after is None:
                self.token_table.pop(change.key, None)
            else:
                self.token_table[change.key] = change.after
        for transfer in write.transfers:
            self.transfer_table[transfer_key(transfer)] = transfer
        for key in write.erased_transfers:
            del self.transfer_table[key]
        # In this order no mint is seen on a way that it does not take.
        self._write_outcomes(progress, write)
        self._write_transactions(progress, write)
        self._write_reopened(progress, write)
        if write.undo_record is not None:
            self.block_rows[write.undo_record.position] = write.undo_record
        if write.erased_record is not None:
            del self.block_rows[write.erased_record.position]
            for position in write.erased_record.aside:
                self.aside_table.pop(position, None)
        self.aside_table |= {one.position: one for one in write.aside}

    async def undo_records(self) -> list[UndoRecord]:
        """Return every undo record, oldest first."""
        return [self.block_rows[position] for position in sorted(self.block_rows)]

    async def undo_record(self, position: str) -> UndoRecord | None:
        """Return one row."""
        return self.block_rows.get(position)

    async def prune(self, positions: Sequence[str]) -> None:
        """Delete rows."""
        for position in positions:
            self.block_rows.pop(position, None)

    async def tokens(self, keys: Sequence[TokenKey]) -> dict[TokenKey, Token | None]:
        """Return tokens as they are stored."""
        return {key: self.token_table.get(key) for key in keys}

    async def transactions(self, places: Collection[Place]) -> dict[Place, Transaction]:
        """Return the transactions that are on record."""
        table = self.transaction_table
        return {place: table[place] for place in places if place in table}

    async def operations(
        self, operation_ids: Sequence[str], known: Mapping[Place, Transaction] = NONE_KNOWN
    ) -> dict[str, Operation]:
        """Return the operations that exist."""
        stored = [one for each in operation_ids if (one := self._operation(each)) is not None]
        carrying = {place for one in stored if (place := carried_by(one)) is not None}
        transactions = {**await InMemoryStore.transactions(self, carrying - known.keys()), **known}
        return {one.operation_id: as_far_as_any(one, transactions) for one in stored}

    async def minting(self, key: TokenKey) -> Transfer | None:
        """Return the transfer that made a token."""
        made = (
            transfer
            for transfer in self.transfer_table.values()
            if (transfer.contract, transfer.token_id) == key and transfer.sender is None
        )
        return next(made, None)

    async def finalize(self, mint_ids: Sequence[str], *, at: int) -> dict[str, MintStatus | None]:
        """Move mined mints to finalized."""
        refused: dict[str, MintStatus | None] = {}
        for mint_id in mint_ids:
            operation = self._operation(mint_id)
            if operation is None or operation.status is not MintStatus.MINED:
                refused[mint_id] = operation.status if operation else None
            else:
                self._set(operation, status=MintStatus.FINALIZED, finalized_at=at, updated_at=at)
        return refused

    async def finalize_transactions(
        self, places: Sequence[Place], *, at: int
    ) -> dict[Place, TransactionState | None]:
        """Move mined transactions to final."""
        refused: dict[Place, TransactionState | None] = {}
        for place in places:
            transaction = self.transaction_table.get(place)
            if transaction is None or transaction.state is not TransactionState.MINED:
                refused[place] = transaction.state if transaction else None
            else:
                self._move(place, state=TransactionState.FINAL, finalized_at=at, updated_at=at)
        return refused

    def _may_settle(self, result: TransactionResult) -> bool:
        transaction = self.transaction_table.get(result.place)
        return transaction is not None and transaction_may(transaction.state, TransactionState.MINED)

    def _may_reopen_transaction(self, reopened: ReopenedTransaction) -> bool:
        transaction = self.transaction_table.get(reopened.place)
        return (
            transaction is not None
            and transaction.state is TransactionState.MINED
            and transaction.block_hash == reopened.block_hash
        )

    def _may_end(self, outcome: Outcome) -> bool:
        operation = self._operation(outcome.mint_id)
        return operation is not None and operation.status in outcome.sources

    def _may_reopen(self, reopened: ReopenedMint) -> bool:
        operation = self._operation(reopened.mint_id)
        if operation is None or operation.block_hash != reopened.block_hash:
            return False
        if reopened.status is MintStatus.BUILT:
            return operation.status in (MintStatus.MINED, MintStatus.REVERTED)
        return may(operation.status, reopened.status)

    def _write_transactions(self, progress: Progress, write: Write) -> None:
        for result in write.results:
            self._move(
                result.place,
                state=TransactionState.MINED,
                outcome=result.outcome,
                tx_hash=result.tx_hash,
                block_number=result.block_number,
                block_hash=result.block_hash,
                problem=result.problem,
                not_made=result.not_made or None,
                mined_at=progress.at,
                updated_at=progress.at,
            )
        gone = dict.fromkeys(("outcome", "not_made", *_OUTCOME_FIELDS))
        for reopened in write.reopened_transactions:
            self._move(reopened.place, state=TransactionState.SUBMITTED, updated_at=progress.at, **gone)

    def _write_outcomes(self, progress: Progress, write: Write) -> None:
        for outcome in write.outcomes:
            operation = self._known(outcome.mint_id)
            if outcome.status is MintStatus.ISSUED:
                self._set(operation, status=outcome.status, problem=outcome.problem, updated_at=progress.at)
                continue
            self._set(
                operation,
                status=outcome.status,
                tx_hash=outcome.tx_hash,
                block_number=outcome.block_number,
                block_hash=outcome.block_hash,
                problem=outcome.problem,
                mined_at=progress.at,
                updated_at=progress.at,
            )

    def _write_reopened(self, progress: Progress, write: Write) -> None:
        gone = dict.fromkeys(_OUTCOME_FIELDS)
        for mint_id, status, _ in write.reopened_mints:
            self._set(self._known(mint_id), status=status, updated_at=progress.at, **gone)

    def _move(self, place: Place, **fields: object) -> None:
        self.transaction_table[place] = self.transaction_table[place].evolve(**fields)

    def _operation(self, operation_id: str) -> Operation | None:
        tables = (self.mint_table, self.token_operation_table, self.collection_operation_table)
        return next((table[operation_id] for table in tables if operation_id in table), None)

    def _known(self, operation_id: str) -> Operation:
        operation = self._operation(operation_id)
        assert operation is not None, "checked before"
        return operation

    def _set(self, operation: Operation, **fields: object) -> None:
        self.keep(operation.evolve(**fields))
