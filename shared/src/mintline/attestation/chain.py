"""The path from a pinned root to the certificate that signed a document.

Stricter than RFC 5280: every key is of P-384, every signature ECDSA with SHA-384, every critical extension
is one that is checked here, and the path is taken in the order given, never searched for.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePublicKey
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtensionOID, SignatureAlgorithmOID

from mintline.attestation.refusals import NotAttested, Reason

AWS_ROOT = bytes.fromhex("641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b")
"""SHA-256 of the DER of AWS's root G1: https://docs.aws.amazon.com/enclaves/latest/user/verify-root.html"""
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    CryptographyDeprecationWarning,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_CHECKED = {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE}


@dataclass(frozen=True, slots=True)
class _Certificate:
    """One certificate, read whole: cryptography reads parts only when asked, and fails only then."""

    parsed: x509.Certificate
    name: str
    subject: bytes
    issuer: bytes
    since: datetime
    until: datetime
    key: EllipticCurvePublicKey
    constraints: x509.Extension[x509.BasicConstraints] | None
    usage: x509.KeyUsage | None


class Path:
    """Certificates from the root to the leaf, each checked for itself and against its neighbours.

    Invariant: everything but the signatures is checked when it is made, since that costs a hundredth of them.
    Raises NotAttested.
    """

    def __init__(self, bundle: Sequence[bytes], certificate: bytes, *, root: bytes, at: datetime) -> None:
        # A root of which the hash is pinned is, byte for byte, the pinned root.
        if hashlib.sha256(bundle[0]).digest() != root:
            raise NotAttested(Reason.FOREIGN_ROOT, "The document's root is not the trusted one.")
        self._certificates = [_parsed(der) for der in (*bundle, certificate)]
        authorities, leaf = self._certificates[:-1], self._certificates[-1]
        for member in self._certificates:
            _check_validity(member, at)
        for issuer, member in zip(self._certificates, self._certificates[1:], strict=False):
            if member.issuer != issuer.subject:
                raise NotAttested(Reason.WRONG_ORDER, f"{member.name} was not issued by the one before it.")
        for below, authority in enumerate(reversed(authorities)):
            _check_authority(authority, below)
        _check_leaf(leaf)

    @property
    def key(self) -> EllipticCurvePublicKey:
        """The leaf's key: not to be relied upon before `check_signatures`."""
        return self._certificates[-1].key

    def check_signatures(self) -> None:
        """Raise NotAttested unless each certificate is signed by the one before it."""
        for issuer, certificate in zip(self._certificates, self._certificates[1:], strict=False):
            try:
                certificate.parsed.verify_directly_issued_by(issuer.parsed)
            except (InvalidSignature, *_UNREADABLE):
                raise NotAttested(
                    Reason.CERTIFICATE_SIGNATURE, f"The signature of {certificate.name} does not match."
                ) from None


def _parsed(der: bytes) -> _Certificate:
    try:
        # What cryptography reads with a warning only, such as a serial number below one, is refused here.
        with warnings.catch_warnings():
            warnings.simplefilter("error", CryptographyDeprecationWarning)
            parsed = x509.load_der_x509_certificate(der)
        name = parsed.subject.rfc4514_string() or "a certificate without a name"
        key, extensions = parsed.public_key(), parsed.extensions
        algorithm, version = parsed.signature_algorithm_oid, parsed.version
        subject, issuer = parsed.subject.public_bytes(), parsed.issuer.public_bytes()
        since, until = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    except _UNREADABLE:
        raise NotAttested(Reason.CERTIFICATE, "A certificate of the document cannot be read.") from None
    if version is not x509.Version.v3 or any(e.critical and e.oid not in _CHECKED for e in extensions):
        raise NotAttested(Reason.UNKNOWN_EXTENSION, f"{name} has an unknown critical extension.")
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP384R1):
        raise NotAttested(Reason.WRONG_CURVE, f"The key of {name} is not of P-384.")
    if algorithm != SignatureAlgorithmOID.ECDSA_WITH_SHA384:
        raise NotAttested(Reason.ALGORITHM, f"{name} is not signed by ECDSA with SHA-384.")
    constraints = usage = None
    for extension in extensions:
        if isinstance(extension.value, x509.BasicConstraints):
            constraints = extension
        elif isinstance(extension.value, x509.KeyUsage):
            usage = extension.value
    return _Certificate(parsed, name, subject, issuer, since, until, key, constraints, usage)


def _check_validity(certificate: _Certificate, at: datetime) -> None:
    name = certificate.name
    if at < certificate.since:
        raise NotAttested(Reason.NOT_YET_VALID, f"{name} is not valid yet at {at.isoformat()}.")
    if at > certificate.until:
        raise NotAttested(Reason.EXPIRED, f"{name} is not valid any more at {at.isoformat()}.")


def _check_authority(certificate: _Certificate, below: int) -> None:
    """Check one that issues; `below` is the number of authorities between it and the leaf."""
    name, constraints, usage = certificate.name, certificate.constraints, certificate.usage
    if constraints is None or not constraints.critical or not constraints.value.ca:
        raise NotAttested(Reason.NOT_AN_AUTHORITY, f"{name} may not issue certificates.")
    length = constraints.value.path_length
    if length is not None and below > length:
        raise NotAttested(Reason.PATH_LENGTH, f"{name} has {below} authorities below it.")
    if usage is None or not usage.key_cert_sign:
        raise NotAttested(Reason.KEY_USAGE, f"The key of {name} may not sign certificates.")


def _check_leaf(certificate: _Certificate) -> None:
    name, constraints, usage = certificate.name, certificate.constraints, certificate.usage
    if constraints is not None and constraints.value.ca:
        raise NotAttested(Reason.KEY_USAGE, f"{name} is an authority, not an enclave.")
    if usage is None or not usage.digital_signature or usage.key_cert_sign:
        raise NotAttested(Reason.KEY_USAGE, f"The key of {name} may not sign documents.")
