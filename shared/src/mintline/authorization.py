"""The user's authorization, sealed by the api so that the enclaves alone can read it.

The api seals the caller's own access token under the digest of what the caller asked for. Nobody can make
such an envelope without the token; moved to another request, it does not open.

::

    envelope = version (1 byte) ‖ key id (8 bytes) ‖ HPKE output
    HPKE     = RFC 9180, base mode: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; `info` is the digest

Every enclave that KMS lets unwrap the private half can open it, so many of them share one queue.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

VERSION = 1
KEY_ID_BYTES = 8
SEALING_SUBJECT = "platform:sealing"
"""`sub` of the sealing key's KMS encryption context."""
_HEADER = 1 + KEY_ID_BYTES
_SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class SealBroken(ValueError):  # noqa: N818 - named for what happened
    """The envelope is none, or was made for another digest or another key."""


def mint_digest(
    *,
    mint_id: str,
    sub: str,
    chain_id: int,
    contract: str,
    to: str,
    metadata_digest: bytes,
    sender: str,
) -> bytes:
    """Return what a user authorizes by asking for a custodial mint, 32 bytes.

    `sub` is the user, `sender` the user's wallet in custody, which redeems the voucher.
    """
    return _digest(
        b"mintline/authorization/mint/1",
        mint_id.encode(),
        sub.encode(),
        chain_id.to_bytes(32, "big"),
        _address(contract),
        _address(to),
        metadata_digest,
        _address(sender),
    )


def voucher_digest(*, mint_id: str, chain_id: int, contract: str, to: str, metadata_digest: bytes) -> bytes:
    """Return what a user authorizes by asking for a voucher alone, 32 bytes.

    No key of the user's is in custody here, so any user of ours may ask.
    """
    return _digest(
        b"mintline/authorization/voucher/1",
        mint_id.encode(),
        chain_id.to_bytes(32, "big"),
        _address(contract),
        _address(to),
        metadata_digest,
    )


def transfer_digest(
    *, request_id: str, sub: str, chain_id: int, contract: str, token_id: int, sender: str, to: str
) -> bytes:
    """Return what a user authorizes by asking for a token to be sent out of custody, 32 bytes."""
    return _digest(
        b"mintline/authorization/transfer/1",
        request_id.encode(),
        sub.encode(),
        chain_id.to_bytes(32, "big"),
        _address(contract),
        token_id.to_bytes(32, "big"),
        _address(sender),
        _address(to),
    )


def burn_digest(
    *, request_id: str, sub: str, chain_id: int, contract: str, token_id: int, sender: str
) -> bytes:
    """Return what a user authorizes by asking for a token to be burned, 32 bytes."""
    return _digest(
        b"mintline/authorization/burn/1",
        request_id.encode(),
        sub.encode(),
        chain_id.to_bytes(32, "big"),
        _address(contract),
        token_id.to_bytes(32, "big"),
        _address(sender),
    )


def _address(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _digest(domain: bytes, *fields: bytes) -> bytes:
    """Return the SHA-256 of domain and fields, each after its length: no two lists are the same bytes."""
    return hashlib.sha256(
        b"".join(len(part).to_bytes(4, "big") + part for part in (domain, *fields))
    ).digest()


def key_id(spki: bytes) -> bytes:
    """Return the id by which envelopes name their key: of a SubjectPublicKeyInfo in DER, the point's hash."""
    return _id_of(_p256(spki))


def private_key_id(key: EllipticCurvePrivateKey) -> bytes:
    """Return the id of the key whose private half this is."""
    return _id_of(key.public_key())


def _id_of(key: EllipticCurvePublicKey) -> bytes:
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return hashlib.sha256(point).digest()[:KEY_ID_BYTES]


def _p256(spki: bytes) -> EllipticCurvePublicKey:
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("not a public key in DER") from None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("not a P-256 public key")  # noqa: TRY004 - it is no type that the caller chose
    return key


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals with one public key: `spki` is its SubjectPublicKeyInfo in DER, as KMS gives it.

    Raises ValueError for anything but a P-256 key.
    """

    spki: bytes
    _key: EllipticCurvePublicKey = field(init=False, repr=False)
    _header: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        key = _p256(self.spki)
        object.__setattr__(self, "_key", key)
        object.__setattr__(self, "_header", bytes((VERSION,)) + _id_of(key))

    def seal(self, token: str, digest: bytes) -> bytes:
        """Return the envelope of a token for the request whose digest this is."""
        return self._header + _SUITE.encrypt(token.encode(), self._key, info=digest)


def sealed_for(envelope: bytes) -> bytes:
    """Return the id of the key that an envelope was sealed with; raises SealBroken."""
    if len(envelope) <= _HEADER or envelope[0] != VERSION:
        raise SealBroken("this is no envelope of version 1")
    return envelope[1:_HEADER]


def unseal(envelope: bytes, digest: bytes, key: EllipticCurvePrivateKey) -> str:
    """Return the token that was sealed for this very digest; raises SealBroken."""
    sealed_for(envelope)
    try:
        return _SUITE.decrypt(envelope[_HEADER:], key, info=digest).decode("ascii")
    except (InvalidTag, UnicodeDecodeError):
        raise SealBroken("the envelope does not open for this request") from None
