"""Keys in custody: made by KMS, kept wrapped in a store, unwrapped by the enclave alone.

A key's life begins in three steps, each safe to repeat: KMS makes the pair, the caller records the address
(its lock, and the only copy of the wrapped key until the next step), a store keeps the wrapped half.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from mintline.aws.errors import translated
from mintline.errors import Unavailable
from mintline.eth import address_of_public_key

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient

log = structlog.get_logger()

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


class WrongKmsKey(Unavailable):
    """Another KMS key answered than those of the deployment: an alias leads elsewhere, or KMS is not KMS."""


def check_kms_key(answered: str, pinned: Collection[str]) -> None:
    """Compare the `KeyId` of a KMS answer with the ARNs of the deployment's keys.

    Raises WrongKmsKey, which is logged as an error too: nothing of such an answer may be used.
    """
    if answered not in pinned:
        log.error("kms_key_mismatch", answered=answered[:300], pinned=list(pinned))
        raise WrongKmsKey("KMS: another key answered than the deployment's (kms_key_mismatch in the log)")


async def generate_key(
    kms: KMSClient, *, key_id: str, subject: str, chain_id: int, pinned: Collection[str] | None = None
) -> GeneratedKey:
    """Have KMS make a secp256k1 pair and wrap its private half under the key `key_id` (an id, ARN or alias).

    Nobody sees the private half. `subject` is the user, or `platform:NAME`. `pinned` are the ARNs of the keys
    that may answer, None for any: raises WrongKmsKey when another one does.
    Source: KMS API reference, GenerateDataKeyPairWithoutPlaintext.
    """
    with translated():
        pair = await kms.generate_data_key_pair_without_plaintext(
            KeyId=key_id,
            KeyPairSpec="ECC_SECG_P256K1",
            EncryptionContext=encryption_context(subject, chain_id),
        )
    if pinned is not None:
        check_kms_key(pair["KeyId"], pinned)
    return GeneratedKey(
        address=address_of_spki(pair["PublicKey"]),
        wrapped=pair["PrivateKeyCiphertextBlob"],
        kms_key=pair["KeyId"],
    )
