"""A voucher alone, for a mint that the user's own wallet redeems: a signature, no transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mintline.clock import UnixSeconds
from mintline.messages.intents import IssueVoucher
from mintline.request_digests import voucher_digest
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.enclave.kinds.base import (
    Binding,
    EnclaveKind,
    Identified,
    Limit,
    RequiredAuthorization,
    embedded_authorization,
    require,
    require_key,
    same,
)
from mintline_signer.enclave.kinds.vouchers import check_voucher, signature_of, token_of
from mintline_signer.enclave.policy import Role, SigningPolicy
from mintline_signer.errors import RefusalCode
from mintline_signer.protocol import Issued


class VoucherKind(EnclaveKind[IssueVoucher]):
    """`issue_voucher`."""

    def check(self, policy: SigningPolicy, request: IssueVoucher, now: UnixSeconds) -> Role:
        """Allow it to the issuer."""
        require(same(request.signer, policy.issuer), RefusalCode.SIGNER)
        check_voucher(policy, request.contract, request.voucher, now)
        return Role.ISSUER

    def required_authorizations(
        self, request: IssueVoucher, authorizations: Sequence[bytes]
    ) -> list[RequiredAuthorization]:
        """Return the voucher, asked for by the user that it names."""
        digest = voucher_digest(
            mint_id=request.mint_id,
            sub=request.subject,
            chain_id=request.chain_id,
            contract=request.contract,
            to=request.voucher.to,
            metadata_digest=request.voucher.metadata_digest,
            token_id=request.voucher.token_id,
        )
        return embedded_authorization(
            authorizations, RequiredAuthorization(request.subject, digest, request.authorization)
        )

    def keys(self, request: IssueVoucher, policy: SigningPolicy) -> list[Identified]:  # noqa: ARG002
        """Return the issuer's."""
        return [request.signer]

    def limits(self, request: IssueVoucher, role: Role, policy: SigningPolicy) -> list[Limit]:
        """Return the issuer's rate, and the user's.

        The issuer's key signs vouchers for everyone, so what one user asks of it alone counts as that user's.
        """
        return [
            Limit(request.signer.address, policy.rates.of(role)),
            Limit(f"sub {request.subject}", policy.rates.user),
        ]

    def bindings(self, request: IssueVoucher, meaning: bytes) -> Iterable[Binding]:  # noqa: ARG002 - it has no nonce
        """Return the mint's token."""
        token_id = request.voucher.token_id
        yield token_of(
            request.mint_id, chain_id=request.chain_id, contract=request.contract, token_id=token_id
        )

    def sign(self, request: IssueVoucher, keys: Sequence[SigningKey]) -> Issued:
        """Sign the voucher with the issuer's key."""
        require_key(keys[0], request.signer)
        return Issued(signature=signature_of(request, keys[0]))


KIND = VoucherKind()
