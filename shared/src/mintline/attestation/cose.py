"""COSE_Sign1 (RFC 9052, section 4.2) with ES384 (RFC 9053), as the Nitro Security Module writes it."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from mintline.attestation.refusals import NotAttested, Reason
from mintline.strict_cbor import MalformedCbor, dumps, loads

MAX_LENGTH = 0x3000
"""Bytes of a document at most: the NSM's own answer has no more room."""
_TAG_18 = b"\xd2"
_SCALAR = 48
_PROTECTED = dumps({1: -35})
"""Header 1 (alg) is -35 (ES384), and no other header is protected."""


@dataclass(frozen=True, slots=True)
class Sign1:
    """A signed payload whose signature (r‖s, 96 bytes) has not been checked."""

    payload: bytes
    signature: bytes

    def check(self, key: EllipticCurvePublicKey) -> None:
        """Raise NotAttested unless `key` (P-384) signed the payload."""
        r, s = (int.from_bytes(half, "big") for half in (self.signature[:_SCALAR], self.signature[_SCALAR:]))
        try:
            key.verify(encode_dss_signature(r, s), _signed_bytes(self.payload), ECDSA(SHA384()))
        except InvalidSignature:
            raise NotAttested(Reason.SIGNATURE, "The document's signature does not match it.") from None


def _signed_bytes(payload: bytes) -> bytes:
    return dumps(["Signature1", _PROTECTED, b"", payload])


def read(document: bytes) -> Sign1:
    """Take a COSE_Sign1 apart, tagged or not; raises NotAttested."""
    if len(document) > MAX_LENGTH:
        raise NotAttested(Reason.TOO_LONG, f"The document has more than {MAX_LENGTH} bytes.")
    try:
        parts = loads(document.removeprefix(_TAG_18), max_depth=2)
    except MalformedCbor as fault:
        raise NotAttested(Reason.NOT_CBOR, f"The document is {fault}.") from None
    match parts:
        case [bytes(protected), dict(unprotected), bytes(payload), bytes(signature)] if not unprotected:
            pass
        case _:
            raise NotAttested(
                Reason.NOT_SIGN1, "The document is not a COSE_Sign1 without unprotected headers."
            )
    if protected != _PROTECTED or len(signature) != 2 * _SCALAR:
        raise NotAttested(Reason.ALGORITHM, "The document is not signed by ES384 alone.")
    return Sign1(payload, signature)


def write(payload: bytes, key: EllipticCurvePrivateKey) -> bytes:
    """Sign a payload; `key` is of P-384."""
    r, s = decode_dss_signature(key.sign(_signed_bytes(payload), ECDSA(SHA384())))
    return dumps([_PROTECTED, {}, payload, r.to_bytes(_SCALAR, "big") + s.to_bytes(_SCALAR, "big")])
