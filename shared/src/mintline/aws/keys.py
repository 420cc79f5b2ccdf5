"""Keys in custody: made by KMS, kept wrapped in a store, unwrapped by the enclave alone.

A key's life begins in three steps, each safe to repeat: KMS makes the pair, the caller records the address
(its lock, and the only copy of the wrapped key until the next step), a store keeps the wrapped half.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mintline.aws.session import translated
from mintline.eth import address_of_public_key

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient

_SPKI_PREFIX = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a03420004")
"""SubjectPublicKeyInfo {id-ecPublicKey, secp256k1} up to an uncompressed point's coordinates (RFC 5480)."""

_FIELD_PRIME = 2**256 - 2**32 - 977


def address_of_spki(der: bytes) -> str:
    """Return the address of a secp256k1 public key in DER (SubjectPublicKeyInfo, 88 bytes, as KMS gives it).

    Raises ValueError for another curve, a compressed point, or a point that is not on the curve.
    """
    if len(der) != len(_SPKI_PREFIX) + 64 or not der.startswith(_SPKI_PREFIX):
        raise ValueError("not the SubjectPublicKeyInfo of an uncompressed secp256k1 key")
    x, y = int.from_bytes(der[-64:-32], "big"), int.from_bytes(der[-32:], "big")
    on_curve = (y * y - (x * x * x + 7)) % _FIELD_PRIME == 0
    if x >= _FIELD_PRIME or y >= _FIELD_PRIME or not on_curve:
        raise ValueError("not a point on secp256k1")
    return address_of_public_key(der[-65:])


@dataclass(frozen=True, slots=True)
class GeneratedKey:
    """A new key: its address, and its private half as KMS wrapped it."""

    address: str
    wrapped: bytes = field(repr=False)
    kms_key: str | None = None
    """The ARN of the KMS key that wrapped it."""


def encryption_context(subject: str, chain_id: int) -> dict[str, str]:
    """Return the context that a key is wrapped under; KMS unwraps it under no other."""
    return {"sub": subject, "chain": str(chain_id)}


async def generate_key(kms: KMSClient, *, key_id: str, subject: str, chain_id: int) -> GeneratedKey:
    """Have KMS make a secp256k1 pair and wrap its private half under the key `key_id` (an id, ARN or alias).

    Nobody sees the private half. `subject` is the user, or `platform:NAME`.
    Source: KMS API reference, GenerateDataKeyPairWithoutPlaintext.
    """
    with translated():
        pair = await kms.generate_data_key_pair_without_plaintext(
            KeyId=key_id,
            KeyPairSpec="ECC_SECG_P256K1",
            EncryptionContext=encryption_context(subject, chain_id),
        )
    return GeneratedKey(
        address=address_of_spki(pair["PublicKey"]),
        wrapped=pair["PrivateKeyCiphertextBlob"],
        kms_key=pair["KeyId"],
    )
