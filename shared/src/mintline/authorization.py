"""The authorization envelope: a user's request, the api's acceptance of it, and the user's token, encrypted.

The api signs what it accepts (`mintline.acceptance`) and seals the caller's own access token under the digest
of what the caller asked for. Nobody can make such an envelope without the api's session key; moved to another
request, it proves nothing and does not open.

::

    envelope = version (1 byte) ‖ acceptance (193 bytes) ‖ key id (8 bytes) ‖ HPKE output
    HPKE     = RFC 9180, base mode: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; `info` is the digest

Every enclave that KMS lets unwrap the private half can open it, so many of them share one queue. The digest
names the token id, so all of them, without any memory, sign for that one token or for none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from mintline.acceptance import STATEMENT_BYTES, Statement
from mintline.messages.parts import MAX_ENVELOPE
from mintline.p256 import KEY_ID_BYTES, load_p256, p256_key_id

VERSION = 2
_WITHOUT_ACCEPTANCE = 1
"""The version before there were acceptances."""
_KEY_ID_AT = 1 + STATEMENT_BYTES
_HEADER = _KEY_ID_AT + KEY_ID_BYTES
_SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_HPKE_BYTES = 65 + 16
"""The encapsulated key and the tag."""
MAX_TOKEN = MAX_ENVELOPE - _HEADER - _HPKE_BYTES
"""Bytes of the longest token whose envelope fits."""


class EnvelopeInvalid(ValueError):  # noqa: N818 - named for what happened
    """The envelope is none, or was made for another digest or another key."""


class AcceptanceMissing(EnvelopeInvalid):
    """The envelope is of the version that carried no acceptance."""


def key_id(spki: bytes) -> bytes:
    """Return the id by which envelopes name their key: of a SubjectPublicKeyInfo in DER, the point's hash."""
    return p256_key_id(load_p256(spki))


def private_key_id(key: EllipticCurvePrivateKey) -> bytes:
    """Return the id of the key whose private half this is."""
    return p256_key_id(key.public_key())


@dataclass(frozen=True, slots=True)
class PublicAuthorizationKey:
    """Seals with one public key: `spki` is its SubjectPublicKeyInfo in DER, as KMS gives it.

    Raises ValueError for anything but a P-256 key.
    """

    spki: bytes
    _key: EllipticCurvePublicKey = field(init=False, repr=False)
    _key_id: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        key = load_p256(self.spki)
        object.__setattr__(self, "_key", key)
        object.__setattr__(self, "_key_id", p256_key_id(key))

    def seal(self, token: str, digest: bytes, acceptance: Statement) -> bytes:
        """Return the envelope of a token and an acceptance for the request whose digest this is.

        Raises ValueError for a token of more than MAX_TOKEN bytes.
        """
        text = token.encode()
        if len(text) > MAX_TOKEN:
            raise ValueError(f"the token has {len(text)} bytes; an envelope holds {MAX_TOKEN}")
        header = bytes((VERSION,)) + acceptance.to_bytes() + self._key_id
        return header + _SUITE.encrypt(text, self._key, info=digest)


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope taken apart; its token is still sealed."""

    acceptance: Statement
    key_id: bytes
    """Of the key that it was sealed with."""
    sealed: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> Envelope:
        """Read an envelope; raises EnvelopeInvalid, AcceptanceMissing for one of the version before."""
        if data[:1] == bytes((_WITHOUT_ACCEPTANCE,)):
            raise AcceptanceMissing("this envelope of version 1 carries no acceptance")
        if len(data) <= _HEADER or data[0] != VERSION:
            raise EnvelopeInvalid("this is no envelope of version 2")
        return cls(
            acceptance=Statement.from_bytes(data[1:_KEY_ID_AT]),
            key_id=data[_KEY_ID_AT:_HEADER],
            sealed=data[_HEADER:],
        )

    def open(self, digest: bytes, key: EllipticCurvePrivateKey) -> str:
        """Return the token that was sealed for this very digest; raises EnvelopeInvalid."""
        try:
            return _SUITE.decrypt(self.sealed, key, info=digest).decode("ascii")
        except (InvalidTag, UnicodeDecodeError):
            raise EnvelopeInvalid("the envelope does not open for this request") from None
