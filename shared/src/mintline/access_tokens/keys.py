"""The public keys of issuers as they publish them (RFC 7517)."""

from __future__ import annotations

import base64
import re
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_KID = 256
"""Characters of a key id."""
MIN_KEY_BITS = 2048
MAX_KEY_BITS = 8192
_PART = re.compile(r"[A-Za-z0-9_-]*")
COORDINATE_BYTES = 32
"""Of a P-256 key, and each half of a signature by one."""


def unpadded_base64url(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515, section 2); raises ValueError for any other spelling."""
    if not _PART.fullmatch(text):
        raise ValueError("not base64url without padding")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("not the canonical base64url spelling")
    return data


def _base64url(text: str) -> str:
    unpadded_base64url(text)
    return text


Base64Url = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_base64url)]


class Jwk(BaseModel):
    """One RSA signing key of a user pool (RFC 7517); members that are not listed here are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    kty: Literal["RSA"]
    kid: str = Field(min_length=1, max_length=MAX_KID)
    use: Literal["sig"] = "sig"
    alg: Literal["RS256"] = "RS256"
    n: Base64Url
    e: Base64Url

    def key(self) -> RSAPublicKey:
        """Return the key; raises ValueError for one of another size, or none."""
        exponent, modulus = (int.from_bytes(unpadded_base64url(text), "big") for text in (self.e, self.n))
        if not MIN_KEY_BITS <= modulus.bit_length() <= MAX_KEY_BITS:
            raise ValueError(f"the key's modulus must have {MIN_KEY_BITS} to {MAX_KEY_BITS} bits")
        return RSAPublicNumbers(e=exponent, n=modulus).public_key()
