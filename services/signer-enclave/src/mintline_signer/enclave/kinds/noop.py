"""A no-op: zero wei from the sender to itself, after which nothing else is signed for the nonce."""

from __future__ import annotations

from mintline.clock import UnixSeconds
from mintline.messages.intents import SignNoop
from mintline_signer.enclave.kinds.base import TransactionKind, check_fees, sender_role
from mintline_signer.enclave.policy import Role, SigningPolicy


class NoopKind(TransactionKind[SignNoop]):
    """`sign_noop`."""

    fills = True

    def check(self, policy: SigningPolicy, request: SignNoop, now: UnixSeconds) -> Role:  # noqa: ARG002 - it has no deadline
        """Allow it to whichever key may send transactions: it moves nothing, so no user has to ask for it."""
        role = sender_role(policy, request.signer)
        check_fees(policy, request)
        return role


KIND = NoopKind()
