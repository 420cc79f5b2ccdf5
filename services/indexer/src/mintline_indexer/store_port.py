"""The index as it is stored: values, and the protocols that `dynamo_store` and `memory` implement."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from mintline.errors import Conflict, MintlineError, Unreadable
from mintline.fields import BoundedText, Bytes32
from mintline.messages import Frozen
from mintline.records import Operation, Problem, Token, Transfer
from mintline.states import MintStatus, TransactionState, sources, transaction_sources
from mintline.transaction_records import Place, Transaction
from mintline_indexer.chain_port import Ref

NONE_KNOWN: Mapping[Place, Transaction] = MappingProxyType({})


class TokenKey(NamedTuple):
    """Names a token within the chain."""

    contract: str
    token_id: int


class PriorToken(Frozen):
    """A token as it was before a block's part changed it; `token` is None if there was none."""

    contract: str
    token_id: int
    token: Token | None


class EndedTransaction(Frozen):
    """A transaction of ours that a block ended."""

    sender_id: str
    nonce: int
    mints: int = 0
    """How many mints are mined by it, for the metrics; 0 if it failed."""

    @property
    def place(self) -> Place:
        """Its key."""
        return Place(self.sender_id, self.nonce)


class UndoRecord(Frozen):
    """One item of BLOCKS: a block, or a part of one, and how to undo it."""

    position: str
    number: int
    hash: Bytes32
    timestamp: int
    parent: tuple[int, Bytes32, int]
    """Number, hash and timestamp of the block before it: the head once this is undone."""
    first: int
    """Index of the part's first effect within its block."""
    complete: bool
    """Whether this is the block's last part."""
    backfilled: bool = False
    """Whether it came from a range of final blocks: never undone, kept until its mints are finalized."""
    tokens: tuple[PriorToken, ...] = ()
    transfers: tuple[tuple[str, str], ...] = ()
    """Keys in TRANSFERS: token reference and position."""
    transactions: tuple[EndedTransaction, ...] = ()
    """Those that it ended: what they carry has its outcome by them."""
    to_be_split: tuple[EndedTransaction, ...] = ()
    """Batches that it ended as failed: undone like the others, and the broadcaster's once it is final."""
    mints: tuple[str, ...] = ()
    """Operations whose outcome is on their own record."""
    elsewhere: tuple[tuple[str, Bytes32], ...] = ()
    """Those of the mints whose token was made in an earlier block, by a stranger, each with that block."""
    at: int | None = None
    """Unix milliseconds of the write, which is when its mints were mined as far as we know."""
    aside: tuple[str, ...] = ()
    """Positions of what was set aside of this part."""

    @property
    def ended(self) -> tuple[EndedTransaction, ...]:
        """All transactions that it ended."""
        return (*self.transactions, *self.to_be_split)

    def ref(self) -> Ref:
        """Return the block's number, hash and timestamp."""
        return Ref(self.number, self.hash, self.timestamp)

    def parent_ref(self) -> Ref:
        """Return the block before it."""
        return Ref(*self.parent)

    def bare(self) -> UndoRecord:
        """Return the record without what only an undo needs: the form kept in memory."""
        return self.evolve(tokens=(), transfers=())


class Aside(Frozen):
    """One item that a block should have changed, and that cannot be used as it is: an operator repairs it.

    Written in place of the item's change, in the same transaction, so that it is known exactly once.
    """

    position: str
    """Made of what it stands for: every writer that meets it makes the same."""
    table: str
    key: str
    reason: BoundedText
    block_number: int
    block_hash: Bytes32
    tx_hash: Bytes32


@dataclass(frozen=True, slots=True)
class Partial:
    """A block of which the effects before `next` are written, and those from `next` on are not."""

    number: int
    hash: bytes
    next: int


@dataclass(frozen=True, slots=True)
class Progress:
    """The checkpoint: where the index stands, who writes it, and what it follows.

    `revision` counts the writes, and is the condition of each: a writer that did not see the last one loses.
    """

    revision: int
    writer: str
    """The instance that writes; empty when it has stepped down."""
    head: Ref
    """The newest block that is indexed completely."""
    finalized: Ref
    """Nothing at or below this block is ever undone; its mints are finalized."""
    partial: Partial | None = None
    collections: tuple[str, ...] = ()
    """The contracts whose events are indexed up to `head`; `peek` leaves them out."""
    backfills: Mapping[str, int] = field(default_factory=dict)
    """The contracts that are not there yet, each with the next block to read; `peek` leaves them out."""
    index: str = ""
    """Names the index since its first block: what an earlier one followed does not count."""
    at: int = 0
    """Unix milliseconds of the write."""


@dataclass(frozen=True, slots=True)
class TokenWrite:
    """A token's new state, None to delete it; `assumed_new` makes the write fail if there is one already."""

    key: TokenKey
    after: Token | None
    assumed_new: bool = False


@dataclass(frozen=True, slots=True)
class Attempted:
    """A signed transaction, as the broadcaster wrote it down, `at` in Unix milliseconds."""

    place: Place | None = None
    """The nonce that it uses; None if a user's own wallet signed it."""
    mint_id: str | None = None
    """The mint that it redeems, if that has its outcome on its own record: one of a user's own wallet, or of
    the time before transactions had records."""
    at: int | None = None
    trace: str = ""
    """The W3C `traceparent` by which it was sent, or empty."""
    own: bool = False
    """Whether the user's own wallet signed it: then its failure ends nothing, as the voucher is as good."""


@dataclass(frozen=True, slots=True)
class TransactionResult:
    """A transaction of ours that was mined, and succeeded or failed; `sent_at` is its attempt's, in Unix ms.

    Nothing is written on the operations that it carries: how they stand is read off its record.
    """

    place: Place
    outcome: Literal["succeeded", "failed"]
    tx_hash: bytes
    block_number: int
    block_hash: bytes
    operations: tuple[str, ...] = ()
    """Those of the operations it carries that are mined, or reverted, by this."""
    not_made: tuple[str, ...] = ()
    """Those that it succeeded without."""
    minting: bool = True
    """Whether its operations are mints."""
    to_be_split: bool = False
    """Whether it is a batch that failed: that ends no operation, and the broadcaster closes it."""
    problem: Problem | None = None
    sent_at: int | None = None
    trace: str = ""
    """The attempt's."""

    @property
    def status(self) -> MintStatus:
        """What its operations are by it."""
        return MintStatus.MINED if self.outcome == "succeeded" else MintStatus.REVERTED

    @property
    def sources(self) -> tuple[TransactionState, ...]:
        """The states that the transaction may be in for this to be written."""
        return transaction_sources(TransactionState.MINED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is written on a mint's own record: it was mined, or mined and reverted.

    A custodial mint has it there only if another transaction than the one that carries it made its token.
    `sent_at` is its attempt's, in Unix ms. `issued` stands for a user's own transaction that failed: its mint
    waits on, with the problem.
    """

    mint_id: str
    status: MintStatus
    tx_hash: bytes
    block_number: int
    block_hash: bytes
    """The block of the transaction that minted, which may be an earlier one than the effect's."""
    problem: Problem | None = None
    sent_at: int | None = None
    trace: str = ""
    """The attempt's."""
    token: TokenKey | None = None
    """The token of a custodial mint that a stranger's transaction made: it is marked as the mint's."""
    carried: bool = False
    """Whether a transaction carries the mint: then its record is stored as built until this is written."""

    @property
    def sources(self) -> tuple[MintStatus, ...]:
        """The states that a mint may be stored in for this outcome to be written."""
        if self.carried:
            return (MintStatus.BUILT, MintStatus.SUBMITTED)
        if self.status is MintStatus.ISSUED:
            return (MintStatus.ISSUED, MintStatus.SUBMITTED)
        # What is accepted has its token only if its record was restored: it ends once that is final.
        return tuple(one for one in sources(self.status) if one is not MintStatus.ACCEPTED)


class ReopenedMint(NamedTuple):
    """A mint whose block was undone: the state it is stored in again, and the block that its record names."""

    mint_id: str
    status: MintStatus
    block_hash: bytes


class ReopenedTransaction(NamedTuple):
    """A transaction whose block was undone, and that block: it is submitted again."""

    place: Place
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class Write:
    """What one transaction changes next to the checkpoint: `ROOM` items, an undo record, a contract."""

    tokens: tuple[TokenWrite, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    results: tuple[TransactionResult, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    undo_record: UndoRecord | None = None
    erased_transfers: tuple[tuple[str, str], ...] = ()
    reopened_transactions: tuple[ReopenedTransaction, ...] = ()
    reopened_mints: tuple[ReopenedMint, ...] = ()
    """Transactions and mints that go back to where they were: the block of `erased_row` was undone."""
    erased_record: UndoRecord | None = None
    aside: tuple[Aside, ...] = ()
    """Each in place of a token, a transfer, a transaction result or an outcome."""
    contracts: Mapping[str, int | None] = field(default_factory=dict)
    """The contracts whose place moves: each with the next block to read, None once it is indexed up to the
    head. The others stay as they are, whatever `Progress` says of them."""


ROOM = 97
"""DynamoDB's 100 actions a transaction, less the checkpoint, the row and a contract."""


class CheckpointConflict(Conflict):
    """Another writer moved the checkpoint since it was read."""


class RecordConflict(Conflict):
    """The checkpoint stands, but these tokens, mints or transactions are not what the write assumed."""

    def __init__(
        self, *, tokens: Iterable[TokenKey], mints: Iterable[str], transactions: Iterable[Place]
    ) -> None:
        self.tokens = frozenset(tokens)
        self.mints = frozenset(mints)
        self.transactions = frozenset(transactions)
        counts = f"{len(self.tokens)} tokens, {len(self.mints)} mints, {len(self.transactions)} transactions"
        super().__init__(f"changed meanwhile: {counts}")


class Poisoned(MintlineError):  # noqa: N818
    """The checkpoint stands, but these items cannot be written as they are, whatever is tried.

    All empty if the store does not say which of a write's items are at fault.
    """

    def __init__(
        self,
        reason: str,
        *,
        tokens: Iterable[TokenKey] = (),
        transfers: Iterable[tuple[str, str]] = (),
        mints: Iterable[str] = (),
        transactions: Iterable[Place] = (),
    ) -> None:
        super().__init__(reason)
        self.tokens = frozenset(tokens)
        self.transfers = frozenset(transfers)
        self.mints = frozenset(mints)
        self.transactions = frozenset(transactions)

    @property
    def named(self) -> bool:
        """Whether any item is named."""
        return bool(self.tokens or self.transfers or self.mints or self.transactions)


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

    async def commit(self, progress: Progress, write: Write) -> None:
        """Write both in one transaction, on the condition that the stored revision is one less.

        Revision 1 must be the first. Raises CheckpointConflict, RecordConflict or Poisoned, having
        written nothing.
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

    async def attempts(self, tx_hashes: Sequence[bytes]) -> dict[bytes, Attempted]:
        """Return those of the transactions that were signed for us."""
        ...

    async def transactions(self, places: Collection[Place]) -> dict[Place, Transaction]:
        """Return the transactions that are on record and readable."""
        ...

    async def operations(
        self, operation_ids: Sequence[str], known: Mapping[Place, Transaction] = NONE_KNOWN
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
        self, places: Sequence[Place], *, at: int
    ) -> dict[Place, TransactionState | None]:
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
