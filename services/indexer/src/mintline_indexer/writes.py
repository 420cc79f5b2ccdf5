"""What the index writes: the changes of one block's items, and how they are taken back."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from mintline.records.index import Balance, Token, Transfer
from mintline.records.keys import position, token_ref
from mintline.records.operations import Operation
from mintline.records.problems import Problem
from mintline.records.transactions import TransactionKey
from mintline.states import MintStatus, TransactionState, sources, transaction_sources
from mintline_indexer.index_records import BalanceKey, PriorBalance, PriorToken, TokenKey

TransferKey: TypeAlias = tuple[str, str]
"""A transfer's key in TRANSFERS: token reference and position."""
Name: TypeAlias = "TokenKey | BalanceKey | TransferKey | TransactionKey | str"
"""What a change is about: a token, a balance, a transfer, a transaction, or an operation by its id."""


@dataclass(frozen=True, slots=True)
class TokenWrite:
    """A token's new state; `assumed_new` makes the write fail if there is one already."""

    key: TokenKey
    after: Token
    assumed_new: bool = False


@dataclass(frozen=True, slots=True)
class BalanceWrite:
    """A balance's new state; `is_new` says that none was found, which is the usual case, and no condition."""

    key: BalanceKey
    after: Balance
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Attempted:
    """A signed transaction, as the broadcaster wrote it down, `at` in Unix milliseconds."""

    key: TransactionKey | None = None
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

    key: TransactionKey
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

    def is_on(self, operation: Operation) -> bool:
        """Tell whether this is on an operation's record already."""
        if self.status is MintStatus.ISSUED:
            return False
        here = (self.status, self.tx_hash, self.block_hash)
        return (operation.status, operation.tx_hash, operation.block_hash) == here

    @property
    def sources(self) -> tuple[MintStatus, ...]:
        """The states that a mint may be stored in for this outcome to be written."""
        if self.carried:
            return (MintStatus.BUILT, MintStatus.SUBMITTED)
        if self.status is MintStatus.ISSUED:
            return (MintStatus.ISSUED, MintStatus.SUBMITTED)
        # What is accepted has its token only if its record was restored: it ends once that is final.
        return tuple(status for status in sources(self.status) if status is not MintStatus.ACCEPTED)


class ReopenedMint(NamedTuple):
    """A mint whose block was undone: the state it is stored in again, and the block that its record names."""

    mint_id: str
    status: MintStatus
    block_hash: bytes


class ReopenedTransaction(NamedTuple):
    """A transaction whose block was undone, and that block: it is submitted again."""

    key: TransactionKey
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class Write:
    """Some of a block's changes, each of an item of its own."""

    tokens: tuple[TokenWrite, ...] = ()
    balances: tuple[BalanceWrite, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    results: tuple[TransactionResult, ...] = ()
    outcomes: tuple[Outcome, ...] = ()

    def __len__(self) -> int:
        index = len(self.tokens) + len(self.balances) + len(self.transfers)
        return index + len(self.results) + len(self.outcomes)

    def names(self) -> Iterator[Name]:
        """Yield what the changes are about."""
        yield from (change.key for change in self.tokens)
        yield from (change.key for change in self.balances)
        yield from map(transfer_key, self.transfers)
        yield from (result.key for result in self.results)
        yield from (outcome.mint_id for outcome in self.outcomes)

    def stages(self) -> Iterator[Write]:
        """Yield the same in the order in which it is to be written, stage after stage.

        Tokens come before what says that they are there. A mint that another transaction made is ended by its
        own record before its transaction's failure shows: no mint is seen on a way that it does not take.
        """
        stages = (
            Write(tokens=self.tokens, balances=self.balances, transfers=self.transfers),
            Write(outcomes=self.outcomes),
            Write(results=self.results),
        )
        yield from filter(len, stages)

    def split(self, size: int) -> Iterator[Write]:
        """Yield the same in pieces of at most so many changes."""
        for name in ("tokens", "balances", "transfers", "outcomes", "results"):
            items = getattr(self, name)
            for start in range(0, len(items), size):
                yield Write(**{name: items[start : start + size]})

    def only(self, names: Container[Name]) -> Write:
        """Return the changes that are about these."""
        return Write(
            tokens=tuple(change for change in self.tokens if change.key in names),
            balances=tuple(change for change in self.balances if change.key in names),
            transfers=tuple(transfer for transfer in self.transfers if transfer_key(transfer) in names),
            results=tuple(result for result in self.results if result.key in names),
            outcomes=tuple(outcome for outcome in self.outcomes if outcome.mint_id in names),
        )


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Some of what undoes a block: it ends with every item as it was, whether it was changed or not."""

    number: int
    """The block's. A token of an earlier block is not one that this one made."""
    tokens: tuple[PriorToken, ...] = ()
    balances: tuple[PriorBalance, ...] = ()
    transfers: tuple[TransferKey, ...] = ()
    transactions: tuple[ReopenedTransaction, ...] = ()
    mints: tuple[ReopenedMint, ...] = ()
    aside: tuple[str, ...] = ()
    """Positions of what was set aside."""

    def stages(self) -> Iterator[TakeBack]:
        """Yield the same in the order in which it is to be written: that of `Write`, backwards."""
        yield TakeBack(self.number, transactions=self.transactions)
        yield TakeBack(self.number, mints=self.mints)
        yield TakeBack(
            self.number,
            tokens=self.tokens,
            balances=self.balances,
            transfers=self.transfers,
            aside=self.aside,
        )

    def split(self, size: int) -> Iterator[TakeBack]:
        """Yield the same in pieces of at most so many items."""
        for names in ("tokens", "balances", "transfers", "transactions", "mints", "aside"):
            items = getattr(self, names)
            for start in range(0, len(items), size):
                yield TakeBack(self.number, **{names: items[start : start + size]})


@dataclass(slots=True)
class Refused:
    """The changes of a write that were not carried out, and will not be as they are."""

    assumed: set[Name] = field(default_factory=set)
    """The item is not what was assumed of it."""
    unusable: dict[Name, str] = field(default_factory=dict)
    """The item cannot be written as it is, whatever is tried; with the reason."""

    def __bool__(self) -> bool:
        return bool(self.assumed or self.unusable)

    def names(self) -> set[Name]:
        """Return what they are about."""
        return {*self.assumed, *self.unusable}

    def add(self, other: Refused) -> None:
        """Add those of another write."""
        self.assumed |= other.assumed
        self.unusable |= other.unusable


def transfer_key(transfer: Transfer) -> TransferKey:
    """Return a transfer's key in TRANSFERS."""
    ref = token_ref(transfer.chain_id, transfer.contract, transfer.token_id)
    return ref, position(transfer.block_number, transfer.log_index)
