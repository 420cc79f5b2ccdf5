"""The index's own records: how far it has come, and how each block is undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mintline.fields import BoundedText, Bytes32
from mintline.frozen import Frozen
from mintline.records.index import Balance, Token
from mintline.records.transactions import TransactionKey
from mintline_indexer.chain_port import Ref


class TokenKey(NamedTuple):
    """Names a token within the chain."""

    contract: str
    token_id: int


class BalanceKey(NamedTuple):
    """Names a balance within the chain; `holder` None for an item's supply."""

    contract: str
    token_id: int
    holder: str | None

    @property
    def name(self) -> str:
        """Its name in logs and in what is set aside."""
        return f"{self.contract}/{self.token_id}/{self.holder or 'supply'}"


class PriorBalance(Frozen):
    """A balance as it was before a block changed it; `balance` is None if there was none."""

    contract: str
    token_id: int
    holder: str | None
    balance: Balance | None

    @property
    def key(self) -> BalanceKey:
        """Whose it is, and of what."""
        return BalanceKey(self.contract, self.token_id, self.holder)


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
    def key(self) -> TransactionKey:
        """Its key."""
        return TransactionKey(self.sender_id, self.nonce)


class UndoRecord(Frozen):
    """One item of BLOCKS: a block, or a part of one, and how to undo it."""

    position: str
    """Names block, part and fencing token, so that no two writers ever write the same."""
    number: int
    hash: Bytes32
    timestamp: int
    parent: tuple[int, Bytes32, int]
    """Number, hash and timestamp of the block before it: the head once this is undone."""
    first: int
    """Index of the part within its block; in records of layout 2, of its first effect."""
    complete: bool
    """Whether this is the block's last part."""
    previous: str = ""
    """Position of the undo record before this one; a record that no other leads to counts for nothing."""
    backfilled: bool = False
    """Whether it came from a range of final blocks: never undone, kept until its mints are finalized."""
    tokens: tuple[PriorToken, ...] = ()
    balances: tuple[PriorBalance, ...] = ()
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
        return self.evolve(tokens=(), balances=(), transfers=())


class Aside(Frozen):
    """One item that a block should have changed, and that cannot be used as it is: an operator repairs it.

    Written in place of the item's change, under a key of its own, so that it is known exactly once.
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
class Mixed:
    """A block of which any effects may be written, and any not: it is being written, or being undone.

    The indexer that finds it in the checkpoint takes back what there is of it, by its undo records.
    """

    number: int
    hash: bytes
    tail: str
    """The position of its last undo record."""


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
    mixed: Mixed | None = None
    tail: str = ""
    """The position of the newest undo record, from which each names the one before; empty without one."""
    collections: tuple[str, ...] = ()
    """The contracts whose events are indexed up to `head`; `peek` leaves them out."""
    backfills: Mapping[str, int] = field(default_factory=dict)
    """The contracts that are not there yet, each with the next block to read; `peek` leaves them out."""
    epoch: int = 0
    """Unix milliseconds of the index's first block: fencing tokens of an earlier index are all lower."""
    index: str = ""
    """Names the index since its first block: what an earlier one followed does not count."""
    at: int = 0
    """Unix milliseconds of the write."""

    @property
    def fence(self) -> int:
        """The fencing token that this write of the checkpoint gives."""
        return self.epoch + self.revision
