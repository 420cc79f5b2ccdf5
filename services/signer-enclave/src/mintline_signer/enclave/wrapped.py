"""From a wallet's wrapped key to its scalar: one decryption, under the context that the key was made for."""

from __future__ import annotations

from dataclasses import dataclass

from mintline_signer.enclave.pkcs8 import secp256k1_scalar
from mintline_signer.enclave.ports import Decrypter
from mintline_signer.protocol import WrappedKey


@dataclass(frozen=True, slots=True)
class WalletUnwrapper:
    """A KeyUnwrapper for the secp256k1 pairs that KMS makes."""

    decrypter: Decrypter

    async def unwrap(self, key: WrappedKey) -> bytearray:
        """Return the private scalar of a wrapped key; raises Refused or Failed."""
        context = {"sub": key.subject, "chain": str(key.chain_id)}
        der = await self.decrypter.decrypt(key.wrapped, context)
        try:
            return secp256k1_scalar(der)
        finally:
            der[:] = bytes(len(der))
