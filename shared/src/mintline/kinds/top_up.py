"""Gas money for a wallet in custody, from the treasury: the platform's own, so no operation asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mintline.kinds.base import CallFields, NotCarried, TransactionKind, first_attempt
from mintline.messages.intents import SignTopUp
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction


class TopUpKind(TransactionKind[SignTopUp]):
    """`sign_top_up`."""

    def meaning(self, request: SignTopUp) -> list[Any]:
        """Return nonce, recipient and value."""
        return [request.nonce, request.recipient, str(request.value)]

    def dedup_id(self, request: SignTopUp) -> str:
        """Return an id for each attempt."""
        return f"topup:{request.recipient}:{request.nonce}:{request.attempt}"

    def operation_ids(self, request: SignTopUp) -> tuple[str, ...]:  # noqa: ARG002 - whatever it says
        """Return nothing: it is for a wallet."""
        return ()

    def call(self, intent: SignTopUp, issued: bytes) -> CallFields:  # noqa: ARG002 - it redeems no voucher
        """Return a transfer of ether."""
        return CallFields(intent.recipient, value=intent.value)

    def intent(
        self,
        transaction: Transaction,
        operations: Sequence[Operation],  # noqa: ARG002 - it has a payload of its own
        authorization: bytes,  # noqa: ARG002
    ) -> SignTopUp:
        """Return the intent."""
        if transaction.top_up is None:
            raise NotCarried(f"transaction {transaction.key.name} has no payload")
        sent = transaction.top_up
        return SignTopUp(**first_attempt(transaction), recipient=sent.recipient, value=sent.value)


KIND = TopUpKind()
