"""Transfers and burns by the holder's signature: the user's key signs typed data, a relayer's key sends it.

Both signatures are made in one call, from one typed intent, so no signature of a holder leaves the enclave
but inside the transaction that carries it.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal, TypeVar

from mintline.clock import UnixSeconds
from mintline.messages.intents import SignRelayed, SignRelayedBurn, SignRelayedTransfer
from mintline.request_digests import RequestedToken
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.enclave.kinds.base import (
    Binding,
    Identified,
    Limit,
    RequiredAuthorization,
    TransactionKind,
    check_contract,
    check_fees,
    embedded_authorization,
    require,
    require_key,
    sender_role,
)
from mintline_signer.enclave.policy import Role, SigningPolicy
from mintline_signer.errors import RefusalCode

RelayedT = TypeVar("RelayedT", SignRelayedTransfer, SignRelayedBurn)


class RelayedKind(TransactionKind[RelayedT]):
    """What a user asks to be done with a token, and a relayer pays for."""

    action: ClassVar[Literal["transfer", "burn"]]
    """Its name in the policy's `user_actions`."""

    @abstractmethod
    def digest(self, request: RelayedT) -> bytes:
        """Return the digest of what its user must have asked for."""

    @abstractmethod
    def typed_data(self, request: RelayedT) -> bytes:
        """Return the EIP-712 digest that the holder signs, 32 bytes."""

    def check(self, policy: SigningPolicy, request: RelayedT, now: UnixSeconds) -> Role:
        """Allow it to relayers, for a user's key, at a collection of a factory of the policy's."""
        role = sender_role(policy, request.signer)
        require(role is Role.RELAYER, RefusalCode.SIGNER)
        require(request.holder.chain_id == request.chain_id, RefusalCode.KEY_CHAIN)
        require(sender_role(policy, request.holder) is Role.USER, RefusalCode.HOLDER)
        check_fees(policy, request)
        require(self.action in policy.user_actions, RefusalCode.ACTION)
        check_contract(policy, request.contract, request.clone)
        require(request.deadline > now, RefusalCode.SIGNATURE_EXPIRED)
        require(request.deadline <= now + policy.max_voucher_ttl, RefusalCode.SIGNATURE_TTL)
        return role

    def required_authorizations(
        self, request: RelayedT, authorizations: Sequence[bytes]
    ) -> list[RequiredAuthorization]:
        """Return the request, asked for by the wallet's user: never by a machine client."""
        required = RequiredAuthorization(request.holder.subject, self.digest(request), request.authorization)
        return embedded_authorization(authorizations, required)

    def keys(self, request: RelayedT, policy: SigningPolicy) -> list[Identified]:  # noqa: ARG002
        """Return the relayer's and the holder's."""
        return [request.signer, request.holder]

    def limits(self, request: RelayedT, role: Role, policy: SigningPolicy) -> list[Limit]:
        """Return the relayer's rate and the holder's."""
        holder = Limit(request.holder.address, policy.rates.user)
        return [*super().limits(request, role, policy), holder]

    def bindings(self, request: RelayedT, meaning: bytes) -> Iterable[Binding]:  # noqa: ARG002 - it names a nonce
        """Return the one signature of its holder: two of one request could both be carried out.

        Not the relayer's nonce: the contract takes the signature once, under whichever.
        """
        signed = hashlib.sha256(request.type.encode() + self.typed_data(request)).digest()
        yield Binding(f"request {request.request_id}", signed, RefusalCode.REQUEST)

    def issued(self, request: RelayedT, keys: Sequence[SigningKey]) -> bytes:
        """Return the holder's signature."""
        holder = keys[1]
        require_key(holder, request.holder)
        return holder.sign(self.typed_data(request)).with_v()


def requested_token(request: SignRelayed) -> RequestedToken:
    """Return what both name in their digest."""
    return {
        "request_id": request.request_id,
        "sub": request.holder.subject,
        "chain_id": request.chain_id,
        "contract": request.contract,
        "token_id": request.token_id,
        "sender": request.holder.address,
    }
