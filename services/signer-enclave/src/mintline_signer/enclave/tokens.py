"""Cognito access tokens, as the enclave verifies them: against the keys in its policy, by no library but one.

Source: RFC 7515 and 7518 (JWS, RS256); "Verifying JSON web tokens" in Amazon Cognito's developer guide.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mintline.messages import Frozen
from mintline_signer.errors import RefusalCode, Refused

LEEWAY = 10.0
"""Seconds forgiven to clocks."""
_MIN_KEY_BITS = 2048
_MAX_TOKEN = 8192
_REMEMBERED = 50_000


def _number(text: str) -> int:
    return int.from_bytes(_unpadded(text), "big")


def _unpadded(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515, section 2); raises ValueError for any other spelling."""
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise ValueError("not the one base64url spelling")
    return data


def _base64url(text: str) -> str:
    _unpadded(text)
    return text


Base64Url = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_base64url)]


class Jwk(BaseModel):
    """One RSA signing key of a user pool (RFC 7517); what else it says of itself is of no use here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kty: Literal["RSA"]
    kid: str = Field(min_length=1, max_length=256)
    n: Base64Url
    e: Base64Url

    def key(self) -> RSAPublicKey:
        """Return the key; raises ValueError for one that is too short, or none."""
        key = RSAPublicNumbers(e=_number(self.e), n=_number(self.n)).public_key()
        if key.key_size < _MIN_KEY_BITS:
            raise ValueError(f"the key {self.kid} has fewer than {_MIN_KEY_BITS} bits")
        return key


def _sound(keys: tuple[Jwk, ...]) -> tuple[Jwk, ...]:
    for key in keys:
        key.key()
    if len({key.kid for key in keys}) != len(keys):
        raise ValueError("two keys have one id")
    return keys


class Jwks(Frozen):
    """A user pool's signing keys."""

    keys: Annotated[tuple[Jwk, ...], Field(min_length=1, max_length=16), AfterValidator(_sound)]


class AuthorizationPolicy(Frozen):
    """Whose tokens count as a user's word, and for how long."""

    issuer: str = Field(min_length=1, max_length=512)
    """Exactly as the tokens' `iss` has it."""
    client_ids: frozenset[str] = Field(min_length=1)
    jwks: Jwks
    grace: int = Field(ge=0)
    """Seconds past a token's expiry in which it still counts: queues delay, and fees are raised later."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says; times in Unix seconds."""

    subject: str
    not_before: float
    expires: float


class TokenVerifier:
    """Verifies access tokens; what a signature proved is remembered by the token's hash, up to a number.

    Times are looked at on every call: a remembered token expires like any other.
    """

    def __init__(self, policy: AuthorizationPolicy, *, remembered: int = _REMEMBERED) -> None:
        self._policy = policy
        self._keys = {key.kid: key.key() for key in policy.jwks.keys}
        self._remembered = remembered
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()

    def __len__(self) -> int:
        return len(self._verified)

    def subject_of(self, token: str, *, now: float) -> str:
        """Return the user whose token this is; raises Refused."""
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._verified.get(digest)
        if claims is None:
            claims = self._verify(token)
            self._verified[digest] = claims
            if len(self._verified) > self._remembered:
                self._verified.popitem(last=False)
        if claims.expires + self._policy.grace <= now:
            raise Refused(RefusalCode.TOKEN_EXPIRED)
        if claims.not_before > now + LEEWAY:
            raise Refused(RefusalCode.TOKEN_NOT_YET_VALID)
        return claims.subject

    def _verify(self, token: str) -> Claims:
        parts = token.split(".")
        if len(parts) != 3 or len(token) > _MAX_TOKEN:
            raise Refused(RefusalCode.TOKEN_MALFORMED)
        header = _object(parts[0])
        if header.get("alg") != "RS256" or "crit" in header:
            raise Refused(RefusalCode.TOKEN_ALGORITHM)
        kid = header.get("kid")
        key = self._keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise Refused(RefusalCode.TOKEN_KEY)
        try:
            key.verify(_decoded(parts[2]), f"{parts[0]}.{parts[1]}".encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            raise Refused(RefusalCode.TOKEN_SIGNATURE) from None
        return self._claims(_object(parts[1]))

    def _claims(self, claims: dict[str, Any]) -> Claims:
        if claims.get("iss") != self._policy.issuer:
            raise Refused(RefusalCode.TOKEN_ISSUER)
        if claims.get("token_use") != "access":
            raise Refused(RefusalCode.TOKEN_USE)
        client_id = claims.get("client_id")
        if not isinstance(client_id, str) or client_id not in self._policy.client_ids:
            raise Refused(RefusalCode.TOKEN_CLIENT)
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise Refused(RefusalCode.TOKEN_SUBJECT)
        issued, expires = _time(claims, "iat"), _time(claims, "exp")
        not_before = max(issued, _time(claims, "nbf")) if "nbf" in claims else issued
        return Claims(subject, not_before, expires)


def _decoded(part: str) -> bytes:
    try:
        return _unpadded(part)
    except (ValueError, binascii.Error):
        raise Refused(RefusalCode.TOKEN_MALFORMED) from None


def _object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_decoded(part))
    except (ValueError, RecursionError):
        raise Refused(RefusalCode.TOKEN_MALFORMED) from None
    if not isinstance(value, dict):
        raise Refused(RefusalCode.TOKEN_MALFORMED)
    return value


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        raise Refused(RefusalCode.TOKEN_MALFORMED)
    return float(value)
