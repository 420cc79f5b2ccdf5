"""What transfers and burns have in common: a user's wallet in custody calls, once for each request."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, TypeVar

from mintline.clock import UnixSeconds
from mintline.messages.intents import SignBurn, SignTransfer
from mintline.request_digests import RequestedToken
from mintline_signer.enclave.kinds.base import (
    Binding,
    RequiredAuthorization,
    TransactionKind,
    check_user,
    embedded_authorization,
)
from mintline_signer.enclave.policy import Role, SigningPolicy
from mintline_signer.errors import RefusalCode

TokenIntentT = TypeVar("TokenIntentT", SignTransfer, SignBurn)


class TokenKind(TransactionKind[TokenIntentT]):
    """What a user asks to be done with a token."""

    action: ClassVar[Literal["transfer", "burn"]]
    """Its name in the policy's `user_actions`."""

    @abstractmethod
    def digest(self, request: TokenIntentT) -> bytes:
        """Return the digest of what its user must have asked for."""

    def check(self, policy: SigningPolicy, request: TokenIntentT, now: UnixSeconds) -> Role:  # noqa: ARG002 - it has no deadline
        """Allow it to users."""
        return check_user(policy, request, request.contract, action=self.action, clone=request.clone)

    def required_authorizations(
        self, request: TokenIntentT, authorizations: Sequence[bytes]
    ) -> list[RequiredAuthorization]:
        """Return the request, asked for by the wallet's user."""
        required = RequiredAuthorization(request.signer.subject, self.digest(request), request.authorization)
        return embedded_authorization(authorizations, required)

    def bindings(self, request: TokenIntentT, meaning: bytes) -> Iterable[Binding]:
        """Return its meaning, the nonce included: two of one request could both happen."""
        yield Binding(f"request {request.request_id}", meaning, RefusalCode.REQUEST)


def requested_token(request: SignTransfer | SignBurn) -> RequestedToken:
    """Return what both name in their digest."""
    return {
        "request_id": request.request_id,
        "sub": request.signer.subject,
        "chain_id": request.chain_id,
        "contract": request.contract,
        "token_id": request.token_id,
        "sender": request.signer.address,
    }
