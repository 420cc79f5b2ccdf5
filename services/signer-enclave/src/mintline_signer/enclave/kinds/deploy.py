"""A collection is deployed by a factory, once: its address follows from the request."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from mintline.clock import UnixSeconds
from mintline.clones import encode_args
from mintline.messages.intents import SignDeploy
from mintline.request_digests import deploy_digest
from mintline_signer.enclave.kinds.base import Binding, check_fee_caps, require
from mintline_signer.enclave.kinds.collection import CollectionKind
from mintline_signer.enclave.policy import Role, SigningPolicy
from mintline_signer.errors import RefusalCode


class DeployKind(CollectionKind[SignDeploy]):
    """`sign_deploy`: the factory makes the same collection once, under whichever nonce."""

    def check(self, policy: SigningPolicy, request: SignDeploy, now: UnixSeconds) -> Role:  # noqa: ARG002 - it has no deadline
        """Allow it to relayers, for the very request that the salt names."""
        role = self.check_relayer(policy, request)
        require(request.clone.operation_id == request.request_id, RefusalCode.CLONE)
        check_fee_caps(
            policy,
            request,
            gas=policy.deploy_gas(),
            cost=-(-policy.max_transaction_cost * policy.deploy_gas() // policy.max_gas),
        )
        return role

    def digest(self, request: SignDeploy) -> bytes:
        """Return the digest of the deployment."""
        return deploy_digest(
            request_id=request.request_id,
            sub=request.clone.principal,
            chain_id=request.chain_id,
            contract=request.contract,
            factory=request.clone.factory,
            implementation=request.clone.implementation,
            args=encode_args(request.clone.args),
        )

    def bindings(self, request: SignDeploy, meaning: bytes) -> Iterable[Binding]:  # noqa: ARG002 - it may get another nonce
        """Return its one collection."""
        collection = hashlib.sha256(f"{request.chain_id} {request.contract}".encode()).digest()
        yield Binding(f"deployment {request.request_id}", collection, RefusalCode.REQUEST)


KIND = DeployKind()
