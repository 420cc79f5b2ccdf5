"""A factory makes a collection, by a relayer, for the principal that its salt names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mintline.clone_calls import deployment_calldata
from mintline.clones import encode_args
from mintline.kinds.base import CallFields, TransactionKind, first_attempt, only
from mintline.messages.intents import SignDeploy
from mintline.records.operations import CollectionDeployment, Operation
from mintline.records.transactions import Transaction
from mintline.request_digests import deploy_digest


class DeployKind(TransactionKind[SignDeploy]):
    """`sign_deploy`."""

    authorized = True

    def meaning(self, request: SignDeploy) -> list[Any]:
        """Return nonce, request and address, which stands for all that the collection is made of."""
        return [request.nonce, request.request_id, request.contract]

    def dedup_id(self, request: SignDeploy) -> str:
        """Return an id for each attempt of a request."""
        return f"sign_deploy:{request.request_id}:{request.nonce}:{request.attempt}"

    def operation_ids(self, request: SignDeploy) -> tuple[str, ...]:
        """Return the request's id."""
        return (request.request_id,)

    def authorized_digest(self, operation: Operation) -> bytes:
        """Return the digest of the deployment."""
        assert isinstance(operation, CollectionDeployment)
        return deploy_digest(
            request_id=operation.operation_id,
            sub=operation.asked_by,
            chain_id=operation.chain_id,
            contract=operation.contract,
            factory=operation.clone.factory,
            implementation=operation.clone.implementation,
            args=encode_args(operation.clone.args),
        )

    def call(self, intent: SignDeploy, issued: bytes) -> CallFields:  # noqa: ARG002 - it redeems no voucher
        """Return the factory's `createCollection`."""
        return CallFields(intent.clone.factory, data=deployment_calldata(intent.clone))

    def intent(
        self, transaction: Transaction, operations: Sequence[Operation], authorization: bytes
    ) -> SignDeploy:
        """Return the intent; no enclave signs it without the principal's authorization."""
        deployment = only(CollectionDeployment, transaction, operations)
        return SignDeploy(
            **first_attempt(transaction),
            request_id=deployment.operation_id,
            contract=deployment.contract,
            clone=deployment.clone,
            authorization=authorization,
        )


KIND = DeployKind()
