"""What the pipeline asks of each kind of request to sign: one module answers for one kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from mintline.messages.intents import Intent
from mintline.messages.parts import Message
from mintline.records.operations import Mint, Operation, TokenOperation
from mintline.records.transactions import Transaction, carried_by
from mintline.request_digests import RequestedMint, RequestedToken

RequestT = TypeVar("RequestT", bound=Message)
IntentT = TypeVar("IntentT", bound=Intent)


class NotCarried(ValueError):  # noqa: N818 - named for what it means
    """An operation is not carried by the transaction that names it, or not any more."""


class CallFields(NamedTuple):
    """What a transaction does; `value` in wei."""

    to: str
    value: int = 0
    data: bytes = b""


class Kind(ABC, Generic[RequestT]):
    """A kind of request to the enclave."""

    @abstractmethod
    def meaning(self, request: RequestT) -> list[Any]:
        """Return what a signature is for, in JSON values, without chain and signer: no fees, no attempt."""

    @abstractmethod
    def dedup_id(self, request: RequestT) -> str:
        """Return the deduplication id for the queue, at most 128 characters."""

    @abstractmethod
    def operation_ids(self, request: RequestT) -> tuple[str, ...]:
        """Return the ids of the operations that it is for."""

    def authorized_digest(self, operation: Operation) -> bytes:
        """Return what a user authorizes by asking for an operation of this kind, 32 bytes.

        Raises TypeError if nobody asks for any: it is the platform's own.
        """
        raise TypeError(f"a {operation.kind} is not asked for by this kind of request")


class TransactionKind(Kind[IntentT]):
    """A kind of intent: what is signed is a transaction."""

    authorized = False
    """Whether the intent has the authorization of its one operation with it."""

    @abstractmethod
    def call(self, intent: IntentT, issued: bytes) -> CallFields:
        """Return what the transaction does.

        `issued` is the signature that it carries, r‖s‖v in 65 bytes: of a mint's voucher, or of the holder of
        a token. A kind that carries none passes it over.
        """

    @abstractmethod
    def intent(
        self, transaction: Transaction, operations: Sequence[Operation], authorization: bytes
    ) -> IntentT:
        """Return the intent of the first attempt at a transaction: always the same one.

        `operations` are the records of those that it names, in its order. Raises NotCarried for one that it
        does not carry.
        """


def asked_token(operation: Operation) -> RequestedToken:
    """Return the fields of a request's digest that name the requester, the action and the token."""
    assert isinstance(operation, TokenOperation)
    return {
        "request_id": operation.operation_id,
        "sub": operation.asked_by,
        "chain_id": operation.chain_id,
        "contract": operation.contract,
        "token_id": operation.token_id,
        "sender": operation.holder.address,
    }


def asked_mint(operation: Operation) -> RequestedMint:
    """Return the fields of a request's digest that every mint has, no matter who sends it."""
    assert isinstance(operation, Mint)
    assert operation.token_id is not None
    return {
        "mint_id": operation.mint_id,
        "sub": operation.asked_by,
        "chain_id": operation.chain_id,
        "contract": operation.contract,
        "to": operation.to,
        "metadata_digest": operation.metadata_digest,
        "token_id": operation.token_id,
    }


def first_attempt(transaction: Transaction) -> dict[str, Any]:
    """Return the fields that the first attempt at a transaction has, whatever its kind."""
    return {
        "trace": transaction.trace,
        "signer": transaction.signer,
        "chain_id": transaction.signer.chain_id,
        "nonce": transaction.nonce,
        "gas": transaction.gas,
        "fees": transaction.fees,
        "attempt": transaction.first_attempt,
    }


OperationT = TypeVar("OperationT", bound=Operation)


def only(kind: type[OperationT], transaction: Transaction, operations: Sequence[Operation]) -> OperationT:
    """Return the one operation of a transaction; raises NotCarried if that is not what it carries."""
    [operation] = carried(kind, transaction, operations)
    return operation


def carried(
    kind: type[OperationT], transaction: Transaction, operations: Sequence[Operation]
) -> tuple[OperationT, ...]:
    """Return the operations of a transaction, all of one kind; raises NotCarried if one is missing."""
    matching = tuple(
        operation
        for operation in operations
        if isinstance(operation, kind) and carried_by(operation) == transaction.key
    )
    if tuple(operation.operation_id for operation in matching) != transaction.operations:
        raise NotCarried(f"transaction {transaction.key.name} does not carry all operations that it names")
    return matching
