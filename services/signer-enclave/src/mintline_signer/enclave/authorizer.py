"""Did the user ask for this very thing, and did the api accept it? Opens the authorization envelope.

The acceptance is the api's signature (`mintline.acceptance`) on the digest of the very thing to be signed,
its token id included, and on the user's `sub`. So a token alone, whoever has it, authorizes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from mintline.acceptance import ACCEPTANCE, Fault, NotVouchedFor, Statements
from mintline.authorization import AcceptanceMissing, Envelope, SealBroken
from mintline.messages import AnyRequest, IssueVoucher, SignBurn, SignMint, SignTransfer
from mintline.request_digests import burn_digest, mint_digest, transfer_digest, voucher_digest
from mintline_signer.enclave.revocations import RevokedTokens
from mintline_signer.enclave.seals import Seals
from mintline_signer.enclave.tokens import TokenVerifier
from mintline_signer.errors import RefusalCode, Refused

Authorized: TypeAlias = SignMint | SignTransfer | SignBurn | IssueVoucher
"""What needs the user's word. The platform's own keys act by the policy alone; a no-op moves nothing."""

_FAULTS: Mapping[Fault, RefusalCode] = {
    Fault.MALFORMED: RefusalCode.AUTHORIZATION_MALFORMED,
    Fault.KEY: RefusalCode.ACCEPTANCE_KEY,
    Fault.CERTIFICATE: RefusalCode.ACCEPTANCE_CERTIFICATE,
    Fault.TIME: RefusalCode.ACCEPTANCE_TIME,
    Fault.SIGNATURE: RefusalCode.ACCEPTANCE_SIGNATURE,
}


class Authorizer:
    """Checks the api's acceptance and the user's token against the request that they came with."""

    def __init__(
        self, seals: Seals, tokens: TokenVerifier, statements: Statements, revoked: RevokedTokens
    ) -> None:
        self._seals = seals
        self._tokens = tokens
        self._statements = statements
        self.revoked = revoked

    def judge(self, intent: AnyRequest, *, now: float) -> bool:
        """Raise Refused unless the user asked for this; False if the sealing key has to be obtained first.

        `now` is in Unix seconds.
        """
        if not isinstance(intent, Authorized):
            return True
        envelope, digest = self._accepted(intent, now)
        key = self._seals.held(envelope.key_id)
        if key is None:
            return False
        self._open(intent, envelope, digest, key, now)
        return True

    async def judge_later(self, intent: AnyRequest, *, now: float) -> None:
        """Do the same, having obtained the sealing key; may also raise Failed."""
        if isinstance(intent, Authorized):
            envelope, digest = self._accepted(intent, now)
            self._open(intent, envelope, digest, await self._seals.obtain(envelope.key_id), now)

    def _accepted(self, intent: Authorized, now: float) -> tuple[Envelope, bytes]:
        """Return the envelope and the digest of what the api accepted; raises Refused if it did not."""
        if not intent.authorization:
            raise Refused(RefusalCode.AUTHORIZATION_MISSING)
        digest = digest_of(intent)
        try:
            envelope = Envelope.from_bytes(intent.authorization)
            self._statements.verify(
                envelope.acceptance, ACCEPTANCE, digest, subject_of(intent).encode(), now=int(now * 1000)
            )
        except AcceptanceMissing:
            raise Refused(RefusalCode.ACCEPTANCE_MISSING) from None
        except SealBroken:
            raise Refused(RefusalCode.AUTHORIZATION_MALFORMED) from None
        except NotVouchedFor as refused:
            raise Refused(_FAULTS[refused.fault]) from None
        return envelope, digest

    def _open(
        self,
        intent: Authorized,
        envelope: Envelope,
        digest: bytes,
        key: EllipticCurvePrivateKey,
        now: float,
    ) -> None:
        try:
            token = envelope.open(digest, key)
        except SealBroken:
            raise Refused(RefusalCode.AUTHORIZATION_SEAL) from None
        claims = self._tokens.claims_of(token, now=now)
        if claims.subject != subject_of(intent):
            raise Refused(RefusalCode.AUTHORIZATION_SUBJECT)
        self.revoked.check(claims, accepted_at=envelope.acceptance.at, now=now)


def subject_of(intent: Authorized) -> str:
    """Return the `sub` of the user who must have asked."""
    return intent.subject if isinstance(intent, IssueVoucher) else intent.signer.subject


def digest_of(intent: Authorized) -> bytes:
    """Return the digest that the user's word must have been sealed under: of the very thing to be signed."""
    match intent:
        case SignMint():
            return mint_digest(
                mint_id=intent.mint_id,
                sub=intent.signer.subject,
                chain_id=intent.chain_id,
                contract=intent.contract,
                to=intent.voucher.to,
                metadata_digest=intent.voucher.metadata_digest,
                sender=intent.signer.address,
                token_id=intent.voucher.token_id,
            )
        case IssueVoucher():
            return voucher_digest(
                mint_id=intent.mint_id,
                sub=intent.subject,
                chain_id=intent.chain_id,
                contract=intent.contract,
                to=intent.voucher.to,
                metadata_digest=intent.voucher.metadata_digest,
                token_id=intent.voucher.token_id,
            )
        case SignTransfer():
            return transfer_digest(
                request_id=intent.request_id,
                sub=intent.signer.subject,
                chain_id=intent.chain_id,
                contract=intent.contract,
                token_id=intent.token_id,
                sender=intent.signer.address,
                to=intent.to,
            )
        case SignBurn():
            return burn_digest(
                request_id=intent.request_id,
                sub=intent.signer.subject,
                chain_id=intent.chain_id,
                contract=intent.contract,
                token_id=intent.token_id,
                sender=intent.signer.address,
            )
