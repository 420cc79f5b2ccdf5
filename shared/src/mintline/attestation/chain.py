"""The path from a pinned root to the certificate that signed a document.

Stricter than RFC 5280: every key is of P-384, every signature ECDSA with SHA-384, every critical extension
is one that is checked here, and the path is taken in the order given, never searched for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePublicKey
from cryptography.x509.oid import ExtensionOID, SignatureAlgorithmOID

from mintline.attestation.refusals import NotAttested, Reason

AWS_ROOT = bytes.fromhex("641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b")
"""SHA-256 of the DER of AWS's root G1: https://docs.aws.amazon.com/enclaves/latest/user/verify-root.html"""
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_CHECKED = {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE}


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
        for one in self._certificates:
            _check_algorithms(one)
            _check_validity(one, at)
        for issuer, one in zip(self._certificates, self._certificates[1:], strict=False):
            if one.issuer.public_bytes() != issuer.subject.public_bytes():
                raise NotAttested(Reason.WRONG_ORDER, f"{_name(one)} was not issued by the one before it.")
        for below, authority in enumerate(reversed(authorities)):
            _check_authority(authority, below)
        _check_leaf(leaf)

    @property
    def key(self) -> EllipticCurvePublicKey:
        """The leaf's key: not to be relied upon before `check_signatures`."""
        return _key_of(self._certificates[-1])

    def check_signatures(self) -> None:
        """Raise NotAttested unless each certificate is signed by the one before it."""
        for issuer, one in zip(self._certificates, self._certificates[1:], strict=False):
            try:
                one.verify_directly_issued_by(issuer)
            except (InvalidSignature, ValueError, TypeError):
                raise NotAttested(
                    Reason.CERTIFICATE_SIGNATURE, f"The signature of {_name(one)} does not match."
                ) from None


def _parsed(der: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        known = certificate.version is x509.Version.v3 and all(
            extension.oid in _CHECKED for extension in certificate.extensions if extension.critical
        )
        certificate.public_key()
    except _UNREADABLE:
        raise NotAttested(Reason.CERTIFICATE, "A certificate of the document cannot be read.") from None
    if not known:
        raise NotAttested(
            Reason.UNKNOWN_EXTENSION, f"{_name(certificate)} has a critical extension unknown here."
        )
    return certificate


def _key_of(certificate: x509.Certificate) -> EllipticCurvePublicKey:
    key = certificate.public_key()
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP384R1):
        raise NotAttested(Reason.WRONG_CURVE, f"The key of {_name(certificate)} is not of P-384.")
    return key


def _check_algorithms(certificate: x509.Certificate) -> None:
    _key_of(certificate)
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA384:
        raise NotAttested(Reason.ALGORITHM, f"{_name(certificate)} is not signed by ECDSA with SHA-384.")


def _check_validity(certificate: x509.Certificate, at: datetime) -> None:
    if at < certificate.not_valid_before_utc:
        raise NotAttested(Reason.NOT_YET_VALID, f"{_name(certificate)} is not valid yet at {at.isoformat()}.")
    if at > certificate.not_valid_after_utc:
        raise NotAttested(Reason.EXPIRED, f"{_name(certificate)} is not valid any more at {at.isoformat()}.")


def _check_authority(certificate: x509.Certificate, below: int) -> None:
    """Check one that issues; `below` is the number of authorities between it and the leaf."""
    constraints = _basic_constraints(certificate)
    if constraints is None or not constraints.critical or not constraints.value.ca:
        raise NotAttested(Reason.NOT_AN_AUTHORITY, f"{_name(certificate)} may not issue certificates.")
    length = constraints.value.path_length
    if length is not None and below > length:
        raise NotAttested(
            Reason.PATH_LENGTH, f"{_name(certificate)} may not have {below} authorities below it."
        )
    usage = _usage(certificate)
    if usage is None or not usage.key_cert_sign:
        raise NotAttested(Reason.KEY_USAGE, f"The key of {_name(certificate)} may not sign certificates.")


def _check_leaf(certificate: x509.Certificate) -> None:
    constraints = _basic_constraints(certificate)
    if constraints is not None and constraints.value.ca:
        raise NotAttested(
            Reason.KEY_USAGE, f"{_name(certificate)} is an authority, and no enclave's certificate."
        )
    usage = _usage(certificate)
    if usage is None or not usage.digital_signature or usage.key_cert_sign:
        raise NotAttested(
            Reason.KEY_USAGE, f"The key of {_name(certificate)} is not one that signs documents."
        )


def _basic_constraints(certificate: x509.Certificate) -> x509.Extension[x509.BasicConstraints] | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return None


def _usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "a certificate without a name"
