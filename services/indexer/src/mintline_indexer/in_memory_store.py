"""An index in memory, with the conditions of the tables: an operator rebuilds the index in it to compare."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mintline.records.index import Balance, Token, Transfer
from mintline.records.operations import CollectionOperation, Mint, Operation, TokenOperation
from mintline.records.transactions import Transaction, TransactionKey, as_far_as_any, carried_by
from mintline.states import MintStatus, TransactionState, may, transaction_may
from mintline_indexer.store_port import (
    NO_CONTRACTS,
    NONE_KNOWN,
    Aside,
    BalanceKey,
    CheckpointConflict,
    Outcome,
    PriorBalance,
    PriorToken,
    Progress,
    Refused,
    ReopenedMint,
    ReopenedTransaction,
    TakeBack,
    TokenKey,
    TransactionResult,
    UndoRecord,
    Write,
)
from mintline_indexer.writes import Name, transfer_key

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
    balance_table: dict[BalanceKey, Balance] = field(default_factory=dict)
    transfer_table: dict[tuple[str, str], Transfer] = field(default_factory=dict)
    mint_table: dict[str, Mint] = field(default_factory=dict)
    token_operation_table: dict[str, TokenOperation] = field(default_factory=dict)
    """Transfers and burns; in DynamoDB they are in the table of mints."""
    collection_operation_table: dict[str, CollectionOperation] = field(default_factory=dict)
    """Deployments and changes of collections; in DynamoDB they are in the table of mints."""
    transaction_table: dict[TransactionKey, Transaction] = field(default_factory=dict)
    aside_table: dict[str, Aside] = field(default_factory=dict)
    contract_table: dict[str, int | None] = field(default_factory=dict)
    """The next block to read of each contract, None of those that are followed."""
    fences: dict[Name, int] = field(default_factory=dict)
    """The fencing token of each item's last write, also of items that are gone by it."""

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

    async def commit(self, progress: Progress, contracts: Mapping[str, int | None] = NO_CONTRACTS) -> None:
        """Write the checkpoint, or raise CheckpointConflict."""
        if (self.progress.revision if self.progress else 0) != progress.revision - 1:
            raise CheckpointConflict("another writer moved the checkpoint")
        table = {} if progress.revision == 1 else self.contract_table
        self.contract_table = {**table, **contracts}
        self.progress = replace(
            progress,
            collections=tuple(
                sorted(name for name, following in self.contract_table.items() if following is None)
            ),
            backfills={name: n for name, n in self.contract_table.items() if n is not None},
        )

    async def keep_undo(self, undo_records: Sequence[UndoRecord], aside: Sequence[Aside] = ()) -> None:
        """Store undo records, and what is set aside."""
        self.block_rows |= {record.position: record for record in undo_records}
        self.aside_table |= {record.position: record for record in aside}

    async def write(self, write: Write, *, fence: int, at: int) -> Refused:
        """Carry out changes, each by itself."""
        refused = Refused()
        self._write_index(write, fence, refused)
        for outcome in write.outcomes:
            if not self._write_outcome(outcome, fence, at):
                refused.assumed.add(outcome.mint_id)
        for result in write.results:
            if not self._write_result(result, fence, at):
                refused.assumed.add(result.key)
        return refused

    def _write_index(self, write: Write, fence: int, refused: Refused) -> None:
        for change in write.tokens:
            if self._is_due(change.key, fence):
                if change.assumed_new and change.key in self.token_table:
                    refused.assumed.add(change.key)
                    continue
                self.token_table[change.key] = change.after
                self.fences[change.key] = fence
        for balance in write.balances:
            if self._is_due(balance.key, fence):
                self.balance_table[balance.key] = balance.after
                self.fences[balance.key] = fence
        for transfer in write.transfers:
            if self._is_due(key := transfer_key(transfer), fence):
                self.transfer_table[key] = transfer
                self.fences[key] = fence

    async def take_back(self, undo: TakeBack, *, fence: int, at: int) -> Refused:
        """Restore what items were."""
        refused = Refused()
        for prior in undo.tokens:
            self._restore(prior, undo.number, fence)
        for balance in undo.balances:
            self._restore_balance(balance, fence)
        for key in undo.transfers:
            if self._is_due(key, fence):
                self.transfer_table.pop(key, None)
                self.fences[key] = fence
        for transaction in undo.transactions:
            if self._is_due(transaction.key, fence) and not self._reopen_transaction(transaction, at):
                refused.assumed.add(transaction.key)
            self.fences[transaction.key] = fence
        for mint in undo.mints:
            if self._is_due(mint.mint_id, fence) and not self._reopen_mint(mint, at):
                refused.assumed.add(mint.mint_id)
            self.fences[mint.mint_id] = fence
        for place in undo.aside:
            self.aside_table.pop(place, None)
        return refused

    def _restore(self, prior: PriorToken, number: int, fence: int) -> None:
        key = TokenKey(prior.contract, prior.token_id)
        stored = self.token_table.get(key)
        if not self._is_due(key, fence):
            return
        if prior.token is not None:
            self.token_table[key] = prior.token
        elif stored is not None and stored.minted_block < number:
            return  # there was one after all, which the block did not make
        else:
            self.token_table.pop(key, None)
        self.fences[key] = fence

    def _restore_balance(self, prior: PriorBalance, fence: int) -> None:
        if not self._is_due(prior.key, fence):
            return
        if prior.balance is None:
            self.balance_table.pop(prior.key, None)
        else:
            self.balance_table[prior.key] = prior.balance
        self.fences[prior.key] = fence

    def _is_due(self, name: Name, fence: int) -> bool:
        """Tell whether an item is still to be written; raises CheckpointConflict if it is beyond that."""
        last = self.fences.get(name, 0)
        if last > fence:
            raise CheckpointConflict("another writer has written what was to be written")
        return last < fence

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

    async def balances(self, keys: Sequence[BalanceKey], *, since: int) -> dict[BalanceKey, Balance | None]:
        """Return balances as they are stored, None for those of an earlier index."""
        return {
            key: self.balance_table.get(key) if self.fences.get(key, 0) >= since else None for key in keys
        }

    async def transactions(self, places: Collection[TransactionKey]) -> dict[TransactionKey, Transaction]:
        """Return the transactions that are on record."""
        table = self.transaction_table
        return {place: table[place] for place in places if place in table}

    async def operations(
        self, operation_ids: Sequence[str], known: Mapping[TransactionKey, Transaction] = NONE_KNOWN
    ) -> dict[str, Operation]:
        """Return the operations that exist."""
        stored = [operation for each in operation_ids if (operation := self._operation(each)) is not None]
        carrying = {place for operation in stored if (place := carried_by(operation)) is not None}
        transactions = {**await InMemoryStore.transactions(self, carrying - known.keys()), **known}
        return {operation.operation_id: as_far_as_any(operation, transactions) for operation in stored}

    async def minting(self, key: TokenKey) -> Transfer | None:
        """Return the transfer that made a token."""
        matching = (
            transfer
            for transfer in self.transfer_table.values()
            if (transfer.contract, transfer.token_id) == key and transfer.sender is None
        )
        return next(matching, None)

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
        self, places: Sequence[TransactionKey], *, at: int
    ) -> dict[TransactionKey, TransactionState | None]:
        """Move mined transactions to final."""
        refused: dict[TransactionKey, TransactionState | None] = {}
        for place in places:
            transaction = self.transaction_table.get(place)
            if transaction is None or transaction.state is not TransactionState.MINED:
                refused[place] = transaction.state if transaction else None
            else:
                self._move(place, state=TransactionState.FINAL, finalized_at=at, updated_at=at)
        return refused

    def _write_result(self, result: TransactionResult, fence: int, at: int) -> bool:
        """Write what became of a transaction; False if its record does not take it."""
        self._is_due(result.key, fence)
        transaction = self.transaction_table.get(result.key)
        if transaction is None:
            return False
        here = (TransactionState.MINED, result.tx_hash, result.block_hash)
        if (transaction.state, transaction.tx_hash, transaction.block_hash) == here:
            return True
        if not transaction_may(transaction.state, TransactionState.MINED):
            return False
        self._move(
            result.key,
            state=TransactionState.MINED,
            outcome=result.outcome,
            tx_hash=result.tx_hash,
            block_number=result.block_number,
            block_hash=result.block_hash,
            problem=result.problem,
            not_made=result.not_made or None,
            mined_at=at,
            updated_at=at,
        )
        return True

    def _write_outcome(self, outcome: Outcome, fence: int, at: int) -> bool:
        """Write what became of an operation; False if its record does not take it."""
        self._is_due(outcome.mint_id, fence)
        operation = self._operation(outcome.mint_id)
        if operation is None:
            return False
        if outcome.is_on(operation):
            return True
        if operation.status not in outcome.sources:
            return False
        if outcome.status is MintStatus.ISSUED:
            self._set(operation, status=outcome.status, problem=outcome.problem, updated_at=at)
            return True
        self._set(
            operation,
            status=outcome.status,
            tx_hash=outcome.tx_hash,
            block_number=outcome.block_number,
            block_hash=outcome.block_hash,
            problem=outcome.problem,
            mined_at=at,
            updated_at=at,
        )
        return True

    def _reopen_transaction(self, reopened: ReopenedTransaction, at: int) -> bool:
        transaction = self.transaction_table.get(reopened.key)
        here = (TransactionState.MINED, reopened.block_hash)
        if transaction is None or (transaction.state, transaction.block_hash) != here:
            return False
        gone = dict.fromkeys(("outcome", "not_made", *_OUTCOME_FIELDS))
        self._move(reopened.key, state=TransactionState.SUBMITTED, updated_at=at, **gone)
        return True

    def _reopen_mint(self, reopened: ReopenedMint, at: int) -> bool:
        operation = self._operation(reopened.mint_id)
        if operation is None or operation.block_hash != reopened.block_hash:
            return False
        ended = operation.status in (MintStatus.MINED, MintStatus.REVERTED)
        if not (ended if reopened.status is MintStatus.BUILT else may(operation.status, reopened.status)):
            return False
        self._set(operation, status=reopened.status, updated_at=at, **dict.fromkeys(_OUTCOME_FIELDS))
        return True

    def _move(self, place: TransactionKey, **fields: object) -> None:
        self.transaction_table[place] = self.transaction_table[place].evolve(**fields)

    def _operation(self, operation_id: str) -> Operation | None:
        tables = (self.mint_table, self.token_operation_table, self.collection_operation_table)
        return next((table[operation_id] for table in tables if operation_id in table), None)

    def _set(self, operation: Operation, **fields: object) -> None:
        self.keep(operation.evolve(**fields))
