"""The index as it is stored: the protocols that `dynamo_store` and `in_memory_store` implement."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from mintline.errors import Conflict, Unreadable
from mintline.records.index import Balance, Token, Transfer
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction, TransactionKey
from mintline.states import MintStatus, TransactionState
from mintline_indexer.index_records import (
    Aside,
    BalanceKey,
    EndedTransaction,
    Mixed,
    PriorBalance,
    PriorToken,
    Progress,
    TokenKey,
    UndoRecord,
)
from mintline_indexer.writes import (
    Attempted,
    BalanceWrite,
    Outcome,
    Refused,
    ReopenedMint,
    ReopenedTransaction,
    TakeBack,
    TokenWrite,
    TransactionResult,
    Write,
)

__all__ = [
    "NONE_KNOWN",
    "Aside",
    "Attempted",
    "BalanceKey",
    "BalanceWrite",
    "CheckpointConflict",
    "CollectionRegistry",
    "Damaged",
    "EndedTransaction",
    "Mixed",
    "Outcome",
    "PriorBalance",
    "PriorToken",
    "Progress",
    "Refused",
    "ReopenedMint",
    "ReopenedTransaction",
    "Store",
    "TakeBack",
    "TokenKey",
    "TokenWrite",
    "TransactionResult",
    "UndoRecord",
    "Write",
]

NONE_KNOWN: Mapping[TransactionKey, Transaction] = MappingProxyType({})
NO_CONTRACTS: Mapping[str, int | None] = MappingProxyType({})


class CheckpointConflict(Conflict):
    """Another writer moved the checkpoint since it was read, or wrote what was to be written."""


class Damaged(Unreadable):
    """The checkpoint or an undo record is not valid, or is gone: nothing can be indexed without it."""


class Store(Protocol):
    """The tables of one chain. Every method may raise Unavailable or Throttled, having written or not."""

    async def load(self) -> Progress | None:
        """Return the checkpoint with its contracts, None if there is none yet.

        The contracts are read after it: they are the checkpoint's own if its revision still stands.
        Raises Damaged, as `peek` does, also if the tables are those of an earlier version.
        """
        ...

    async def peek(self) -> Progress | None:
        """Return the checkpoint without its contracts, which are many."""
        ...

    async def commit(self, progress: Progress, contracts: Mapping[str, int | None] = NO_CONTRACTS) -> None:
        """Write the checkpoint, on the condition that the stored revision is one less; 1 must be the first.

        With it go the contracts whose place moves: each with the next block to read, None once it is indexed
        up to the head. The others stay as they are, whatever `Progress` says of them. Raises
        CheckpointConflict, having written nothing.
        """
        ...

    async def keep_undo(self, undo_records: Sequence[UndoRecord], aside: Sequence[Aside] = ()) -> None:
        """Store undo records, and what is set aside, over what has the same positions."""
        ...

    async def write(self, write: Write, *, fence: int, at: int) -> Refused:
        """Carry out changes, each by itself; return those that were not, and will not be as they are.

        `fence` is the fencing token of the checkpoint by which they were announced. An item that was written
        under a later one stays as it is, and CheckpointConflict is raised; one of this one counts as written.
        So repeating a write does no harm, however late. `at` is in Unix milliseconds.
        """
        ...

    async def take_back(self, undo: TakeBack, *, fence: int, at: int) -> Refused:
        """Restore items as they were, under a fencing token (`write`); return the records that had changed.

        An item that was not changed is marked with the fencing token all the same: then a write under an
        earlier one that is still on its way does not change it either.
        """
        ...

    async def undo_records(self) -> list[UndoRecord]:
        """Return every undo record, oldest first. Raises Damaged."""
        ...

    async def undo_record(self, position: str) -> UndoRecord | None:
        """Return one undo record, whole, None if there is none. Raises Damaged."""
        ...

    async def prune(self, positions: Sequence[str]) -> None:
        """Delete undo records; one that is gone already is no error."""
        ...

    async def tokens(self, keys: Sequence[TokenKey]) -> dict[TokenKey, Token | None]:
        """Return tokens as they are stored; one that is unreadable is missing."""
        ...

    async def balances(self, keys: Sequence[BalanceKey], *, since: int) -> dict[BalanceKey, Balance | None]:
        """Return balances as they are stored; one that is unreadable is missing.

        None stands for one whose fencing token is below `since`, the index's epoch, as well: an earlier index
        counted it, and this one counts all of its contract's events again.
        """
        ...

    async def attempts(self, tx_hashes: Sequence[bytes]) -> dict[bytes, Attempted]:
        """Return those of the transactions that were signed for us."""
        ...

    async def transactions(self, places: Collection[TransactionKey]) -> dict[TransactionKey, Transaction]:
        """Return the transactions that are on record and readable."""
        ...

    async def operations(
        self, operation_ids: Sequence[str], known: Mapping[TransactionKey, Transaction] = NONE_KNOWN
    ) -> dict[str, Operation]:
        """Return the operations that exist and are readable, as they stand (`as_far_as`).

        `known` are transactions that were just read: they are not read again.
        """
        ...

    async def vouchers(self, keys: Sequence[TokenKey]) -> dict[TokenKey, str]:
        """Return the self-custody mints whose vouchers are for these tokens; may lag by moments."""
        ...

    async def minting(self, key: TokenKey) -> Transfer | None:
        """Return the transfer that made a token."""
        ...

    async def finalize(self, mint_ids: Sequence[str], *, at: int) -> dict[str, MintStatus | None]:
        """Move mints whose records say mined to finalized, and close those whose records say reverted.

        Returns those that were not mined, with the status that they have.
        """
        ...

    async def finalize_transactions(
        self, places: Sequence[TransactionKey], *, at: int
    ) -> dict[TransactionKey, TransactionState | None]:
        """Move mined transactions to final: they leave the index of open ones.

        Returns those that were not mined, with the state that they have.
        """
        ...


class CollectionRegistry(Protocol):
    """The contracts to index."""

    async def known(self, *, finalized: int) -> Mapping[str, int]:
        """Return each contract with the block it was deployed in, or one before.

        `finalized` is the number of the index's final block.
        """
        ...
