"""Wrap a key anew, under the one other KMS key that the policy document names.

KMS's own ReEncrypt asks for no attestation and would move a key under any policy: the key policy denies it.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from mintline.authorization import SEALING_SUBJECT, private_key_id
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.enclave.pkcs8 import p256_key, secp256k1_scalar
from mintline_signer.enclave.ports import Decrypter, Wrapper
from mintline_signer.errors import Failed, FailureCode, RefusalCode, Refused
from mintline_signer.protocol import Rewrapped, WrappedKey, WrappedSealingKey


@dataclass(frozen=True, slots=True)
class Rewrapper:
    """Opens a key as for signing, checks whose it is, wraps it under `to`, and opens that again.

    `confidential` says that nobody reads along on the way to KMS: Encrypt takes the key in the clear.
    """

    decrypter: Decrypter
    to: Wrapper
    confidential: bool

    async def rewrap(self, key: WrappedKey | WrappedSealingKey) -> Rewrapped:
        """Return the key as it is wrapped now; raises Refused or Failed."""
        if key.kms_key == self.to.arn:
            raise Refused(RefusalCode.REWRAP)
        if not self.confidential:
            raise Failed(FailureCode.NOT_CONFIDENTIAL)
        subject = key.subject if isinstance(key, WrappedKey) else SEALING_SUBJECT
        context = {"sub": subject, "chain": str(key.chain_id)}
        der = await self.decrypter.decrypt(key.wrapped, context)
        try:
            _check(key, der)
            wrapped = await self.to.encrypt(der, context)
            again = await self.to.decrypt(wrapped, context)
            same = hmac.compare_digest(again, der)
            again[:] = bytes(len(again))
            if not same:
                raise Failed(FailureCode.KMS_ANSWER)
        finally:
            der[:] = bytes(len(der))
        return Rewrapped(wrapped=wrapped, kms_key=self.to.arn)


def _check(key: WrappedKey | WrappedSealingKey, der: bytearray) -> None:
    """Raise Refused unless the plaintext is the key that its record says."""
    if isinstance(key, WrappedSealingKey):
        if private_key_id(p256_key(der)) != key.key_id:
            raise Refused(RefusalCode.KEY_ADDRESS)
        return
    opened = SigningKey(secp256k1_scalar(der))
    address = opened.address
    opened.erase()
    if address != key.address:
        raise Refused(RefusalCode.KEY_ADDRESS)
