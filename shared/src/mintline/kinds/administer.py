"""A collection that a factory made is changed, by a relayer, for the principal whose collection it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mintline.clone_calls import change_calldata
from mintline.kinds.base import CallFields, TransactionKind, first_attempt, only
from mintline.messages.intents import SignAdminister
from mintline.records.operations import CollectionCall, Operation
from mintline.records.transactions import Transaction
from mintline.request_digests import administer_digest


class AdministerKind(TransactionKind[SignAdminister]):
    """`sign_administer`."""

    authorized = True

    def meaning(self, request: SignAdminister) -> list[Any]:
        """Return nonce, request, collection and call."""
        return [request.nonce, request.request_id, request.contract, change_calldata(request.change).hex()]

    def dedup_id(self, request: SignAdminister) -> str:
        """Return an id for each attempt of a request."""
        return f"sign_administer:{request.request_id}:{request.nonce}:{request.attempt}"

    def operation_ids(self, request: SignAdminister) -> tuple[str, ...]:
        """Return the request's id."""
        return (request.request_id,)

    def authorized_digest(self, operation: Operation) -> bytes:
        """Return the digest of the change."""
        assert isinstance(operation, CollectionCall)
        return administer_digest(
            request_id=operation.operation_id,
            sub=operation.asked_by,
            chain_id=operation.chain_id,
            contract=operation.contract,
            call=change_calldata(operation.change),
        )

    def call(self, intent: SignAdminister, issued: bytes) -> CallFields:  # noqa: ARG002 - it redeems no voucher
        """Return the collection's own function for the change."""
        return CallFields(intent.contract, data=change_calldata(intent.change))

    def intent(
        self, transaction: Transaction, operations: Sequence[Operation], authorization: bytes
    ) -> SignAdminister:
        """Return the intent; no enclave signs it without the principal's authorization."""
        call = only(CollectionCall, transaction, operations)
        return SignAdminister(
            **first_attempt(transaction),
            request_id=call.operation_id,
            contract=call.contract,
            change=call.change,
            clone=call.clone,
            authorization=authorization,
        )


KIND = AdministerKind()
