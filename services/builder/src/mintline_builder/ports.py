"""The builder's ports, and the values that cross them.

`mintline_testkit.builder` has each of them in memory. In production they are
`mintline_builder.dynamo_accounts`, `.dynamo_operations`, `.metadata_publisher`, and the shared library's
queues and node. Amounts are in wei, times in Unix milliseconds unless a name says otherwise, addresses
checksummed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mintline.authorizations import Authorization
from mintline.chain.answers import FeeMarket
from mintline.chain.calls import Call, Overrides
from mintline.errors import Conflict, Unavailable
from mintline.fields import Address, Wei
from mintline.frozen import Frozen
from mintline.messages.parts import Clone, Message
from mintline.records.locks import SignatureTurn
from mintline.records.operations import Mint, Operation
from mintline.records.problems import Problem
from mintline.records.transactions import Transaction, TransactionKey
from mintline.resource_types import Queue
from mintline_builder.batch_claims import LineClaim
from mintline_builder.claims import Advance, VoucherClaim


class Account(Frozen):
    """What the builder keeps of a wallet that was topped up."""

    top_up_treasury: Address | None = None
    """The sender of its latest top-up; None before the first, and in accounts of earlier versions."""
    top_up_nonce: int | None = None
    """That top-up's nonce; once the chain has passed it, the top-up is settled."""
    gas_day: int = 0
    """The day of its last top-up, counted in UTC days since 1970."""
    gas_given: Wei = 0
    """What top-ups have brought on that day; the api reads both."""


class NotCommitted(Conflict):
    """A reservation was refused as a whole, and wrote nothing.

    `taken` names senders of whose nonces one at least has a transaction on record; `lost` names the items of
    claims whose own condition failed; `busy` tells that another transaction held one of the items.
    """

    def __init__(
        self,
        *,
        taken: frozenset[str] = frozenset(),
        lost: frozenset[str] = frozenset(),
        busy: bool = False,
    ) -> None:
        super().__init__("the reservation was refused")
        self.taken = taken
        self.lost = lost
        self.busy = busy


class Accounts(Protocol):
    """Senders: their nonces, which are their transactions on record, and their top-ups."""

    async def get(self, address: str) -> Account | None:
        """Read one account, consistently."""

    async def signature_turn(self, contract: str, wallet: str) -> SignatureTurn | None:
        """Return whose turn it is among what a wallet signs for a contract, consistently; None before any."""

    async def last_nonce(self, sender: str) -> int | None:
        """Return the highest nonce of a sender that has a transaction on record, consistently."""

    async def next_nonce(self, sender: str, mined: int) -> int:
        """Return the nonce after those on record, given how many of the sender's transactions are mined.

        `mined` if there is no record. Lower than `mined` if the key was used elsewhere: the record of the
        last mined nonce is missing, and there are earlier ones.
        """

    async def commit(self, advances: Sequence[Advance]) -> None:
        """Write all or nothing; raises NotCommitted, or Retryable if whether it was written is unknown."""

    async def transaction(self, place: TransactionKey) -> Transaction | None:
        """Read one transaction, consistently."""

    async def claim(self, batch: Transaction, claims: Sequence[LineClaim]) -> frozenset[str]:
        """Have a batch carry mints, as many as `in_transactions` puts together; return what it carries.

        That is the ids of those mints that it does carry.
        The others were cancelled, rejected or claimed by another batch meanwhile. Raises Conflict, with
        nothing written by this call, if the batch is not `claiming` any more, or not `reserved`.
        """

    async def seal(self, batch: Transaction) -> None:
        """Write what a batch carries for good (`sealed`); raises Conflict as `claim` does."""


@dataclass(frozen=True, slots=True)
class LinesOnRecord:
    """A chunk of a request for many mints."""

    mints: tuple[Mint, ...]
    """As they stand, in order."""
    authorization: Authorization
    """The request's: empty if that is not on record, or not any more."""


class Operations(Protocol):
    """Records of what was asked for."""

    async def get(self, operation_id: str) -> Operation | None:
        """Read one operation as it stands, consistently."""

    async def lines(self, request_id: str, chunk: int) -> LinesOnRecord:
        """Return the mints of a chunk; those that are missing are created first, from the chunk's record.

        Raises Unreadable if that is damaged, and Retryable.
        """

    async def authorization(self, operation: Operation) -> Authorization:
        """Return what an operation's user authorized: empty if that is not on record, or not any more."""

    async def with_authorization(
        self, operation_id: str, digest: bytes | None
    ) -> tuple[Operation, Authorization] | None:
        """Return an operation as it stands with its authorization, as `get` and `authorization` do.

        They are read at once if `digest` is what the authorization is stored under.
        """

    async def reject(
        self, operation_id: str, problem: Problem, *, at: int, spent: TransactionKey | None = None
    ) -> None:
        """End an accepted operation, or one whose nonce is `spent`; raises Conflict if it moved on.

        The transaction that carried it is left to a no-op by the same write, unless it is a batch.
        """

    async def wait(self, operation_id: str, problem: Problem) -> None:
        """Note what an accepted operation waits for; raises Conflict if it is no longer accepted."""

    async def build_voucher(self, mint: Mint, claim: VoucherClaim) -> None:
        """Take an accepted self-custody mint to `built`; raises Conflict if it is no longer accepted."""


class Collections(Protocol):
    """The registered collections."""

    async def clone(self, contract: str) -> Clone | None:
        """Return what a factory made a collection of; None if none made it, or it is not registered."""


class MetadataTaken(Unavailable):
    """Other bytes are stored as a token's metadata, by an intruder or an operator."""


class MetadataPublisher(Protocol):
    """The published metadata of tokens; each object is written once."""

    async def put(self, contract: str, token_id: int, text: str, digest: bytes) -> None:
        """Store the text's exact bytes unless they are there; `digest` is their SHA-256.

        Raises MetadataTaken if other bytes are there.
        """


class Outbox(Protocol):
    """Queues to send to."""

    async def send(self, queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        """Send one message, durably."""


class ChainReader(Protocol):
    """The chain, read only, at its latest block; `mintline.chain.node.Node` is one."""

    async def balance(self, address: str) -> int:
        """Return a balance in wei."""

    async def transaction_count(self, address: str) -> int:
        """Return an account's next nonce: how many of its transactions are mined."""

    async def code(self, address: str) -> bytes:
        """Return an account's code, empty unless it is a contract or delegates to one (EIP-7702)."""

    async def time(self) -> int:
        """Return the latest block's timestamp, in Unix seconds."""

    async def block_gas_limit(self) -> int:
        """Return the gas limit of the latest block."""

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""

    async def call(self, call: Call, *, overrides: Overrides | None = None) -> bytes:
        """Return what a call returns; raises CallReverted, or Rejected when it needs more gas than it has."""

    async def estimate_gas(
        self, call: Call, overrides: Overrides | None = None, *, most: int | None = None
    ) -> int:
        """Return the gas that a call needs; raises as `call` does.

        With several nodes, a refusal and more than `most` take a majority: without one raises Unavailable.
        """
