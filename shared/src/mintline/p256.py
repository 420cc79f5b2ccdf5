"""P-256 public keys as KMS gives them, and the ids by which envelopes and certificates name them."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

KEY_ID_BYTES = 8


def load_p256(spki: bytes) -> EllipticCurvePublicKey:
    """Read a SubjectPublicKeyInfo in DER; raises ValueError for anything but a P-256 key."""
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("not a public key in DER") from None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("not a P-256 public key")  # noqa: TRY004 - it is no type that the caller chose
    return key


def p256_key_id(key: EllipticCurvePublicKey) -> bytes:
    """Return the beginning of the SHA-256 of the key's uncompressed point."""
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return hashlib.sha256(point).digest()[:KEY_ID_BYTES]
