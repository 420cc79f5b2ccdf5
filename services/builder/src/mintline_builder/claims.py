"""What is wanted of the builder's tables: nonces for operations, batches and top-ups, as values.

Amounts are in wei, times in Unix milliseconds unless a name says otherwise, addresses checksummed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from mintline.kinds import first_intent, meaning_of
from mintline.messages.parts import Clone, Fees, KeyRef
from mintline.records.keys import signature_turn_key
from mintline.records.locks import SignatureTurn
from mintline.records.operations import Operation, RelayedTokenOperation
from mintline.records.transactions import (
    TopUpPayload,
    Transaction,
    TransactionKey,
    as_far_as,
    carried_by,
    transaction_key_of,
)
from mintline.states import MintStatus
from mintline_builder.batch_claims import BatchClaim

RENEWABLE = (MintStatus.BUILT, MintStatus.SUBMITTED)
"""Where an operation has a nonce that another transaction can use."""


def may_be_renewed(carrier: Transaction) -> bool:
    """Tell whether what a transaction carries may get another nonce once this one is used by another.

    It did nothing on chain so far; a batch that failed did nothing either, whatever it carries.
    """
    return carrier.outcome not in ("succeeded", "failed") or carrier.to_be_split


OperationT = TypeVar("OperationT", bound=Operation)


@dataclass(frozen=True, slots=True)
class OperationClaim(Generic[OperationT]):
    """A nonce is wanted for an operation of its sender's own, which becomes `built` in the same transaction.

    `operation` is the operation as it stands: accepted, or with a nonce that another transaction used.
    """

    operation: OperationT
    deadline: int | None
    """Unix seconds; None for what has none, which is all but a mint."""
    gas: int
    fees: Fees
    at: int
    relayer: KeyRef | None = None
    """Who sends it, of an operation that has no sender of its own, or had another."""
    clone: Clone | None = None
    """What the contract was made of, if a factory made it."""

    @property
    def sender(self) -> KeyRef:
        """Who sends it."""
        sender = self.relayer or self.operation.sender
        assert sender is not None
        return sender

    @property
    def item(self) -> str:
        """Name the item that the claim writes: no transaction may write one item twice."""
        return operation_item(self.operation)

    @property
    def spent(self) -> TransactionKey | None:
        """The transaction whose nonce was used by another; None for an accepted operation."""
        return carried_by(self.operation)

    @property
    def writes(self) -> int:
        """How many items of the transaction it takes; the one whose nonce is spent is checked."""
        return 2 if self.spent is None else 3

    def update(self, nonce: int) -> dict[str, Any]:
        """Return the fields of the operation's record that change, under the nonce that it got."""
        fields: dict[str, Any] = {
            "status": MintStatus.BUILT,
            "nonce": nonce,
            "attempts": self.operation.attempts,
            "built_at": self.at,
            "updated_at": self.at,
            "waiting": None,
        }
        if self.relayer is not None:
            fields["sender"] = self.relayer
        return fields if self.deadline is None else fields | {"deadline": self.deadline, "metadata": None}

    def transaction(self, nonce: int) -> Transaction:
        """Return the transaction that carries the operation under the nonce that it got."""
        reserved = Transaction(
            sender_id=transaction_key_of(self.sender, nonce).sender_id,
            nonce=nonce,
            signer=self.sender,
            kind=self.operation.kind,
            operations=(self.operation.operation_id,),
            clone=self.clone,
            gas=self.gas,
            fees=self.fees,
            meaning=bytes(32),
            first_attempt=len(self.operation.attempts),
            deadline=self.deadline,
            trace=self.operation.trace,
            reserved_at=self.at,
            updated_at=self.at,
        )
        return reserved.evolve(meaning=meaning_of(first_intent(reserved, [self.built(reserved)])))

    def built(self, transaction: Transaction) -> OperationT:
        """Return the operation as it stands once the claim is committed, carried by that transaction."""
        return as_far_as(self.operation.evolve(**self.update(transaction.nonce)), transaction)


@dataclass(frozen=True, slots=True)
class RelayedClaim(OperationClaim[RelayedTokenOperation]):
    """A relayer's nonce is wanted for what a wallet is to sign, and by the same write the wallet's turn."""

    counter: int = 0
    """What the signature names."""
    replaces: str | None = None
    """The operation that the turn was last seen to be, and that has ended; None if there never was one."""

    @property
    def turn_key(self) -> str:
        """Return the key of the wallet's turn."""
        operation = self.operation
        return signature_turn_key(operation.chain_id, operation.contract, operation.wallet.address)

    @property
    def item(self) -> str:
        """Name the turn: two of one wallet's must not be in one transaction."""
        return f"turn {self.turn_key}"

    @property
    def writes(self) -> int:
        """How many items of the transaction it takes."""
        return 3

    def turn(self) -> SignatureTurn:
        """Return the turn once the claim is committed."""
        return SignatureTurn(operation_id=self.operation.operation_id, counter=self.counter)

    def update(self, nonce: int) -> dict[str, Any]:
        """Return the fields of the operation's record that change."""
        return {
            "status": MintStatus.BUILT,
            "nonce": nonce,
            "sender": self.sender,
            "counter": self.counter,
            "deadline": self.deadline,
            "built_at": self.at,
            "updated_at": self.at,
            "waiting": None,
        }


@dataclass(frozen=True, slots=True)
class VoucherClaim:
    """An accepted self-custody mint becomes `built`: without a nonce, so without a reservation."""

    mint_id: str
    deadline: int
    """Unix seconds."""
    gas: int
    at: int

    def update(self) -> dict[str, Any]:
        """Return the fields of the mint's record that change."""
        return {
            "status": MintStatus.BUILT,
            "deadline": self.deadline,
            "gas": self.gas,
            "built_at": self.at,
            "updated_at": self.at,
            "metadata": None,
            "waiting": None,
        }


@dataclass(frozen=True, slots=True)
class TopUpClaim:
    """A treasury nonce is wanted for a top-up, which the wallet's account names in the same transaction.

    `replaces` is the nonce of the settled top-up that the account names, or None if there never was one.
    """

    treasury: KeyRef
    wallet: str
    replaces: int | None
    value: int
    gas: int
    fees: Fees
    at: int
    wallet_count: int = 0
    """How many of the wallet's own transactions were mined by then."""
    gas_day: int = 0
    gas_given: int = 0
    """What the wallet has got on `gas_day` with this top-up."""
    trace: str = ""

    writes: ClassVar[int] = 2
    """How many items of the transaction it takes, the transaction's own record among them."""

    @property
    def item(self) -> str:
        """Name the item that the claim writes: no transaction may write one item twice."""
        return account_item(self.wallet)

    def update(self, nonce: int) -> dict[str, Any]:
        """Return the fields of the wallet's account that change, under the nonce that it got."""
        return {
            "top_up_treasury": self.treasury.address,
            "top_up_nonce": nonce,
            "gas_day": self.gas_day,
            "gas_given": self.gas_given,
        }

    def transaction(self, nonce: int) -> Transaction:
        """Return the treasury's transaction under the nonce that it got."""
        reserved = Transaction(
            sender_id=transaction_key_of(self.treasury, nonce).sender_id,
            nonce=nonce,
            signer=self.treasury,
            kind="top_up",
            top_up=TopUpPayload(recipient=self.wallet, value=self.value, recipient_count=self.wallet_count),
            gas=self.gas,
            fees=self.fees,
            meaning=bytes(32),
            trace=self.trace,
            reserved_at=self.at,
            updated_at=self.at,
        )
        return reserved.evolve(meaning=meaning_of(first_intent(reserved)))


Claim: TypeAlias = OperationClaim[Any] | BatchClaim | TopUpClaim


def operation_item(operation: Operation) -> str:
    """Name the item that holds an operation."""
    return f"operation {operation.operation_id}"


def account_item(address: str) -> str:
    """Name the item that says which top-up of a wallet was its latest."""
    return f"account {address}"


@dataclass(frozen=True, slots=True)
class Advance:
    """One sender's part of a reservation: claim `i` gets the nonce `first + i`, if no record has it."""

    sender: str
    first: int
    claims: tuple[Claim, ...]

    @property
    def next_nonce(self) -> int:
        """The next nonce once this is committed."""
        return self.first + len(self.claims)

    def transactions(self) -> tuple[Transaction, ...]:
        """Return the transaction of each claim."""
        return tuple(claim.transaction(nonce) for nonce, claim in enumerate(self.claims, self.first))
