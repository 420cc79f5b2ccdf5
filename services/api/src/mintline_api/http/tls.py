"""TLS between the load balancer and this process, with a certificate that the process makes for itself.

It keeps what passes from those who read the network's packets. It proves nothing to the balancer, which
checks no certificate of its targets. Source: Elastic Load Balancing user guide for Application Load
Balancers, "Target groups", routing configuration.
"""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_NAME = "mintline-api"
_LONGER_THAN_ANY_PROCESS = timedelta(days=3650)


def self_signed(now: datetime | None = None) -> ssl.SSLContext:
    """Return what serves TLS 1.2 and 1.3 with a new key, which is in this process's memory alone."""
    made_at = now or datetime.now(UTC)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(context, _key_and_certificate(made_at))
    return context


def _key_and_certificate(now: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LONGER_THAN_ANY_PROCESS)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + certificate.public_bytes(pem)


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """Load what `ssl` reads of a file alone; the task's files are read-only, so the file is in memory."""
    if sys.platform == "linux":
        with os.fdopen(os.memfd_create("certificate"), "wb", buffering=0) as file:
            file.write(pem)
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    else:
        with tempfile.NamedTemporaryFile() as stored:
            stored.write(pem)
            stored.flush()
            context.load_cert_chain(stored.name)
