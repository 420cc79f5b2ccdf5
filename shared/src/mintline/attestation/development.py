"""An authority for development: it does for a process what the Nitro hypervisor does for an enclave.

Its root is trusted only where somebody names it; AWS's KMS never will. Anyone who holds the authority's file
can attest anything under that root, so only the process that plays the enclave may read it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP384R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from mintline.attestation import cose, document
from mintline.attestation.document import Document

LEAF_LIFETIME = timedelta(hours=3)
"""How long an enclave's certificate is valid, as AWS's."""
_LIFETIME = timedelta(days=3650)
_EARLIER = timedelta(minutes=1)
"""By how much a certificate's validity begins before it is made: the clocks of two processes differ."""
_PRIVATE = re.compile(rb"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----\n?", re.DOTALL)


@dataclass(frozen=True, slots=True, repr=False)
class Attester:
    """One enclave's certificate and its key: what signs documents."""

    key: EllipticCurvePrivateKey
    certificate: x509.Certificate
    cabundle: tuple[bytes, ...]

    def attest(
        self,
        *,
        module_id: str,
        at: datetime,
        pcrs: Mapping[int, bytes],
        public_key: bytes | None = None,
        user_data: bytes | None = None,
        nonce: bytes | None = None,
    ) -> bytes:
        """Return a signed document of that time."""
        attested = Document(
            module_id=module_id,
            timestamp=int(at.timestamp() * 1000),
            pcrs=pcrs,
            certificate=self.certificate.public_bytes(Encoding.DER),
            cabundle=self.cabundle,
            public_key=public_key,
            user_data=user_data,
            nonce=nonce,
        )
        return cose.write(document.write(attested), self.key)


@dataclass(frozen=True, slots=True, repr=False)
class DevelopmentAuthority:
    """An authority below a root of its own, whose key was thrown away when this one was certified."""

    key: EllipticCurvePrivateKey
    certificate: x509.Certificate
    root: x509.Certificate

    @classmethod
    def create(cls, *, now: datetime) -> DevelopmentAuthority:
        """Make a root and an authority, both valid for ten years."""
        root_key, key = generate_private_key(SECP384R1()), generate_private_key(SECP384R1())
        root_name, name = _name("mintline.development"), _name("authority.mintline.development")
        until = now + _LIFETIME
        root = _builder(root_name, root_name, root_key, now, until, below=1).sign(root_key, SHA384())
        certificate = _builder(root_name, name, key, now, until, below=0).sign(root_key, SHA384())
        return cls(key, certificate, root)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the root's DER: what a verifier trusts."""
        return self.root.fingerprint(SHA256())

    @classmethod
    def from_pem(cls, pem: bytes) -> DevelopmentAuthority:
        """Read what `to_pem` wrote; raises ValueError."""
        private = _PRIVATE.search(pem)
        try:
            certificates = x509.load_pem_x509_certificates(pem)
            key = load_pem_private_key(private[0], password=None) if private else None
        except ValueError:
            certificates, key = [], None
        if not isinstance(key, EllipticCurvePrivateKey) or len(certificates) != 2:
            raise ValueError("not a development authority: expected a private key and two certificates")
        return cls(key, *certificates)

    def to_pem(self) -> bytes:
        """Return key, certificate and root, in PEM."""
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private + self.certificate.public_bytes(Encoding.PEM) + self.root.public_bytes(Encoding.PEM)

    def attester(self, module_id: str, *, now: datetime) -> Attester:
        """Certify a new key for an enclave, for three hours."""
        key = generate_private_key(SECP384R1())
        name = _name(f"{module_id}.mintline.development")
        certificate = _builder(
            self.certificate.subject, name, key, now, now + LEAF_LIFETIME, below=None
        ).sign(self.key, SHA384())
        bundle = tuple(
            certificate.public_bytes(Encoding.DER) for certificate in (self.root, self.certificate)
        )
        return Attester(key, certificate, bundle)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    issuer: x509.Name,
    subject: x509.Name,
    key: EllipticCurvePrivateKey,
    since: datetime,
    until: datetime,
    *,
    below: int | None,
) -> x509.CertificateBuilder:
    """Return a certificate to be signed: an authority's with `below` others under it, or a leaf's (None)."""
    authority = below is not None
    usage = x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since - _EARLIER)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=below), critical=True)
        .add_extension(usage, critical=True)
    )
