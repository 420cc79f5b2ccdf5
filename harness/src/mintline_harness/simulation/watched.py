"""Tables that hold each write of an operation or a transaction against its state machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from mintline.authorizations import MISSING, Authorization, Key
from mintline.aws.lines import EXTERNAL_ID_USED
from mintline.kinds.batch import line_digest
from mintline.lines import LinesChunk
from mintline.messages.intents import SignBatch
from mintline.records.index import Transfer
from mintline.records.keys import scoped
from mintline.records.operations import Mint, Operation
from mintline.records.transactions import Transaction as TransactionRecord
from mintline.records.transactions import TransactionKey, carried_by
from mintline.states import MintStatus, TransactionState, stored_sources, transaction_may
from mintline_broadcaster.ports import Final, SignedTransaction
from mintline_harness.simulation.lagging import Lag, LaggingTable
from mintline_indexer.store_port import Attempted, TokenKey
from mintline_signer.protocol import LinesProof
from mintline_testkit.broadcaster.store import MemoryTransactionStore
from mintline_testkit.indexer.store import MemoryStore

OperationT = TypeVar("OperationT", bound=Operation)


class WatchedOperations(LaggingTable[str, OperationT]):
    """Operations by id, as they are stored; `broken` is called for what the state machine does not allow."""

    def __init__(self, broken: Callable[[str], None], lag: Lag, moves: Moves) -> None:
        super().__init__(lag)
        self._broken = broken
        self._moves = moves

    def __setitem__(self, operation_id: str, operation: OperationT) -> None:
        before = self.get(operation_id)
        if before is None:
            if operation.status is not MintStatus.ACCEPTED and operation.problem != EXTERNAL_ID_USED:
                self._broken(f"{operation_id} began as {operation.status}")
        elif before.status is not operation.status and not _stored_may(before, operation):
            self._broken(f"{operation_id} went from {before.status} to {operation.status}")
        self._moves.wrote(operation)
        with self._moves.watching([operation_id]):
            super().__setitem__(operation_id, operation)


class WatchedTransactions(LaggingTable[TransactionKey, TransactionRecord]):
    """Transactions by sender and nonce; `broken` likewise."""

    def __init__(self, broken: Callable[[str], None], lag: Lag, moves: Moves) -> None:
        super().__init__(lag)
        self._broken = broken
        self._moves = moves

    def __setitem__(self, place: TransactionKey, transaction: TransactionRecord) -> None:
        before = self.get(place)
        if before is None:
            if transaction.state is not TransactionState.RESERVED:
                self._broken(f"{place} began as {transaction.state}")
        elif not _same_load(before, transaction):
            self._broken(f"nonce {place} was given to {before.operations} and {transaction.operations}")
        elif before.state is not transaction.state and not transaction_may(before.state, transaction.state):
            self._broken(f"{place} went from {before.state} to {transaction.state}")
        self._moves.wrote(transaction)
        with self._moves.watching(transaction.operations):
            super().__setitem__(place, transaction)


def _same_load(before: TransactionRecord, after: TransactionRecord) -> bool:
    """Tell whether a transaction is for what it was for: a batch may lose operations until it is signed."""
    if before.kind == "batch" and before.state is TransactionState.RESERVED and not before.attempts:
        return set(after.operations) <= set(before.operations)
    same = (before.operations, before.meaning) == (after.operations, after.meaning)
    return same and not (after.claiming and not before.claiming)


class Moves:
    """Tells how operations move by what is written on their own record or on their transaction's."""

    def __init__(self) -> None:
        self.standing: Callable[[str], Operation | None] = lambda _: None
        self.moved: Callable[[Operation, Operation], None] = lambda *_: None
        """Hears of every write that concerns an operation: how it stood, and how it stands."""
        self.wrote: Callable[[Operation | TransactionRecord], None] = lambda _: None
        """Hears of every write beforehand."""

    @contextmanager
    def watching(self, ids: Iterable[str]) -> Iterator[None]:
        """Compare the operations before and after a write."""
        before = [operation for operation in map(self.standing, ids) if operation is not None]
        yield
        for operation in before:
            after = self.standing(operation.operation_id)
            assert after is not None
            self.moved(operation, after)


def _stored_may(before: Operation, after: Operation) -> bool:
    """Tell whether a record may move so: undone, a mint that a transaction carries is built again."""
    undone = (before.status, after.status) == (MintStatus.MINED, MintStatus.BUILT)
    return before.status in stored_sources(after.status) or (undone and carried_by(after) is not None)


class SignedAttempts(dict[bytes, Attempted]):
    """The attempts table as the indexer reads it."""

    def __init__(self, signed: dict[bytes, SignedTransaction]) -> None:
        super().__init__()
        self._signed = signed

    def __contains__(self, tx_hash: object) -> bool:
        return tx_hash in self._signed

    def __getitem__(self, tx_hash: bytes) -> Attempted:
        signed = self._signed[tx_hash]
        if signed.mint_id is not None:
            return Attempted(mint_id=signed.mint_id, at=signed.at, own=True)
        return Attempted(
            key=TransactionKey(scoped(signed.chain_id, signed.sender), signed.nonce), at=signed.at
        )


class IndexedTransactionStore(MemoryTransactionStore):
    """A broadcaster's ledger that reads of the index what the indexer wrote."""

    store: MemoryStore

    async def final(self) -> Final:
        if (progress := self.store.progress) is None:
            return Final()
        block = progress.finalized
        return Final(block.number, block.timestamp, block.hash)

    async def minting(self, mint: Mint) -> Transfer | None:
        if mint.token_id is None:
            return None
        return await self.store.minting(TokenKey(mint.contract, mint.token_id))

    async def minted_digest(self, mint: Mint) -> bytes | None:
        assert mint.token_id is not None
        token = self.store.token_table.get(TokenKey(mint.contract, mint.token_id))
        return None if token is None else token.metadata_digest


class SponsoredAuthorizations:
    """The authorizations of a batch's mints, as the signer's host reads them."""

    def __init__(
        self, stored: Mapping[Key, Authorization], chunks: Mapping[tuple[str, int], LinesChunk]
    ) -> None:
        self._stored = stored
        self._chunks = chunks

    async def of(self, batch: SignBatch) -> list[bytes]:
        keys = [(line.mint_id, line_digest(batch, line)) for line in batch.mints]
        return [self._stored.get(key, MISSING).envelope for key in keys]

    async def proofs_of(self, batch: SignBatch) -> list[LinesProof]:
        named = {(line.request.request_id, line.request.chunk) for line in batch.mints if line.request}
        kept = [chunk for name in sorted(named) if (chunk := self._chunks.get(name)) is not None]
        fields = LinesProof.model_fields
        return [LinesProof(**{name: getattr(chunk, name) for name in fields}) for chunk in kept]
