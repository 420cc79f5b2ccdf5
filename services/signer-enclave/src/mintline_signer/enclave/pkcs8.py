"""The private keys that KMS makes: PKCS#8 in DER (RFC 5958, RFC 5915)."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256K1,
    SECP256R1,
    EllipticCurve,
    EllipticCurvePrivateKey,
)
from cryptography.hazmat.primitives.serialization import load_der_private_key

from mintline_signer.errors import RefusalCode, Refused


def secp256k1_scalar(der: bytes | bytearray) -> bytearray:
    """Return the private scalar in 32 bytes, leading zeros included; raises Refused for anything else.

    Hazard: the parser and Python's integer keep copies of their own, which are freed but not overwritten.
    """
    key = _key_on(SECP256K1, der)
    return bytearray(key.private_numbers().private_value.to_bytes(32, "big"))


def p256_key(der: bytes | bytearray) -> EllipticCurvePrivateKey:
    """Return a private key on P-256; raises Refused for anything else."""
    return _key_on(SECP256R1, der)


def _key_on(curve: type[EllipticCurve], der: bytes | bytearray) -> EllipticCurvePrivateKey:
    try:
        key = load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused(RefusalCode.KEY_MALFORMED) from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, curve):
        raise Refused(RefusalCode.KEY_MALFORMED)
    return key
