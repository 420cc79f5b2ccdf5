"""A token of a user's wallet in custody is burned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mintline.eth import burn_calldata
from mintline.kinds.base import CallFields, TransactionKind, asked_token, first_attempt, only
from mintline.messages.intents import SignBurn
from mintline.records.operations import Operation, TokenBurn
from mintline.records.transactions import Transaction
from mintline.request_digests import burn_digest


class BurnKind(TransactionKind[SignBurn]):
    """`sign_burn`."""

    authorized = True

    def meaning(self, request: SignBurn) -> list[Any]:
        """Return nonce, request and token."""
        return [request.nonce, request.request_id, request.contract, str(request.token_id)]

    def dedup_id(self, request: SignBurn) -> str:
        """Return an id for each attempt of a request."""
        return f"sign_burn:{request.request_id}:{request.nonce}:{request.attempt}"

    def operation_ids(self, request: SignBurn) -> tuple[str, ...]:
        """Return the request's id."""
        return (request.request_id,)

    def authorized_digest(self, operation: Operation) -> bytes:
        """Return the digest of the burn."""
        return burn_digest(**asked_token(operation))

    def call(self, intent: SignBurn, issued: bytes) -> CallFields:  # noqa: ARG002 - it redeems no voucher
        """Return `burn` (ERC721Burnable)."""
        data = burn_calldata(intent.token_id)
        return CallFields(intent.contract, data=data)

    def intent(
        self, transaction: Transaction, operations: Sequence[Operation], authorization: bytes
    ) -> SignBurn:
        """Return the intent; no enclave signs it without the user's authorization."""
        burn = only(TokenBurn, transaction, operations)
        return SignBurn(
            **first_attempt(transaction),
            request_id=burn.operation_id,
            contract=burn.contract,
            token_id=burn.token_id,
            authorization=authorization,
            clone=transaction.clone,
        )


KIND = BurnKind()
