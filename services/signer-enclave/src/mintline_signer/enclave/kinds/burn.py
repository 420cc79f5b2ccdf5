"""A token of a user's wallet in custody is burned, under one nonce for each request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mintline.messages import SignBurn
from mintline.request_digests import burn_digest
from mintline_signer.enclave.kinds.base import Binding, TransactionKind, Word, check_user, only
from mintline_signer.enclave.policy import Policy, Role
from mintline_signer.errors import RefusalCode


class BurnKind(TransactionKind[SignBurn]):
    """`sign_burn`."""

    def check(self, policy: Policy, request: SignBurn, now: float) -> Role:  # noqa: ARG002 - it has no deadline
        """Allow it to users."""
        return check_user(policy, request, request.contract, action="burn")

    def words(self, request: SignBurn, authorizations: Sequence[bytes]) -> list[Word]:
        """Return the burn, asked for by the wallet's user."""
        digest = burn_digest(
            request_id=request.request_id,
            sub=request.signer.subject,
            chain_id=request.chain_id,
            contract=request.contract,
            token_id=request.token_id,
            sender=request.signer.address,
        )
        return only(authorizations, Word(request.signer.subject, digest, request.authorization))

    def bindings(self, request: SignBurn, meaning: bytes) -> Iterable[Binding]:
        """Return its meaning, the nonce included: two burns of one request could both happen."""
        yield Binding(f"request {request.request_id}", meaning, RefusalCode.REQUEST)


KIND = BurnKind()
