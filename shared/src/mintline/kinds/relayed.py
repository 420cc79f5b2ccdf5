"""What transfers and burns by the holder's signature have in common: the wallet signs, a relayer sends."""

from __future__ import annotations

from typing import Any, TypeVar

from mintline.holder_calls import HolderCall
from mintline.kinds.base import TransactionKind, first_attempt
from mintline.messages.intents import SignRelayed, SignRelayedBurn, SignRelayedTransfer
from mintline.records.operations import RelayedTokenOperation
from mintline.records.transactions import Transaction

RelayedT = TypeVar("RelayedT", SignRelayedTransfer, SignRelayedBurn)


class RelayedKind(TransactionKind[RelayedT]):
    """A call that carries the holder's signature: it succeeds once, under whichever of a relayer's nonces."""

    authorized = True

    def meaning(self, request: RelayedT) -> list[Any]:
        """Return nonce, request and all that the holder signs."""
        return [
            request.nonce,
            request.request_id,
            request.contract,
            request.holder.address,
            str(request.token_id),
            str(request.counter),
            request.deadline,
            *([] if request.quantity is None else [str(request.quantity)]),
        ]

    def dedup_id(self, request: RelayedT) -> str:
        """Return an id for each attempt of a request."""
        return f"{request.type}:{request.request_id}:{request.nonce}:{request.attempt}"

    def operation_ids(self, request: RelayedT) -> tuple[str, ...]:
        """Return the request's id."""
        return (request.request_id,)


def holder_call(intent: SignRelayed, *, to: str | None) -> HolderCall:
    """Return what the holder of an intent signs: a transfer, or a burn without `to`."""
    return HolderCall(
        holder=intent.holder.address,
        to=to,
        token_id=intent.token_id,
        quantity=intent.quantity,
        counter=intent.counter,
        deadline=intent.deadline,
    )


def relayed_fields(
    transaction: Transaction, operation: RelayedTokenOperation, authorization: bytes
) -> dict[str, Any]:
    """Return the fields that both intents have, by the records of transaction and operation."""
    assert operation.counter is not None
    assert operation.deadline is not None
    assert transaction.clone is not None
    return {
        **first_attempt(transaction),
        "request_id": operation.operation_id,
        "holder": operation.wallet,
        "contract": operation.contract,
        "token_id": operation.token_id,
        "counter": operation.counter,
        "deadline": operation.deadline,
        "clone": transaction.clone,
        "quantity": operation.quantity,
        "authorization": authorization,
    }
