"""Cognito access tokens: who is asking, or a clear reason why we cannot tell.

Source: "Verifying JSON web tokens" in Amazon Cognito's developer guide; RFC 6750 for the answers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from pydantic import SecretStr

from mintline_api import problems
from mintline_api.caches import BoundedCache
from mintline_api.jwks import KeySet
from mintline_api.problems import Kind, Refused

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/=-]+)")
_SUBJECT = re.compile(r"(?!platform:)[A-Za-z0-9][A-Za-z0-9_.:@|-]{0,127}")
_MAX_TOKEN = 16 * 1024
_CACHE_SECONDS = 60.0
_CACHED_TOKENS = 50_000
_REQUIRED = ("exp", "iat", "iss", "sub", "token_use", "client_id")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking; `sub` never names a key of the platform's own."""

    sub: str
    expires_at: float
    """Unix seconds."""
    token: SecretStr
    """The access token that proved it."""


class AccessTokens:
    """Verifies access tokens of one user pool's one app client.

    A verified token is remembered, by its hash, for a minute at most and never past its expiry.
    `now` is in Unix seconds; `leeway`, in seconds, forgives clocks.
    """

    def __init__(
        self,
        *,
        keys: KeySet,
        issuer: str,
        client_id: str,
        now: Callable[[], float],
        leeway: float = 10.0,
        looked_up: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._client_id = client_id
        self._now = now
        self._leeway = leeway
        self._cache: BoundedCache[bytes, Caller] = BoundedCache(
            max_weight=_CACHED_TOKENS, clock=now, looked_up=looked_up
        )

    async def caller(self, authorization: str | None) -> Caller:
        """Return who sent an `Authorization` header; raises Refused (401), or Unavailable without keys."""
        token = _bearer(authorization)
        digest = hashlib.sha256(token.encode()).digest()
        caller = self._cache.get(digest)
        if caller is None:
            caller = await self._verify(token)
            remaining = caller.expires_at + self._leeway - self._now()
            self._cache.put(digest, caller, ttl=min(_CACHE_SECONDS, remaining))
        return caller

    async def _verify(self, token: str) -> Caller:
        header = _header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm != "RS256":
            raise _refused(problems.TOKEN_ALGORITHM, "The token is not signed with RS256.")
        key = await self._keys.key(kid) if isinstance(kid, str) else None
        if key is None:
            raise _refused(
                problems.UNKNOWN_KEY, "The token names a signing key that the user pool does not have."
            )
        return self._caller_of(self._claims(token, key), token)

    def _claims(self, token: str, key: Any) -> Mapping[str, Any]:
        """Verify the signature, then read the claims; their meaning is checked by `_caller_of`."""
        unchecked = dict.fromkeys(
            (
                "verify_exp",
                "verify_nbf",
                "verify_iat",
                "verify_aud",
                "verify_iss",
                "verify_sub",
                "verify_jti",
            ),
            False,
        )
        try:
            claims: Mapping[str, Any] = jwt.decode(token, key, algorithms=["RS256"], options=unchecked)  # type: ignore[arg-type] # a TypedDict
        except jwt.InvalidSignatureError:
            raise _refused(problems.BAD_SIGNATURE, "The token's signature does not verify.") from None
        except jwt.InvalidTokenError:
            raise _refused(problems.MALFORMED_TOKEN, "The token is no well-formed JSON Web Token.") from None
        return claims

    def _caller_of(self, claims: Mapping[str, Any], token: str) -> Caller:
        # An id token lacks `client_id`: say what it is before saying what it lacks.
        if (use := claims.get("token_use")) is not None and use != "access":
            raise _refused(
                problems.NOT_AN_ACCESS_TOKEN, "This is not an access token; send the access token."
            )
        if missing := [name for name in _REQUIRED if name not in claims]:
            raise _refused(problems.BAD_CLAIMS, f"The token lacks {', '.join(missing)}.")
        if claims["iss"] != self._issuer:
            raise _refused(problems.WRONG_ISSUER, "The token comes from another user pool.")
        if claims["client_id"] != self._client_id:
            raise _refused(problems.WRONG_CLIENT, "The token was issued to another app client.")
        now = self._now()
        times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
        if any(isinstance(at, bool) or not isinstance(at, (int, float)) for at in times.values()):
            raise _refused(problems.BAD_CLAIMS, "The token's times are no numbers.")
        if times["exp"] + self._leeway <= now:
            raise _refused(problems.TOKEN_EXPIRED, "The access token has expired.")
        if any(times.get(name, now) > now + self._leeway for name in ("nbf", "iat")):
            raise _refused(problems.TOKEN_NOT_YET_VALID, "The access token is not valid yet.")
        sub = claims["sub"]
        if not isinstance(sub, str) or not _SUBJECT.fullmatch(sub):
            raise _refused(problems.BAD_CLAIMS, "The token's `sub` is not a user's.")
        return Caller(sub=sub, expires_at=float(times["exp"]), token=SecretStr(token))


def _bearer(authorization: str | None) -> str:
    if not authorization:
        # RFC 6750, section 3: no error code for a request without any authentication.
        raise Refused(
            problems.NO_TOKEN,
            "Send an access token: `Authorization: Bearer TOKEN`.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "bearer" or not rest.strip():
        raise Refused(
            problems.NO_TOKEN,
            "The Authorization header holds no bearer token.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    match = _BEARER.fullmatch(authorization.strip())
    if match is None or len(authorization) > _MAX_TOKEN:
        raise _refused(problems.MALFORMED_TOKEN, "The bearer token is no JSON Web Token.")
    return match[1]


def _header(token: str) -> Mapping[str, Any]:
    try:
        header: Mapping[str, Any] = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, RecursionError):
        raise _refused(problems.MALFORMED_TOKEN, "The bearer token is no JSON Web Token.") from None
    return header


def _refused(kind: Kind, detail: str) -> Refused:
    description = detail.replace("`", "'").replace('"', "'")
    challenge = f'Bearer error="invalid_token", error_description="{description}"'
    return Refused(kind, detail, headers={"WWW-Authenticate": challenge})
