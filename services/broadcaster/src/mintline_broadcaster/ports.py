"""The broadcaster's ports, and the values that cross them.

`mintline_testkit.broadcaster` has the store and the chain in memory, `mintline_broadcaster.dynamo` has the
store over DynamoDB, and `mintline.chain.node` is the chain. Times are Unix milliseconds, amounts in wei.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pydantic import Field

from mintline.chain.answers import FeeMarket, Log, Receipt
from mintline.chain.calls import Call
from mintline.chain.send_facts import SendAnswer
from mintline.errors import Conflict, Deferred
from mintline.fields import Address, Bytes32, HexBytes
from mintline.frozen import Frozen
from mintline.messages.intents import AnyIntent
from mintline.messages.signed import VoucherIssued
from mintline.records.index import Transfer
from mintline.records.operations import Attempt, Mint, Operation
from mintline.records.problems import Problem
from mintline.records.transactions import Outcome, Transaction, TransactionKey


class SignedTransaction(Frozen):
    """A signed transaction as it is written down before it is sent: an item of `attempts`."""

    tx_hash: Bytes32
    kind: str = Field(max_length=64)
    """The intent's type, or `self_redeem`."""
    mint_id: str | None = None
    """The mint whose voucher it redeems from its user's own wallet; others are found by sender and nonce."""
    sender: Address
    nonce: int
    chain_id: int
    raw: HexBytes
    attempt: int
    at: int
    trace: str | None = None
    """The W3C `traceparent` of its message, by which the indexer joins its mint's trace."""


@dataclass(frozen=True, slots=True)
class OpenMint:
    """A mint that is not at its end, as the index names it; `created_at` is in Unix milliseconds."""

    mint_id: str
    created_at: int


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction whose nonce is not used for good, as the index names it."""

    key: TransactionKey
    reserved_at: int
    """Unix milliseconds."""


@dataclass(frozen=True, slots=True)
class Final:
    """The newest block that is final and indexed; `timestamp` is in Unix seconds. All empty if there is none.

    The indexer had it confirmed by a majority of the nodes.
    """

    number: int = 0
    timestamp: int = 0
    hash: bytes = b""


class Minting(Protocol):
    """What made a mint's token, or tokens: a transfer in the index, or an event on the chain."""

    @property
    def tx_hash(self) -> bytes:
        """The transaction's, 32 bytes."""

    @property
    def block_number(self) -> int:
        """The block's."""

    @property
    def block_hash(self) -> bytes:
        """The block's, 32 bytes."""

    @property
    def recipient(self) -> str | None:
        """Who received them."""


class Seal(NamedTuple):
    """What a batch carries that loses operations before it is signed."""

    operations: tuple[str, ...]
    meaning: bytes
    """Of the intent with these lines, by `mintline.kinds`."""


class TreasuryLow(Deferred):
    """The treasury cannot pay for what it sends: only its owner can help."""


class MintMoved(Conflict):
    """An operation was not where the write expected it.

    `operation` is the record as it is, None if there is none; `mint` is the same if it is a mint's.
    """

    def __init__(self, operation: Operation | None) -> None:
        kind = "mint" if operation is None else operation.kind
        super().__init__(f"there is no such {kind}" if operation is None else f"the {kind} has moved on")
        self.operation = operation
        self.mint = operation if isinstance(operation, Mint) else None


class TransactionMoved(Conflict):
    """A transaction was not where the write expected it; `transaction` is the record as it is, if any."""

    def __init__(self, transaction: Transaction | None) -> None:
        super().__init__("the transaction has moved on" if transaction else "there is no such transaction")
        self.transaction = transaction


class TransactionStore(Protocol):
    """The records of what was signed and sent. Operations are read as they stand (`as_far_as`)."""

    async def record(self, signed: SignedTransaction) -> None:
        """Write signed bytes down; what is on record already stays as it is."""

    async def read_signed(self, tx_hashes: Iterable[bytes]) -> dict[bytes, SignedTransaction]:
        """Read the signed transactions that are on record."""

    async def transaction(self, place: TransactionKey) -> Transaction | None:
        """Read a transaction, consistently."""

    async def transactions_from(self, first: TransactionKey) -> list[Transaction]:
        """Return a sender's open transactions from that nonce on, in the order of nonces, consistently."""

    async def open_transactions(
        self, shard: str, *, after: OpenTransaction | None, limit: int
    ) -> list[OpenTransaction]:
        """Return up to `limit` open transactions of a shard, oldest first; the index lags by moments."""

    async def enter(self, intent: AnyIntent, attempt: Attempt) -> None:
        """Take the intent's own transaction from reserved to submitted; raises TransactionMoved.

        Its own means: the record has its meaning and its gas, and is neither being claimed nor filled.
        """

    async def add_attempt(self, transaction: Transaction, attempt: Attempt) -> None:
        """Append to the attempts of a reserved or submitted transaction, if they are still these.

        A no-op says by that that the nonce is being filled; nothing else may follow it, and a batch claims
        nothing more. Raises TransactionMoved.
        """

    async def open_gap(self, transaction: Transaction) -> Transaction | None:
        """Create the record of a nonce that nobody reserved, and return it; None if there is one.

        One that was closed as filled is open again, and returned as it is: an index that a lone node misled
        may have closed it.
        """

    async def mark(self, transaction: Transaction, *, at: int) -> None:
        """Note that a transaction is sent on, if nobody did since it was read; raises TransactionMoved."""

    async def fill(self, transaction: Transaction, *, at: int) -> None:
        """Note that an open transaction's nonce is for a no-op from now on; raises TransactionMoved."""

    async def reseal(self, batch: Transaction, seal: Seal, *, at: int) -> None:
        """Leave operations out of a sealed batch that is still to be signed, as it was read.

        No attempt at what it meant before can enter from then on. Raises TransactionMoved.
        """

    async def close(self, transaction: Transaction, outcome: Outcome, *, at: int) -> None:
        """Note that the nonce is used for good, if the record is as it was read; raises TransactionMoved."""

    async def get(self, operation_id: str) -> Operation | None:
        """Read an operation, consistently."""

    async def envelope(self, operation: Operation) -> bytes:
        """Return an operation's authorization envelope; empty if that is not on record, or not any more."""

    async def reject(
        self,
        operation: Operation,
        problem: Problem,
        *,
        at: int,
        carried: Transaction | None = None,
        seal: Seal | None = None,
    ) -> None:
        """End an operation that is still where it was read; raises MintMoved.

        By the same write the nonce of the transaction that `carried` it is for a no-op from then on, or,
        given a `seal`, that transaction goes on with its other operations (`reseal`).
        """

    async def open_mints(self, shard: str, *, after: OpenMint | None, limit: int) -> list[OpenMint]:
        """Return up to `limit` open operations of a shard, oldest first; the index lags by moments."""

    async def operations(self, ids: Iterable[str]) -> dict[str, Operation]:
        """Read the operations that exist."""

    async def mark_swept(self, operation: Operation, *, at: int) -> None:
        """Note that an operation is sent on, if nobody did since it was read; raises MintMoved."""

    async def final(self) -> Final:
        """Return the newest block that is final and indexed."""

    async def minting(self, mint: Mint) -> Transfer | None:
        """Return the transfer that made a mint's token, by any sender; None if the index has none."""

    async def minted_digest(self, mint: Mint) -> bytes | None:
        """Return the metadata digest that a mint's token was made with; None if the index has none."""

    async def mined_by(self, tx_hash: bytes, block_number: int) -> list[Mint]:
        """Return the mints on whose own records a transaction in that block mined them.

        Those that it carried have its record instead. The index lags by moments.
        """

    async def mine(self, mint: Mint, minting: Minting, *, at: int) -> None:
        """Move a mint that is still in `mint`'s state to mined, by what made its token.

        Raises MintMoved.
        """

    async def finalize(self, mint_id: str, minting: Minting, *, at: int) -> None:
        """Move a mint that this transaction mined to finalized; raises MintMoved."""


class VoucherStore(Protocol):
    """The records of mints whose voucher waits for the user's own wallet: `issued`, or `submitted` by it."""

    async def issue(self, issued: VoucherIssued, *, at: int) -> None:
        """Move the built self-custody mint with that voucher to issued; raises MintMoved."""

    async def attempt(self, mint: Mint, attempt: Attempt) -> None:
        """Append to the attempts of a waiting mint, if they are still `mint`'s; raises MintMoved."""

    async def taken(self, mint_id: str, *, at: int) -> None:
        """Move a waiting mint, whose transaction a node has taken, to submitted; raises MintMoved."""

    async def refused(self, mint_id: str, problem: Problem, *, at: int) -> None:
        """Note why a node refused a transaction: the mint waits on; raises MintMoved."""


class ChainClient(Protocol):
    """The chain, to send to and to read."""

    async def send_raw(self, raw: bytes) -> SendAnswer:
        """Send a signed transaction, and return what is now known of it."""

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return a mined transaction's receipt, or None."""

    async def transaction_count(self, address: str) -> int:
        """Return an account's next nonce on the latest block."""

    async def transaction_count_at(self, address: str, block_hash: bytes) -> int | None:
        """Return an account's next nonce on that very block, None if no node has its state."""

    async def is_minted(self, contract: str, token_id: int, block_hash: bytes) -> bool | None:
        """Tell whether a token was ever minted up to that very block, None if too few nodes can tell."""

    async def minted_digest(self, contract: str, token_id: int, block_hash: bytes) -> bytes | None:
        """Return the digest that a token was minted with in that very block, None if too few nodes can."""

    async def serial_used(self, contract: str, serial: int, *, last: int) -> Log | None:
        """Return the event by which a used serial was, up to a block, by one node's word.

        None if it was not found so far.
        """

    async def item_minted(self, contract: str, serial: int, block_hash: bytes) -> Log | None:
        """Return the event by which a serial was used in that very block, None if too few nodes can tell."""

    async def balance(self, address: str) -> int:
        """Return what an account holds on the latest block, in wei."""

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""

    async def estimate_gas(self, call: Call) -> int:
        """Return the gas that a call needs; raises Rejected if the chain refuses it."""

    async def timestamp(self, blocks_ago: int) -> int:
        """Return the Unix seconds of the block so many before the latest; 0 if the chain is shorter."""

    async def time(self) -> int:
        """Return the latest block's timestamp, in Unix seconds: what a voucher's deadline is held against."""
