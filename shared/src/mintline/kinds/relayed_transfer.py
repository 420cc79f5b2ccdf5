"""A token is sent out of its user's wallet in custody, which signs: a relayer sends the transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mintline.kinds.base import CallFields, asked_token, only
from mintline.kinds.relayed import RelayedKind, holder_call, relayed_fields
from mintline.messages.intents import SignRelayedTransfer
from mintline.records.operations import Operation, RelayedTransfer
from mintline.records.transactions import Transaction
from mintline.request_digests import relayed_transfer_digest


class RelayedTransferKind(RelayedKind[SignRelayedTransfer]):
    """`sign_relayed_transfer`."""

    def meaning(self, request: SignRelayedTransfer) -> list[Any]:
        """Return what both have, and the recipient."""
        return [*super().meaning(request), request.to]

    def authorized_digest(self, operation: Operation) -> bytes:
        """Return the digest of the transfer."""
        assert isinstance(operation, RelayedTransfer)
        return relayed_transfer_digest(**asked_token(operation), to=operation.to, quantity=operation.quantity)

    def call(self, intent: SignRelayedTransfer, issued: bytes) -> CallFields:
        """Return `transferBySignature`."""
        data = holder_call(intent, to=intent.to).calldata(issued)
        return CallFields(intent.contract, data=data)

    def intent(
        self, transaction: Transaction, operations: Sequence[Operation], authorization: bytes
    ) -> SignRelayedTransfer:
        """Return the intent; no enclave signs it without the user's authorization."""
        transfer = only(RelayedTransfer, transaction, operations)
        return SignRelayedTransfer(**relayed_fields(transaction, transfer, authorization), to=transfer.to)


KIND = RelayedTransferKind()
