"""The private keys that KMS makes: PKCS#8 in DER (RFC 5958, RFC 5915)."""

from __future__ import annotations

from typing import NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from mintline_signer.errors import EnclaveRefusal, RefusalCode

_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30
_KIND = (b"\x00", b"\x01", bytes.fromhex("06072a8648ce3d020106052b8104000a"))
"""Both versions, and the algorithm: id-ecPublicKey on secp256k1 (RFC 5480, SEC 2)."""
_SCALAR = 32


def secp256k1_scalar(der: bytes | bytearray) -> bytearray:
    """Return the private scalar in 32 bytes, leading zeros included; raises EnclaveRefusal for anything else.

    Invariant: no copy of the scalar is made but the one that is returned.
    """
    with memoryview(der) as whole:
        info, tail = _element(whole, _SEQUENCE)
        version, rest = _element(info, _INTEGER)
        algorithm, rest = _element(rest, _SEQUENCE)
        wrapped, _ = _element(rest, _OCTETS)
        private, more = _element(wrapped, _SEQUENCE)
        inner, rest = _element(private, _INTEGER)
        scalar, _ = _element(rest, _OCTETS)
        if tail or more or (bytes(version), bytes(inner), bytes(algorithm)) != _KIND:
            _refuse()
        if not 0 < len(scalar) <= _SCALAR:
            _refuse()
        padded = bytearray(_SCALAR)
        padded[_SCALAR - len(scalar) :] = scalar
        return padded


def _element(data: memoryview, tag: int) -> tuple[memoryview, memoryview]:
    """Return the content of the element that `data` begins with, and what follows it."""
    if len(data) < 2 or data[0] != tag:
        _refuse()
    start, length = 2, data[1]
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
        # DER has one form of each length; more than two bytes of it is more than KMS ever wraps.
        if start > 4 or length < 0x80 or (start == 4 and length < 0x100):
            _refuse()
    end = start + length
    if end > len(data):
        _refuse()
    return data[start:end], data[end:]


def _refuse() -> NoReturn:
    raise EnclaveRefusal(RefusalCode.KEY_MALFORMED)


def p256_key(der: bytes | bytearray) -> EllipticCurvePrivateKey:
    """Return a private key on P-256; raises EnclaveRefusal for anything else."""
    try:
        key = load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        _refuse()
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        _refuse()
    return key
