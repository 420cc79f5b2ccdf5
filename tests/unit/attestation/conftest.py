"""A forge of attestation documents: sound ones like AWS's, and ones that are wrong in one respect."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP384R1,
    EllipticCurve,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mintline.attestation import cose, document
from mintline.attestation.document import Document

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEYS: dict[tuple[str, type[EllipticCurve]], EllipticCurvePrivateKey] = {}


def key_of(name: str, curve: type[EllipticCurve]) -> EllipticCurvePrivateKey:
    return KEYS.setdefault((name, curve), generate_private_key(curve()))


@dataclass(frozen=True)
class Link:
    """One certificate of a chain; `below` is its path length."""

    name: str
    ca: bool = True
    below: int | None = None
    constrained: bool = True
    critical: bool = True
    cert_sign: bool = True
    document_sign: bool = False
    usage: bool = True
    curve: type[EllipticCurve] = SECP384R1
    digest: SHA256 | SHA384 = field(default_factory=SHA384)
    since: datetime = NOW - timedelta(hours=1)
    until: datetime = NOW + timedelta(hours=1)
    issuer: str | None = None
    signed_by: str | None = None
    extension: x509.ExtensionType | None = None
    public_key: RSAPrivateKey | None = None


LINKS = (
    Link("root"),
    Link("region", below=2),
    Link("zone", below=1),
    Link("instance", below=0),
    Link("enclave", ca=False, cert_sign=False, document_sign=True),
)


def name_of(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def usage_of(link: Link) -> x509.KeyUsage:
    others = dict.fromkeys(
        (
            *("content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=link.document_sign, key_cert_sign=link.cert_sign, **others)


def certificate(link: Link, above: Link) -> bytes:
    public = (link.public_key or key_of(link.name, link.curve)).public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(link.name))
        .issuer_name(name_of(link.issuer or above.name))
        .public_key(public)
        .serial_number(1)
        .not_valid_before(link.since)
        .not_valid_after(link.until)
    )
    if link.constrained:
        constraints = x509.BasicConstraints(ca=link.ca, path_length=link.below if link.ca else None)
        builder = builder.add_extension(constraints, critical=link.critical)
    if link.usage:
        builder = builder.add_extension(usage_of(link), critical=True)
    if link.extension is not None:
        builder = builder.add_extension(link.extension, critical=True)
    signer = key_of(link.signed_by or above.name, above.curve)
    return builder.sign(signer, link.digest).public_bytes(Encoding.DER)


@dataclass(frozen=True)
class Forge:
    """Makes documents from a chain, whose links tests change."""

    links: tuple[Link, ...] = LINKS
    now: datetime = NOW

    def with_link(self, name: str, **changes: Any) -> Forge:
        links = tuple(replace(link, **changes) if link.name == name else link for link in self.links)
        return replace(self, links=links)

    def certificates(self) -> list[bytes]:
        above = (self.links[0], *self.links)
        return [certificate(link, issuer) for link, issuer in zip(self.links, above, strict=False)]

    def said(self, **changes: Any) -> Document:
        *bundle, leaf = self.certificates()
        attested = Document(
            module_id="i-0123-enc4567",
            timestamp=int(NOW.timestamp() * 1000),
            pcrs={index: bytes((index + 1,)) * 48 for index in range(5)},
            certificate=leaf,
            cabundle=tuple(bundle),
            public_key=b"a key",
        )
        return replace(attested, **changes)

    def signed(self, payload: bytes) -> bytes:
        leaf = self.links[-1]
        return cose.write(payload, key_of(leaf.name, leaf.curve))

    def document(self, **changes: Any) -> bytes:
        return self.signed(document.write(self.said(**changes)))

    @staticmethod
    def root_of(attestation: bytes) -> bytes:
        """Return the fingerprint that trusts the document's own root."""
        attested = document.read(cose.read(attestation).payload)
        return hashlib.sha256(attested.cabundle[0]).digest()

    @staticmethod
    def fields_of(attestation: bytes) -> dict[str, Any]:
        import cbor2

        fields: dict[str, Any] = cbor2.loads(cose.read(attestation).payload)
        return fields


@pytest.fixture
def forge() -> Forge:
    return Forge()
