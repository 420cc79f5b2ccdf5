"""A user pool that signs tokens as Cognito does, and wallets of users' own."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from mintline.eth import address_of_public_key
from mintline.scopes import MACHINE_SCOPES, SIGN_IN_SCOPES
from mintline_api.features.links.signatures import personal_hash

ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_TestPool"


CLIENT_ID = "test-client"


START = 1_795_398_654.0
"""Where the clock of the API harness starts, in Unix seconds."""


def base64url(data: bytes) -> str:
    """Return base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class UserPool:
    """A user pool that signs tokens as Cognito does."""

    def __init__(self, *, kid: str = "key-1") -> None:
        self.kid = kid
        self.private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwk(self) -> dict[str, Any]:
        """Return the pool's public key as its JWKS has it."""
        numbers = self.private_key.public_key().public_numbers()
        modulus, exponent = (
            base64url(number.to_bytes((number.bit_length() + 7) // 8)) for number in (numbers.n, numbers.e)
        )
        return {"kty": "RSA", "kid": self.kid, "alg": "RS256", "use": "sig", "n": modulus, "e": exponent}

    def claims(self, sub: str, *, now: float = START) -> dict[str, Any]:
        """Return the claims of a user's access token, good for an hour."""
        return {
            "sub": sub,
            "iss": ISSUER,
            "client_id": CLIENT_ID,
            "token_use": "access",
            "scope": " ".join(SIGN_IN_SCOPES),
            "iat": int(now),
            "exp": int(now) + 3600,
            "jti": "d8f1a1de-8f9f-4d1c-9a3a-4f4e0f5c9f1e",
            "username": sub,
        }

    def client_claims(self, client_id: str, *, now: float = START) -> dict[str, Any]:
        """Return the claims of a machine client's access token, good for an hour."""
        return {
            "sub": client_id,
            "iss": ISSUER,
            "client_id": client_id,
            "token_use": "access",
            "scope": " ".join(MACHINE_SCOPES),
            "iat": int(now),
            "exp": int(now) + 3600,
            "version": 2,
            "jti": "c5a9b3f2-6a4e-4f0a-9f38-8d1f7a9c0b21",
        }

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """Return a token of these claims, right or wrong; `header` overrides members of its header."""
        head = {"kid": self.kid, "alg": "RS256", **header}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        signature = self.private_key.sign(signed.encode(), PKCS1v15(), SHA256())
        return f"{signed}.{base64url(signature)}"


@dataclass(frozen=True, slots=True)
class OwnWallet:
    """A wallet of a user's own, whose key is a number."""

    key: int = 1

    @property
    def address(self) -> str:
        """The wallet's address."""
        return address_of_public_key(self._private().public_key.format(compressed=False))

    def sign(self, digest: bytes) -> bytes:
        """Return r‖s‖v over a hash."""
        signature = self._private().sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    def personal_sign(self, text: str) -> str:
        """Sign a text as wallets do (EIP-191)."""
        return "0x" + self.sign(personal_hash(text.encode())).hex()

    def _private(self) -> PrivateKey:
        return PrivateKey(self.key.to_bytes(32, "big"))
