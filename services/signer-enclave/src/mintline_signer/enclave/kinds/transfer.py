"""A token is sent out of its user's wallet in custody, under one nonce for each request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mintline.messages import SignTransfer
from mintline.request_digests import transfer_digest
from mintline_signer.enclave.kinds.base import Binding, TransactionKind, Word, check_user, only
from mintline_signer.enclave.policy import Policy, Role
from mintline_signer.errors import RefusalCode


class TransferKind(TransactionKind[SignTransfer]):
    """`sign_transfer`."""

    def check(self, policy: Policy, request: SignTransfer, now: float) -> Role:  # noqa: ARG002 - it has no deadline
        """Allow it to users."""
        return check_user(policy, request, request.contract, action="transfer")

    def words(self, request: SignTransfer, authorizations: Sequence[bytes]) -> list[Word]:
        """Return the transfer, asked for by the wallet's user."""
        digest = transfer_digest(
            request_id=request.request_id,
            sub=request.signer.subject,
            chain_id=request.chain_id,
            contract=request.contract,
            token_id=request.token_id,
            sender=request.signer.address,
            to=request.to,
        )
        return only(authorizations, Word(request.signer.subject, digest, request.authorization))

    def bindings(self, request: SignTransfer, meaning: bytes) -> Iterable[Binding]:
        """Return its meaning, the nonce included: two transfers of one request could both happen."""
        yield Binding(f"request {request.request_id}", meaning, RefusalCode.REQUEST)


KIND = TransferKind()
