"""A no-op: zero wei from the sender to itself, for a nonce that nothing else will use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mintline.kinds.base import CallFields, TransactionKind, first_attempt
from mintline.messages.intents import SignNoop
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction


class NoopKind(TransactionKind[SignNoop]):
    """`sign_noop`."""

    def meaning(self, request: SignNoop) -> list[Any]:
        """Return the nonce."""
        return [request.nonce]

    def dedup_id(self, request: SignNoop) -> str:
        """Return an id for each attempt at a nonce."""
        return f"noop:{request.signer.address}:{request.nonce}:{request.attempt}"

    def operation_ids(self, request: SignNoop) -> tuple[str, ...]:
        """Return the operation whose nonce it was, for the log."""
        return () if request.mint_id is None else (request.mint_id,)

    def call(self, intent: SignNoop, issued: bytes) -> CallFields:  # noqa: ARG002 - it redeems no voucher
        """Return nothing to oneself."""
        return CallFields(intent.signer.address)

    def intent(
        self,
        transaction: Transaction,
        operations: Sequence[Operation],  # noqa: ARG002 - it carries none
        authorization: bytes,  # noqa: ARG002
    ) -> SignNoop:
        """Return the intent."""
        return SignNoop(**first_attempt(transaction))


KIND = NoopKind()
