"""From a wallet's wrapped key to its scalar: one decryption, under the context that the key was made for."""

from __future__ import annotations

from dataclasses import dataclass

from mintline_signer.enclave.pkcs8 import secp256k1_scalar
from mintline_signer.enclave.ports import Decrypter, Wrapper
from mintline_signer.protocol import WrappedKey


def opening(pinned: Decrypter, successor: Wrapper | None, kms_key: str | None) -> Decrypter:
    """Return what opens a ciphertext that is on record as wrapped by `kms_key`."""
    return successor if successor is not None and kms_key == successor.arn else pinned


@dataclass(frozen=True, slots=True)
class WalletUnwrapper:
    """A KeyUnwrapper for the secp256k1 pairs that KMS makes."""

    decrypter: Decrypter
    successor: Wrapper | None = None
    """The other KMS key that the policy names: what was wrapped under that one is opened there."""

    async def unwrap(self, key: WrappedKey) -> bytearray:
        """Return the private scalar of a wrapped key; raises EnclaveRefusal or EnclaveFailure."""
        context = {"sub": key.subject, "chain": str(key.chain_id)}
        der = await opening(self.decrypter, self.successor, key.kms_key).decrypt(key.wrapped, context)
        try:
            return secp256k1_scalar(der)
        finally:
            der[:] = bytes(len(der))
