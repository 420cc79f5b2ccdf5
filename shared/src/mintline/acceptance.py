"""What the api vouches for: statements signed by a session key that the platform's intake key certified.

::

    intake key (KMS, P-256) ──certifies──▶ session key (Ed25519, of one api process) ──signs──▶ statement

    certificate = version (1) ‖ intake key id (8) ‖ session key (32) ‖ from (8) ‖ until (8) ‖ r‖s (64)
    statement   = certificate (121) ‖ at (8) ‖ signature (64)

The intake key's private half never leaves KMS, and only the api's role may have it sign. The enclave has its
public half in its measured policy. A session key lives in one process's memory, for two hours at most.
Times are Unix milliseconds; all numbers are big-endian.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mintline.p256 import KEY_ID_BYTES, load_p256, p256_key_id

VERSION = 1
MAX_VALIDITY = 2 * 3600 * 1000
"""Milliseconds that a certificate may be valid for."""
LEEWAY = 300_000
"""Milliseconds that the clock of an api process may be ahead of an enclave's."""
ACCEPTANCE = b"mintline/acceptance/1"
"""The domain of acceptances: the fields are an authorization's digest and the user's `sub`."""

_CERTIFICATE_DOMAIN = b"mintline/intake-certificate/1"
_SIGNED_BYTES = 1 + KEY_ID_BYTES + 32 + 8 + 8
_SCALAR = 32
CERTIFICATE_BYTES = _SIGNED_BYTES + 2 * _SCALAR
STATEMENT_BYTES = CERTIFICATE_BYTES + 8 + 64
_REMEMBERED = 256


class Fault(StrEnum):
    """Why a statement proves nothing."""

    MALFORMED = "malformed"
    KEY = "key"
    """The certificate names an intake key that is not known."""
    CERTIFICATE = "certificate"
    """The certificate is not the intake key's, or is valid for too long."""
    TIME = "time"
    """The statement was not made while its certificate was valid, or is of the future."""
    SIGNATURE = "signature"
    """The session key signed something else."""


class NotVouchedFor(ValueError):  # noqa: N818 - named for what it means
    """A statement that proves nothing; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Certificate:
    """An intake key's certificate of a session key; `not_before` and `not_after` are Unix milliseconds."""

    intake_key_id: bytes
    session_key: bytes
    """Ed25519, 32 bytes."""
    not_before: int
    not_after: int
    signature: bytes = b""
    """r‖s; empty until the intake key has signed."""

    def to_sign(self) -> bytes:
        """Return what the intake key signs, with ECDSA over SHA-256."""
        return _CERTIFICATE_DOMAIN + self._signed()

    def signed(self, der: bytes) -> Certificate:
        """Return the certificate with the intake key's signature, which KMS gives in DER.

        Raises ValueError for bytes that are no signature.
        """
        r, s = decode_dss_signature(der)
        try:
            signature = r.to_bytes(_SCALAR, "big") + s.to_bytes(_SCALAR, "big")
        except OverflowError:
            raise ValueError("not a P-256 signature") from None
        return Certificate(
            self.intake_key_id, self.session_key, self.not_before, self.not_after, signature=signature
        )

    def to_bytes(self) -> bytes:
        """Return the certificate as statements carry it."""
        return self._signed() + self.signature

    @classmethod
    def from_bytes(cls, data: bytes) -> Certificate:
        """Read a certificate; raises NotVouchedFor for what is none."""
        if len(data) != CERTIFICATE_BYTES or data[0] != VERSION:
            raise NotVouchedFor(Fault.MALFORMED)
        return cls(
            intake_key_id=data[1:9],
            session_key=data[9:41],
            not_before=int.from_bytes(data[41:49], "big"),
            not_after=int.from_bytes(data[49:57], "big"),
            signature=data[_SIGNED_BYTES:],
        )

    def verify(self, intake: EllipticCurvePublicKey) -> None:
        """Raise NotVouchedFor unless the intake key signed this, for no longer than is allowed."""
        r, s = (int.from_bytes(part, "big") for part in (self.signature[:_SCALAR], self.signature[_SCALAR:]))
        try:
            intake.verify(encode_dss_signature(r, s), self.to_sign(), ECDSA(SHA256()))
        except InvalidSignature:
            raise NotVouchedFor(Fault.CERTIFICATE) from None
        if not 0 < self.not_after - self.not_before <= MAX_VALIDITY:
            raise NotVouchedFor(Fault.CERTIFICATE)

    def covers(self, at: int) -> bool:
        """Tell whether a moment lies within the certificate's validity."""
        return self.not_before <= at < self.not_after

    def _signed(self) -> bytes:
        validity = self.not_before.to_bytes(8, "big") + self.not_after.to_bytes(8, "big")
        return bytes((VERSION,)) + self.intake_key_id + self.session_key + validity


@dataclass(frozen=True, slots=True)
class Statement:
    """Something that an api process vouches for, without what that is; `at` is Unix milliseconds."""

    certificate: bytes
    at: int
    signature: bytes

    def to_bytes(self) -> bytes:
        """Return the statement as it is carried, STATEMENT_BYTES long."""
        return self.certificate + self.at.to_bytes(8, "big") + self.signature

    @classmethod
    def from_bytes(cls, data: bytes) -> Statement:
        """Read a statement; raises NotVouchedFor for what is none."""
        if len(data) != STATEMENT_BYTES:
            raise NotVouchedFor(Fault.MALFORMED)
        at = int.from_bytes(data[CERTIFICATE_BYTES : CERTIFICATE_BYTES + 8], "big")
        return cls(data[:CERTIFICATE_BYTES], at, data[CERTIFICATE_BYTES + 8 :])


@dataclass(frozen=True, slots=True)
class Session:
    """A session key with its certificate: what an api process signs statements with."""

    key: Ed25519PrivateKey = field(repr=False)
    certificate: Certificate

    def state(self, domain: bytes, *fields: bytes, at: int) -> Statement:
        """Return the signed statement of `fields` under a domain of their own; `at` is Unix milliseconds.

        Raises ValueError at a time when the certificate is not valid.
        """
        if not self.certificate.covers(at):
            raise ValueError("the certificate is not valid at that time")
        signature = self.key.sign(_signed_fields(domain, at, fields))
        return Statement(self.certificate.to_bytes(), at, signature)


def request_certificate(
    key: Ed25519PrivateKey, intake: EllipticCurvePublicKey, *, not_before: int, not_after: int
) -> Certificate:
    """Return the certificate of a session key, for the intake key to sign; times are Unix milliseconds."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Certificate(p256_key_id(intake), public, not_before, not_after)


class Statements:
    """Verifies statements by the intake keys that are known; remembers certificates that it has verified.

    A remembered certificate spares its ECDSA verification alone: times are compared on every call.
    """

    def __init__(self, intake_keys: Iterable[bytes], *, remembered: int = _REMEMBERED) -> None:
        """Take the intake keys as SubjectPublicKeyInfo in DER; raises ValueError for other keys."""
        keys = [load_p256(spki) for spki in intake_keys]
        self._keys: Mapping[bytes, EllipticCurvePublicKey] = {p256_key_id(key): key for key in keys}
        self._remembered = remembered
        self._verified: OrderedDict[bytes, tuple[Certificate, Ed25519PublicKey]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._verified)

    def verify(self, statement: Statement, domain: bytes, *fields: bytes, now: int) -> None:
        """Raise NotVouchedFor unless an api process stated these fields; `now` is Unix milliseconds."""
        certificate, key = self._certificate(statement.certificate)
        if not certificate.covers(statement.at) or statement.at > now + LEEWAY:
            raise NotVouchedFor(Fault.TIME)
        try:
            key.verify(statement.signature, _signed_fields(domain, statement.at, fields))
        except InvalidSignature:
            raise NotVouchedFor(Fault.SIGNATURE) from None

    def _certificate(self, data: bytes) -> tuple[Certificate, Ed25519PublicKey]:
        if (known := self._verified.get(data)) is not None:
            self._verified.move_to_end(data)
            return known
        certificate = Certificate.from_bytes(data)
        intake = self._keys.get(certificate.intake_key_id)
        if intake is None:
            raise NotVouchedFor(Fault.KEY)
        certificate.verify(intake)
        verified = certificate, Ed25519PublicKey.from_public_bytes(certificate.session_key)
        self._verified[data] = verified
        if len(self._verified) > self._remembered:
            self._verified.popitem(last=False)
        return verified


def _signed_fields(domain: bytes, at: int, fields: Iterable[bytes]) -> bytes:
    """Return domain, time and fields, each after its length: no two lists are the same bytes."""
    parts = (domain, at.to_bytes(8, "big"), *fields)
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
