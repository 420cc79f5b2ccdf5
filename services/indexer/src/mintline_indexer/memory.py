"""The indexer's ports in memory: a chain that reorganises at will, a store with the real one's conditions.

For tests and simulations: nothing here sleeps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mintline.eth import ZERO_ADDRESS, keccak256
from mintline.records import Mint, Operation, Problem, Token, TokenOperation, Transfer
from mintline.states import MintStatus, TransactionState, may, transaction_may
from mintline.transaction_records import Place, Transaction, as_far_as_any, carried_by
from mintline_indexer.bloom import BLOOM_BYTES, bloom_bits
from mintline_indexer.chain_port import (
    Block,
    BlockTransaction,
    Event,
    MintedEvent,
    RangeTooWide,
    Ref,
    Tips,
    TransactionOutcome,
    TransferEvent,
)
from mintline_indexer.effects import transfer_key
from mintline_indexer.kinds import has_voucher
from mintline_indexer.reading import TOPICS
from mintline_indexer.store_port import (
    NONE_KNOWN,
    Aside,
    Attempted,
    CheckpointConflict,
    Outcome,
    Progress,
    RecordConflict,
    Reopened,
    Settlement,
    TokenKey,
    UndoRecord,
    Unsettled,
    Write,
)

_OUTCOME_FIELDS = ("tx_hash", "block_number", "block_hash", "mined_at", "problem")


@dataclass(frozen=True, slots=True)
class Move:
    """One transfer within a made-up transaction; `digest` makes it a mint with its `Minted` event."""

    contract: str
    token_id: int
    sender: str | None
    recipient: str | None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A made-up transaction; one without moves that is not `succeeded` has reverted."""

    hash: bytes
    to: str | None
    moves: tuple[Move, ...] = ()
    succeeded: bool = True
    revert: str = ""
    """The name of the contract's error, if it has reverted."""


@dataclass(frozen=True, slots=True)
class Mined:
    """A block with the events and outcomes that its transactions had in it."""

    block: Block
    events: tuple[Event, ...]
    outcomes: Mapping[bytes, TransactionOutcome]


class MemoryChain:
    """A chain under the test's control. `finality` is the depth in blocks at which a block is final."""

    def __init__(self, *, finality: int = 4, widest: int = 1000) -> None:
        self._finality = finality
        self._widest = widest
        self._forks = 0
        self.finalized = 0
        """The number of the newest final block."""
        genesis = Block(0, bytes(32), bytes(32), 1_000, bytes(BLOOM_BYTES), ())
        self.mined: list[Mined] = [Mined(genesis, (), {})]
        self._by_hash = {genesis.hash: self.mined[0]}

    @property
    def several(self) -> bool:
        """One view."""
        return False

    async def confirmed(self, block: Ref) -> bool:
        """Tell whether the present branch has this block."""
        return block.number < len(self.mined) and self.mined[block.number].block.hash == block.hash

    def mine(self, sent: Sequence[Sent] = ()) -> Mined:
        """Put a block with these transactions on top."""
        parent = self.mined[-1].block
        number = parent.number + 1
        seed = b"".join([parent.hash, number.to_bytes(8, "big"), self._forks.to_bytes(8, "big")])
        block_hash = hashlib.sha256(seed + b"".join(tx.hash for tx in sent)).digest()
        events = _events(number, block_hash, sent)
        block = Block(
            number=number,
            hash=block_hash,
            parent_hash=parent.hash,
            timestamp=parent.timestamp + 1,
            logs_bloom=_bloom(events),
            transactions=tuple(BlockTransaction(tx.hash, tx.to) for tx in sent),
        )
        failed = Problem(code="reverted", reason="The contract refused the transaction.")
        outcomes = {
            tx.hash: TransactionOutcome(block_hash, None if tx.succeeded else failed, tx.revert)
            for tx in sent
        }
        mined = Mined(block, events, outcomes)
        self.mined.append(mined)
        self._by_hash[block_hash] = mined
        self.finalized = max(self.finalized, number - self._finality)
        return mined

    def drop(self, depth: int) -> None:
        """Take the newest blocks off; what is mined next is another branch."""
        self._forks += 1
        del self.mined[len(self.mined) - depth :]

    def at(self, block_hash: bytes) -> Mined:
        """Return a block of any branch."""
        return self._by_hash[block_hash]

    async def tips(self) -> Tips:
        """Return the newest and the newest final block."""
        return Tips(self.mined[-1].block, self.mined[self.finalized].block)

    async def block(self, ref: int | bytes, *, full: bool) -> Block | None:
        """Return a block; one of an abandoned branch still has its hash."""
        if isinstance(ref, bytes):
            mined = self._by_hash.get(ref)
        else:
            mined = self.mined[ref] if ref < len(self.mined) else None
        if mined is None:
            return None
        return mined.block if full else replace(mined.block, transactions=None)

    async def events(self, block_hash: bytes, contracts: Sequence[str]) -> Sequence[Event]:
        """Return a block's events."""
        return [event for event in self._by_hash[block_hash].events if event.contract in contracts]

    async def events_from_receipts(self, block: Block, contracts: Sequence[str]) -> Sequence[Event]:
        """Return the same."""
        return await self.events(block.hash, contracts)

    async def events_between(self, first: int, last: int, contracts: Sequence[str]) -> Sequence[Event]:
        """Return the events of a range no wider than the provider's limit."""
        if last - first + 1 > self._widest:
            raise RangeTooWide(f"more than {self._widest} blocks")
        found = (event for mined in self.mined[first : last + 1] for event in mined.events)
        return [event for event in found if event.contract in contracts]

    async def outcome(self, tx_hash: bytes) -> TransactionOutcome | None:
        """Return how a transaction of the present branch ended."""
        for mined in reversed(self.mined):
            if tx_hash in mined.outcomes:
                return mined.outcomes[tx_hash]
        return None


def _events(number: int, block_hash: bytes, sent: Sequence[Sent]) -> tuple[Event, ...]:
    events: list[Event] = []
    for tx in sent:
        for move in tx.moves:
            place = (number, block_hash, tx.hash)
            parties = (move.sender, move.recipient)
            events.append(TransferEvent(*place, len(events), move.contract, move.token_id, *parties))
            if move.digest is not None:
                events.append(MintedEvent(*place, len(events), move.contract, move.token_id, move.digest))
    return tuple(events)


def _bloom(events: Sequence[Event]) -> bytes:
    bits = 0
    for event in events:
        bits |= bloom_bits(bytes.fromhex(event.contract[2:]))
        bits |= bloom_bits(TOPICS[0] if isinstance(event, TransferEvent) else TOPICS[1])
    # A header without any bit would be taken for a chain that keeps no bloom.
    return (bits or bloom_bits(keccak256(ZERO_ADDRESS.encode()))).to_bytes(BLOOM_BYTES, "big")


@dataclass(slots=True)
class MemoryStore:
    """The tables of one chain."""

    progress: Progress | None = None
    block_rows: dict[str, UndoRecord] = field(default_factory=dict)
    token_table: dict[TokenKey, Token] = field(default_factory=dict)
    transfer_table: dict[tuple[str, str], Transfer] = field(default_factory=dict)
    mint_table: dict[str, Mint] = field(default_factory=dict)
    token_operation_table: dict[str, TokenOperation] = field(default_factory=dict)
    """Transfers and burns, which lie in the same table as mints."""
    transaction_table: dict[Place, Transaction] = field(default_factory=dict)
    attempt_table: dict[bytes, Attempted] = field(default_factory=dict)
    aside_table: dict[str, Aside] = field(default_factory=dict)
    contract_table: dict[str, int | None] = field(default_factory=dict)
    """The next block to read of each contract, None of those that are followed."""

    def keep(self, operation: Operation) -> None:
        """Put an operation's record in its table."""
        if isinstance(operation, Mint):
            self.mint_table[operation.mint_id] = operation
        elif isinstance(operation, TokenOperation):
            self.token_operation_table[operation.operation_id] = operation

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
        mints += [reopened.mint_id for reopened in write.reopened if not self._may_reopen(reopened)]
        places = [one.place for one in write.settlements if not self._may_settle(one)]
        places += [one.place for one in write.unsettled if not self._may_unsettle(one)]
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
        if write.row is not None:
            self.block_rows[write.row.position] = write.row
        if write.erased_row is not None:
            del self.block_rows[write.erased_row.position]
            for position in write.erased_row.aside:
                self.aside_table.pop(position, None)
        self.aside_table |= {one.position: one for one in write.aside}

    async def rows(self) -> list[UndoRecord]:
        """Return every row, oldest first."""
        return [self.block_rows[position] for position in sorted(self.block_rows)]

    async def row(self, position: str) -> UndoRecord | None:
        """Return one row."""
        return self.block_rows.get(position)

    async def prune(self, positions: Sequence[str]) -> None:
        """Delete rows."""
        for position in positions:
            self.block_rows.pop(position, None)

    async def tokens(self, keys: Sequence[TokenKey]) -> dict[TokenKey, Token | None]:
        """Return tokens as they are stored."""
        return {key: self.token_table.get(key) for key in keys}

    async def attempts(self, tx_hashes: Sequence[bytes]) -> dict[bytes, Attempted]:
        """Return those of the transactions that were signed for us."""
        table = self.attempt_table
        return {found: table[found] for found in tx_hashes if found in table}

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
        transactions = {**await MemoryStore.transactions(self, carrying - known.keys()), **known}
        return {one.operation_id: as_far_as_any(one, transactions) for one in stored}

    async def vouchers(self, keys: Sequence[TokenKey]) -> dict[TokenKey, str]:
        """Return the self-custody mints of tokens."""
        waiting = {
            TokenKey(mint.contract, mint.token_id): mint.mint_id
            for mint in self.mint_table.values()
            if has_voucher(mint) and mint.token_id is not None
        }
        return {key: waiting[key] for key in keys if key in waiting}

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

    def _may_settle(self, settlement: Settlement) -> bool:
        transaction = self.transaction_table.get(settlement.place)
        return transaction is not None and transaction_may(transaction.state, TransactionState.MINED)

    def _may_unsettle(self, unsettled: Unsettled) -> bool:
        transaction = self.transaction_table.get(unsettled.place)
        return (
            transaction is not None
            and transaction.state is TransactionState.MINED
            and transaction.block_hash == unsettled.block_hash
        )

    def _may_end(self, outcome: Outcome) -> bool:
        operation = self._operation(outcome.mint_id)
        return operation is not None and operation.status in outcome.sources

    def _may_reopen(self, reopened: Reopened) -> bool:
        operation = self._operation(reopened.mint_id)
        if operation is None or operation.block_hash != reopened.block_hash:
            return False
        if reopened.status is MintStatus.BUILT:
            return operation.status in (MintStatus.MINED, MintStatus.REVERTED)
        return may(operation.status, reopened.status)

    def _write_transactions(self, progress: Progress, write: Write) -> None:
        for settlement in write.settlements:
            self._move(
                settlement.place,
                state=TransactionState.MINED,
                outcome=settlement.outcome,
                tx_hash=settlement.tx_hash,
                block_number=settlement.block_number,
                block_hash=settlement.block_hash,
                problem=settlement.problem,
                not_made=settlement.not_made or None,
                mined_at=progress.at,
                updated_at=progress.at,
            )
        gone = dict.fromkeys(("outcome", "not_made", *_OUTCOME_FIELDS))
        for unsettled in write.unsettled:
            self._move(unsettled.place, state=TransactionState.SUBMITTED, updated_at=progress.at, **gone)

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
        for mint_id, status, _ in write.reopened:
            self._set(self._known(mint_id), status=status, updated_at=progress.at, **gone)

    def _move(self, place: Place, **fields: object) -> None:
        self.transaction_table[place] = self.transaction_table[place].evolve(**fields)

    def _operation(self, operation_id: str) -> Operation | None:
        return self.mint_table.get(operation_id) or self.token_operation_table.get(operation_id)

    def _known(self, operation_id: str) -> Operation:
        operation = self._operation(operation_id)
        assert operation is not None, "checked before"
        return operation

    def _set(self, operation: Operation, **fields: object) -> None:
        self.keep(operation.evolve(**fields))


@dataclass(slots=True)
class MemoryCollectionRegistry:
    """A list of collections under the test's control."""

    deployed: dict[str, int] = field(default_factory=dict)

    async def known(self) -> Mapping[str, int]:
        """Return each contract with the block it was deployed in."""
        return dict(self.deployed)
