"""What the enclave needs of the world outside of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mintline_signer.protocol import WrappedKey


class Decrypter(Protocol):
    """KMS, as far as the enclave goes: ciphertexts of the one pinned key become plaintexts."""

    async def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        """Return the plaintext, to be erased by the caller; `context` is the encryption context.

        A key pair's plaintext is PKCS#8 in DER.
        Raises EnclaveRefusal (`key_undecryptable`) or EnclaveFailure.
        """
        ...


class Wrapper(Decrypter, Protocol):
    """Another key of KMS's, under which keys are wrapped again."""

    @property
    def arn(self) -> str:
        """The key's ARN."""
        ...

    async def encrypt(self, plaintext: bytearray, context: Mapping[str, str]) -> bytes:
        """Return the ciphertext of `plaintext`; raises EnclaveFailure."""
        ...


class KeyUnwrapper(Protocol):
    """Turns a wrapped key into the private key."""

    async def unwrap(self, key: WrappedKey) -> bytearray:
        """Return the 32-byte scalar, to be erased by the caller; raises EnclaveRefusal or EnclaveFailure."""
        ...
