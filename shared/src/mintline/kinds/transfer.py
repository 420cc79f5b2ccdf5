"""A token is sent out of its user's wallet in custody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mintline.eth import transfer_calldata
from mintline.kinds.base import CallFields, TransactionKind, asked_token, first_attempt, only
from mintline.messages.intents import SignTransfer
from mintline.records.operations import Operation, TokenTransfer
from mintline.records.transactions import Transaction
from mintline.request_digests import transfer_digest


class TransferKind(TransactionKind[SignTransfer]):
    """`sign_transfer`."""

    authorized = True

    def meaning(self, request: SignTransfer) -> list[Any]:
        """Return nonce, request, token and recipient."""
        return [request.nonce, request.request_id, request.contract, str(request.token_id), request.to]

    def dedup_id(self, request: SignTransfer) -> str:
        """Return an id for each attempt of a request."""
        return f"sign_transfer:{request.request_id}:{request.nonce}:{request.attempt}"

    def operation_ids(self, request: SignTransfer) -> tuple[str, ...]:
        """Return the request's id."""
        return (request.request_id,)

    def authorized_digest(self, operation: Operation) -> bytes:
        """Return the digest of the transfer."""
        assert isinstance(operation, TokenTransfer)
        return transfer_digest(**asked_token(operation), to=operation.to)

    def call(self, intent: SignTransfer, issued: bytes) -> CallFields:  # noqa: ARG002 - it redeems no voucher
        """Return `safeTransferFrom` (ERC-721)."""
        data = transfer_calldata(sender=intent.signer.address, to=intent.to, token_id=intent.token_id)
        return CallFields(intent.contract, data=data)

    def intent(
        self, transaction: Transaction, operations: Sequence[Operation], authorization: bytes
    ) -> SignTransfer:
        """Return the intent; no enclave signs it without the user's authorization."""
        transfer = only(TokenTransfer, transaction, operations)
        return SignTransfer(
            **first_attempt(transaction),
            request_id=transfer.operation_id,
            contract=transfer.contract,
            token_id=transfer.token_id,
            to=transfer.to,
            authorization=authorization,
            clone=transaction.clone,
        )


KIND = TransferKind()
