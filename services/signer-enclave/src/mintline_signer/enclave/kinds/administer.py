"""A collection that a factory made is changed, under one nonce for each request."""

from __future__ import annotations

from collections.abc import Iterable

from mintline.clock import UnixSeconds
from mintline.clone_calls import change_calldata
from mintline.messages.intents import SignAdminister
from mintline.request_digests import administer_digest
from mintline_signer.enclave.kinds.base import Binding, check_fees
from mintline_signer.enclave.kinds.collection import CollectionKind
from mintline_signer.enclave.policy import Role, SigningPolicy
from mintline_signer.errors import RefusalCode


class AdministerKind(CollectionKind[SignAdminister]):
    """`sign_administer`."""

    def check(self, policy: SigningPolicy, request: SignAdminister, now: UnixSeconds) -> Role:  # noqa: ARG002 - it has no deadline
        """Allow it to relayers."""
        role = self.check_relayer(policy, request)
        check_fees(policy, request)
        return role

    def digest(self, request: SignAdminister) -> bytes:
        """Return the digest of the change."""
        return administer_digest(
            request_id=request.request_id,
            sub=request.clone.principal,
            chain_id=request.chain_id,
            contract=request.contract,
            call=change_calldata(request.change),
        )

    def bindings(self, request: SignAdminister, meaning: bytes) -> Iterable[Binding]:
        """Return its meaning, the nonce included: two of one request could both happen."""
        yield Binding(f"request {request.request_id}", meaning, RefusalCode.REQUEST)


KIND = AdministerKind()
