"""The form of an access token and its signature (RFC 7515)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from mintline import strict_json
from mintline.access_tokens.claims import read_claims
from mintline.access_tokens.keys import COORDINATE_BYTES, MAX_KID, unpadded_base64url
from mintline.access_tokens.rules import Algorithm, BadToken, Claims, PublicKey, TokenFault, TokenRules
from mintline.strict_json import AmbiguousJson, NotJson

MAX_TOKEN = 8192
"""Characters of a token."""
MAX_DEPTH = 8
"""Levels of nesting of header and claims."""
_OTHER_FORMS = ("crit", "b64", "enc", "zip", "cty")
"""Header members that change what the signature covers, or how the payload reads."""
_TYPES = ("JWT", "at+jwt")


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token whose form and algorithm are right. Nothing that it says is believed yet."""

    kid: str
    """The key id that the token names."""
    algorithm: Algorithm
    _signed: bytes = field(repr=False)
    _payload: bytes = field(repr=False)
    _signature: bytes = field(repr=False)

    @property
    def claimed_issuer(self) -> str | None:
        """Return the `iss` that the token names, by which its rules and keys are chosen; None without one."""
        try:
            issuer = _object(self._payload).get("iss")
        except BadToken:
            return None
        return issuer if isinstance(issuer, str) else None

    def check_algorithm(self, rules: TokenRules) -> None:
        """Raise BadToken unless the issuer signs by the token's algorithm."""
        if self.algorithm not in rules.algorithms:
            expected = " or ".join(sorted(rules.algorithms))
            raise BadToken(TokenFault.ALGORITHM, f"The token is not signed with {expected}.")

    def claims(self, key: PublicKey, rules: TokenRules) -> Claims:
        """Verify the signature, then the claims; raises BadToken. The caller checks the time."""
        self.check_algorithm(rules)
        try:
            self._verify(key)
        except InvalidSignature:
            raise BadToken(TokenFault.SIGNATURE, "The token's signature does not verify.") from None
        return read_claims(_object(self._payload), rules)

    def _verify(self, key: PublicKey) -> None:
        """Raise InvalidSignature unless the key, of the algorithm's kind, made the signature."""
        if isinstance(key, RSAPublicKey) and self.algorithm == "RS256":
            key.verify(self._signature, self._signed, PKCS1v15(), SHA256())
        elif isinstance(key, EllipticCurvePublicKey) and self.algorithm == "ES256":
            # r‖s, 32 bytes each (RFC 7518, section 3.4).
            if len(self._signature) != 2 * COORDINATE_BYTES:
                raise InvalidSignature
            halves = self._signature[:COORDINATE_BYTES], self._signature[COORDINATE_BYTES:]
            r, s = (int.from_bytes(half, "big") for half in halves)
            key.verify(encode_dss_signature(r, s), self._signed, ECDSA(SHA256()))
        else:
            raise InvalidSignature


def read(token: str) -> Unverified:
    """Take a token apart; raises BadToken unless it is a compact JWS by RS256 or ES256 that names its key."""
    if not token.isascii() or len(token) > MAX_TOKEN:
        raise _malformed()
    parts = token.split(".")
    if len(parts) != 3:
        raise _malformed()
    header_part, payload_part, signature_part = parts
    header = _object(_decoded(header_part))
    payload, signature = _decoded(payload_part), _decoded(signature_part)
    algorithm = header.get("alg")
    if algorithm not in ("RS256", "ES256"):
        raise BadToken(TokenFault.ALGORITHM, "The token is not signed with RS256.")
    if any(name in header for name in _OTHER_FORMS) or header.get("typ", "JWT") not in _TYPES:
        raise BadToken(TokenFault.ALGORITHM, "The token is not a plainly signed JSON Web Token.")
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID:
        raise unknown_key()
    return Unverified(kid, algorithm, f"{header_part}.{payload_part}".encode(), payload, signature)


def unknown_key() -> BadToken:
    """Return the fault of a token that names no key of the pool."""
    return BadToken(TokenFault.KEY, "The token names a signing key that the user pool does not have.")


def unknown_issuer() -> BadToken:
    """Return the fault of a token whose issuer is none of those that are configured."""
    return BadToken(TokenFault.ISSUER, "The token comes from an issuer that is not accepted here.")


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = strict_json.parse(data, max_depth=MAX_DEPTH)
    except (NotJson, AmbiguousJson):
        raise _malformed() from None
    if not isinstance(value, dict):
        raise _malformed()
    return value


def _decoded(part: str) -> bytes:
    try:
        return unpadded_base64url(part)
    except ValueError:
        raise _malformed() from None


def _malformed() -> BadToken:
    return BadToken(TokenFault.MALFORMED, "The bearer token is not a well-formed JSON Web Token.")
