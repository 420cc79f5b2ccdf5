"""Signatures of the Standard Webhooks convention.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with
PUBLIC_PREFIX = "whpk_"
ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
_BYTES = 32
_PACKED = 2 * _BYTES


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """What one version of a webhook's secret signs with: HMAC-SHA256 (`v1`), and Ed25519 (`v1a`)."""

    symmetric: bytes = field(repr=False)
    """Known to the receiver too: 32 bytes."""
    seed: bytes = field(repr=False)
    """The Ed25519 private key (RFC 8032), 32 bytes, whose public half the receiver may have."""

    @classmethod
    def new(cls, entropy: Callable[[int], bytes]) -> Self:
        """Return a new one; `entropy` returns as many random bytes as it is asked for."""
        return cls(symmetric=entropy(_BYTES), seed=entropy(_BYTES))

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Return what `pack` packed; raises ValueError for anything else."""
        if len(packed) != _PACKED:
            raise ValueError("not the signing secret of a webhook")
        return cls(symmetric=packed[:_BYTES], seed=packed[_BYTES:])

    def pack(self) -> bytes:
        """Return it as bytes, which KMS encrypts."""
        return self.symmetric + self.seed

    @property
    def secret(self) -> str:
        """The shared secret as the receiver gets it: `whsec_` and base64."""
        return SECRET_PREFIX + base64.b64encode(self.symmetric).decode()

    @property
    def public_key(self) -> str:
        """The public key as the receiver gets it: `whpk_` and base64."""
        key = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return PUBLIC_PREFIX + base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def signatures(self, content: bytes) -> tuple[str, str]:
        """Return the signatures `v1,…` and `v1a,…` of some content."""
        shared = hmac.digest(self.symmetric, content, hashlib.sha256)
        own = Ed25519PrivateKey.from_private_bytes(self.seed).sign(content)
        return f"v1,{base64.b64encode(shared).decode()}", f"v1a,{base64.b64encode(own).decode()}"


def signed_headers(
    event_id: str, body: bytes, *, timestamp: int, secrets: Iterable[SigningSecret]
) -> dict[str, str]:
    """Return the headers of one delivery; `timestamp` is that of the attempt, in Unix seconds.

    Each secret adds two signatures, so that a receiver may use any of them while one replaces another.
    """
    content = f"{event_id}.{timestamp}.".encode() + body
    signatures = [signature for secret in secrets for signature in secret.signatures(content)]
    return {
        ID_HEADER: event_id,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: " ".join(signatures),
    }
