"""A mint that its user's wallet in custody pays for: it redeems a voucher that the issuer signs with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mintline.clock import UnixSeconds
from mintline.messages.intents import SignMint
from mintline.request_digests import mint_digest
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.enclave.kinds.base import (
    Binding,
    Identified,
    Limit,
    RequiredAuthorization,
    TransactionKind,
    check_user,
    embedded_authorization,
)
from mintline_signer.enclave.kinds.vouchers import check_voucher, signature_of, token_of
from mintline_signer.enclave.policy import Role, SigningPolicy


class MintKind(TransactionKind[SignMint]):
    """`sign_mint`."""

    def check(self, policy: SigningPolicy, request: SignMint, now: UnixSeconds) -> Role:
        """Allow it to users."""
        role = check_user(policy, request, request.contract, action="mint")
        check_voucher(policy, request.contract, request.voucher, now)
        return role

    def required_authorizations(
        self, request: SignMint, authorizations: Sequence[bytes]
    ) -> list[RequiredAuthorization]:
        """Return the mint, asked for by the wallet's user."""
        digest = mint_digest(
            mint_id=request.mint_id,
            sub=request.signer.subject,
            chain_id=request.chain_id,
            contract=request.contract,
            to=request.voucher.to,
            metadata_digest=request.voucher.metadata_digest,
            sender=request.signer.address,
            token_id=request.voucher.token_id,
        )
        return embedded_authorization(
            authorizations, RequiredAuthorization(request.signer.subject, digest, request.authorization)
        )

    def keys(self, request: SignMint, policy: SigningPolicy) -> list[Identified]:
        """Return the signer's and the issuer's."""
        return [request.signer, policy.issuer]

    def limits(self, request: SignMint, role: Role, policy: SigningPolicy) -> list[Limit]:
        """Return the signer's rate and the issuer's."""
        issuer = Limit(policy.issuer.address, policy.rates.issuer)
        return [*super().limits(request, role, policy), issuer]

    def bindings(self, request: SignMint, meaning: bytes) -> Iterable[Binding]:  # noqa: ARG002 - a mint may get another nonce
        """Return the mint's token."""
        token_id = request.voucher.token_id
        yield token_of(
            request.mint_id, chain_id=request.chain_id, contract=request.contract, token_id=token_id
        )

    def issued(self, request: SignMint, keys: Sequence[SigningKey]) -> bytes:
        """Return the issuer's signature."""
        return signature_of(request, keys[1])


KIND = MintKind()
