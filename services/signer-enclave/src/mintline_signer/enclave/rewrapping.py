"""Wrap a key again: under another KMS key, or for another user, as the policy document names them.

KMS's own ReEncrypt asks for no attestation and would move a key under any policy: the key policy denies it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mintline import key_subjects
from mintline.authorization import private_key_id
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.enclave.pkcs8 import p256_key, secp256k1_scalar
from mintline_signer.enclave.policy import SigningPolicy
from mintline_signer.enclave.ports import Decrypter, Wrapper
from mintline_signer.enclave.wrapped import opening
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.protocol import Rewrapped, WrappedAuthorizationKey, WrappedKey


@dataclass(frozen=True, slots=True)
class Rewrapper:
    """Opens a key as for signing, checks whose it is, wraps it under `to`, and opens that again.

    `confidential` says that nobody reads along on the way to KMS: Encrypt takes the key in the clear.
    """

    decrypter: Decrypter
    to: Wrapper
    confidential: bool

    async def rewrap(self, key: WrappedKey | WrappedAuthorizationKey) -> Rewrapped:
        """Return the key as it is wrapped now; raises EnclaveRefusal or EnclaveFailure."""
        if key.kms_key == self.to.arn:
            raise EnclaveRefusal(RefusalCode.REWRAP)
        subject = key.subject if isinstance(key, WrappedKey) else key_subjects.AUTHORIZATION_KEY
        context = {"sub": subject, "chain": str(key.chain_id)}
        wrapping = _Wrapping(self.decrypter, self.to, confidential=self.confidential)
        return await wrapping.wrap(key, context, context)


@dataclass(frozen=True, slots=True)
class Reassigner:
    """Wraps a wallet's key for another user: the pairs of users, and their wallets, are the policy's.

    `wrapper` returns a KMS key by its ARN, `successor` is the policy's `rewrap_to`.
    """

    policy: SigningPolicy
    decrypter: Decrypter
    successor: Wrapper | None
    wrapper: Callable[[str], Wrapper]
    confidential: bool

    async def reassign(self, key: WrappedKey, to: str) -> Rewrapped:
        """Return the key as it is wrapped for the user `to`; raises EnclaveRefusal or EnclaveFailure."""
        named = [
            reassignment
            for reassignment in self.policy.reassign
            if (reassignment.old, reassignment.new, reassignment.address) == (key.subject, to, key.address)
        ]
        if not named or key.chain_id not in self.policy.chain_ids:
            raise EnclaveRefusal(RefusalCode.REASSIGN)
        chain = str(key.chain_id)
        wrapping = _Wrapping(
            opening(self.decrypter, self.successor, key.kms_key),
            self.wrapper(named[0].kms_key),
            confidential=self.confidential,
        )
        return await wrapping.wrap(key, {"sub": key.subject, "chain": chain}, {"sub": to, "chain": chain})


@dataclass(frozen=True, slots=True)
class _Wrapping:
    decrypter: Decrypter
    to: Wrapper
    confidential: bool

    async def wrap(
        self, key: WrappedKey | WrappedAuthorizationKey, before: Mapping[str, str], after: Mapping[str, str]
    ) -> Rewrapped:
        """Return a key that was wrapped under the context `before` as it is wrapped under `after`."""
        if not self.confidential:
            raise EnclaveFailure(FailureCode.NOT_CONFIDENTIAL)
        der = await self.decrypter.decrypt(key.wrapped, before)
        try:
            _check(key, der)
            wrapped = await self.to.encrypt(der, after)
            again = await self.to.decrypt(wrapped, after)
            same = hmac.compare_digest(again, der)
            again[:] = bytes(len(again))
            if not same:
                raise EnclaveFailure(FailureCode.KMS_ANSWER)
        finally:
            der[:] = bytes(len(der))
        return Rewrapped(wrapped=wrapped, kms_key=self.to.arn)


def _check(key: WrappedKey | WrappedAuthorizationKey, der: bytearray) -> None:
    """Raise EnclaveRefusal unless the plaintext is the key that its record says."""
    if isinstance(key, WrappedAuthorizationKey):
        if private_key_id(p256_key(der)) != key.key_id:
            raise EnclaveRefusal(RefusalCode.KEY_ADDRESS)
        return
    opened = SigningKey(secp256k1_scalar(der))
    address = opened.address
    opened.erase()
    if address != key.address:
        raise EnclaveRefusal(RefusalCode.KEY_ADDRESS)
