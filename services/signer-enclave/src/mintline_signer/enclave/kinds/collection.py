"""What the deployment of a collection and its changes have in common: a relayer sends, for its principal."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

from mintline.messages.intents import SignAdminister, SignDeploy
from mintline.scopes import Scope
from mintline_signer.enclave.kinds.base import (
    ClientTerms,
    RequiredAuthorization,
    TransactionKind,
    check_contract,
    embedded_authorization,
    require,
    sender_role,
)
from mintline_signer.enclave.policy import Role, SigningPolicy
from mintline_signer.errors import RefusalCode

CollectionIntentT = TypeVar("CollectionIntentT", SignDeploy, SignAdminister)


class CollectionKind(TransactionKind[CollectionIntentT]):
    """What a principal asks to be done with a collection of theirs.

    Whose it is says the salt, which the address follows from: so nobody else's token authorizes it.
    """

    @abstractmethod
    def digest(self, request: CollectionIntentT) -> bytes:
        """Return the digest of what its principal must have asked for."""

    def check_relayer(self, policy: SigningPolicy, request: CollectionIntentT) -> Role:
        """Allow it to relayers, at a collection of a factory of the policy's."""
        role = sender_role(policy, request.signer)
        require(role is Role.RELAYER, RefusalCode.SIGNER)
        check_contract(policy, request.contract, request.clone)
        return role

    def required_authorizations(
        self, request: CollectionIntentT, authorizations: Sequence[bytes]
    ) -> list[RequiredAuthorization]:
        """Return the request, asked for by whose collection it is, with a token for collections."""
        owner = request.clone.principal
        required = RequiredAuthorization(
            owner,
            self.digest(request),
            request.authorization,
            scope=Scope.COLLECTIONS_WRITE,
            for_clients=ClientTerms(request.contract, request.gas * request.fees.max_fee_per_gas, owner),
        )
        return embedded_authorization(authorizations, required)
