"""Did the user ask for this very thing? Opens what the api sealed, and believes the user pool alone."""

from __future__ import annotations

from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from mintline.authorization import (
    SealBroken,
    burn_digest,
    mint_digest,
    sealed_for,
    transfer_digest,
    unseal,
    voucher_digest,
)
from mintline.messages import AnyRequest, IssueVoucher, SignBurn, SignMint, SignTransfer
from mintline_signer.enclave.seals import Seals
from mintline_signer.enclave.tokens import TokenVerifier
from mintline_signer.errors import RefusalCode, Refused

Authorized: TypeAlias = SignMint | SignTransfer | SignBurn | IssueVoucher
"""What needs the user's word. The platform's own keys act by the policy alone; a no-op moves nothing."""


class Authorizer:
    """Checks the user's word against the request that it came with."""

    def __init__(self, seals: Seals, tokens: TokenVerifier) -> None:
        self._seals = seals
        self._tokens = tokens

    def judge(self, intent: AnyRequest, *, now: float) -> bool:
        """Raise Refused unless the user asked for this; False if the sealing key has to be obtained first.

        `now` is in Unix seconds.
        """
        if not isinstance(intent, Authorized):
            return True
        key = self._seals.held(_key_id(intent))
        if key is None:
            return False
        self._judge(intent, key, now)
        return True

    async def judge_later(self, intent: AnyRequest, *, now: float) -> None:
        """Do the same, having obtained the sealing key; raises Failed besides."""
        if isinstance(intent, Authorized):
            self._judge(intent, await self._seals.obtain(_key_id(intent)), now)

    def _judge(self, intent: Authorized, key: EllipticCurvePrivateKey, now: float) -> None:
        try:
            token = unseal(intent.authorization, digest_of(intent), key)
        except SealBroken:
            raise Refused(RefusalCode.AUTHORIZATION_SEAL) from None
        subject = self._tokens.subject_of(token, now=now)
        if not isinstance(intent, IssueVoucher) and subject != intent.signer.subject:
            raise Refused(RefusalCode.AUTHORIZATION_SUBJECT)


def _key_id(intent: Authorized) -> bytes:
    if not intent.authorization:
        raise Refused(RefusalCode.AUTHORIZATION_MISSING)
    try:
        return sealed_for(intent.authorization)
    except SealBroken:
        raise Refused(RefusalCode.AUTHORIZATION_MALFORMED) from None


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
            )
        case IssueVoucher():
            return voucher_digest(
                mint_id=intent.mint_id,
                chain_id=intent.chain_id,
                contract=intent.contract,
                to=intent.voucher.to,
                metadata_digest=intent.voucher.metadata_digest,
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
