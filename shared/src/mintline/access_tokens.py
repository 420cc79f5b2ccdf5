"""Access tokens of Cognito and other OIDC issuers: the one verifier of them, for the api and the enclave.

A token is refused unless it has exactly one reading: compact JWS (RFC 7515), canonical base64url, RS256 or,
where the issuer's rules have it, ES256 (RFC 7518) by a key of the issuer, header and claims strict JSON (RFC
7493). Source of the claims: "Verifying JSON web tokens" in Amazon Cognito's developer guide; RFC 9068.

::

    unverified = read(token)                     BadToken: malformed, algorithm, key
    rules      = (those of unverified.claimed_issuer, or the user pool's)
    unverified.check_algorithm(rules)            BadToken: algorithm
    key        = (the issuer's key of unverified.kid)
    claims     = unverified.claims(key, rules)   BadToken: signature, claims, ...
    claims.check_time(now)                       BadToken: expired, not yet valid
    claims.check_scope(scope)                    BadToken: scope
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mintline import strict_json
from mintline.errors import MintlineError
from mintline.scopes import ACCOUNT_ADMIN, OPERATORS
from mintline.strict_json import AmbiguousJson, NotJson

LEEWAY = 10.0
"""Seconds forgiven to clocks."""
MAX_TOKEN = 8192
"""Characters of a token."""
MAX_KID = 256
"""Characters of a key id."""
MAX_DEPTH = 8
"""Levels of nesting of header and claims."""
MIN_KEY_BITS = 2048
MAX_KEY_BITS = 8192

_PART = re.compile(r"[A-Za-z0-9_-]*")
NAMESPACE = "oidc:"
"""What the names of other issuers' principals begin with, `oidc:ISSUER:SUB`; no token's `sub` itself may."""
_SUBJECT = re.compile(r"(?!(?i:platform|oidc):)[A-Za-z0-9][A-Za-z0-9_.:@|-]{0,127}")
_TIME_LIMIT = 2**53
MAX_SUBJECT = 128
"""Characters of a principal's name."""
COORDINATE_BYTES = 32
"""Of a P-256 key, and each half of a signature by one."""
_OTHER_FORMS = ("crit", "b64", "enc", "zip", "cty")
"""Header members that change what the signature covers, or how the payload reads."""
_TYPES = ("JWT", "at+jwt")


class TokenFault(StrEnum):
    """What is wrong with a token."""

    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    KEY = "key"
    SIGNATURE = "signature"
    CLAIMS = "claims"
    USE = "use"
    ISSUER = "issuer"
    CLIENT = "client"
    SUBJECT = "subject"
    SCOPE = "scope"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"


class BadToken(MintlineError):  # noqa: N818 - named for what it is
    """The token proves nothing; `str()` is a sentence that holds none of the token's own text."""

    def __init__(self, fault: TokenFault, detail: str, *, claim: str | None = None) -> None:
        super().__init__(detail)
        self.fault = fault
        self.claim = claim
        """The claim that is missing or of another type, if that is the fault."""


Algorithm: TypeAlias = Literal["RS256", "ES256"]
ClientClaim: TypeAlias = Literal["client_id", "azp", "aud"]
PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Whose tokens are accepted: by default those of a Cognito user pool."""

    issuer: str
    """Exactly as the tokens' `iss` has it."""
    client_ids: frozenset[str]
    """The app clients by which users sign in."""
    machine_clients: bool = False
    """Whether tokens of machine clients are accepted too: of any other app client, for itself. The verifier's
    user checks whether that one is known."""
    operator_client_ids: frozenset[str] = frozenset()
    """App clients of the user pool by which operators sign in, to act as these clients: a token of one is the
    client's own if its user is in the group `operators`, and nobody's otherwise. Takes `machine_clients`."""
    machine_client_ids: frozenset[str] = frozenset()
    """Clients whose tokens are their own, whatever their `sub` is: of other issuers than the user pool."""
    name: str = ""
    """The issuer's name in those of its users and clients (`NAMESPACE`); empty for the user pool itself."""
    client_claim: ClientClaim = "client_id"
    """Which claim names the client, a string; `aud` may be a list too."""
    scope_claim: str = "scope"
    """Which claim names the scopes: a string with spaces, or for other issuers than Cognito also a list."""
    audience: str | None = None
    """What another issuer's `aud` must be, or have among others; None: anything."""
    algorithms: frozenset[Algorithm] = frozenset({"RS256"})


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says; times in Unix seconds."""

    subject: str
    """The user's `sub`, or a machine client's id; never that of a key of the platform's own."""
    issued: float
    not_before: float
    """The later one of `iat` and `nbf`."""
    expires: float
    scopes: frozenset[str]
    client_id: str = ""
    """The app client that the token was issued to."""
    operator: str | None = None
    """The `sub` of the person who acts as the client; None for a user's token, or a backend's."""

    @property
    def is_client(self) -> bool:
        """Whether it is a machine client's own: `sub` of a client-credentials token is the client's id."""
        return self.subject == self.client_id

    def check_scope(self, scope: str) -> None:
        """Raise BadToken unless the token was given for this."""
        if scope not in self.scopes:
            raise BadToken(TokenFault.SCOPE, f"The token lacks the scope {scope}.", claim="scope")

    def check_time(self, now: float, *, grace: float = 0.0) -> None:
        """Raise BadToken if the token is not valid at `now` (Unix seconds).

        `grace` is how long past its expiry a token still counts, in seconds; it is LEEWAY at least.
        """
        if now >= self.expires + max(LEEWAY, grace):
            raise BadToken(TokenFault.EXPIRED, "The access token has expired.")
        if now < self.not_before - LEEWAY:
            raise BadToken(TokenFault.NOT_YET_VALID, "The access token is not valid yet.")


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
        claims = _object(self._payload)
        return _other_claims(claims, rules) if rules.name else _claims(claims, rules)

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


def _claims(claims: dict[str, Any], rules: TokenRules) -> Claims:
    # An id token lacks `client_id`: say what it is before saying what it lacks.
    if claims.get("token_use", "access") != "access":
        raise BadToken(TokenFault.USE, "This is not an access token; send the access token.")
    for name in ("exp", "iat", "iss", "sub", "token_use", "client_id"):
        if name not in claims:
            raise BadToken(TokenFault.CLAIMS, f"The token lacks the claim {name}.", claim=name)
    if claims["iss"] != rules.issuer:
        raise BadToken(TokenFault.ISSUER, "The token comes from another user pool.")
    client_id, subject = claims["client_id"], claims["sub"]
    if rules.machine_clients and isinstance(client_id, str) and client_id in rules.operator_client_ids:
        return _operators_claims(claims, client_id)
    for_itself = rules.machine_clients and client_id == subject and "username" not in claims
    if not isinstance(client_id, str) or (client_id not in rules.client_ids and not for_itself):
        raise BadToken(TokenFault.CLIENT, "The token was issued to another app client.")
    signed_in_by = client_id in rules.client_ids
    if (
        not isinstance(subject, str)
        or not _SUBJECT.fullmatch(subject)
        or (signed_in_by and subject == client_id)
    ):
        raise BadToken(TokenFault.SUBJECT, "The token's sub is not a user's.", claim="sub")
    issued, not_before, expires = _times(claims)
    return Claims(subject, issued, not_before, expires, _scopes(claims), client_id)


def _operators_claims(claims: dict[str, Any], client_id: str) -> Claims:
    """Return what a token says whose person acts as the app client by which they have signed in."""
    groups, person = claims.get("cognito:groups"), claims["sub"]
    if "username" not in claims or not isinstance(groups, list) or OPERATORS not in groups:
        raise BadToken(
            TokenFault.CLIENT, f"The token's app client is for users in the group {OPERATORS} alone."
        )
    if not isinstance(person, str) or not _SUBJECT.fullmatch(person) or person == client_id:
        raise BadToken(TokenFault.SUBJECT, "The token's sub is not a user's.", claim="sub")
    if not _SUBJECT.fullmatch(client_id):
        raise BadToken(TokenFault.CLIENT, "The token was issued to another app client.")
    issued, not_before, expires = _times(claims)
    return Claims(client_id, issued, not_before, expires, _scopes(claims), client_id, person)


def _other_claims(claims: dict[str, Any], rules: TokenRules) -> Claims:
    """Return what a token of another issuer than the user pool says; it has no `token_use`."""
    for name in ("exp", "iat", "iss", "sub", rules.client_claim):
        if name not in claims:
            raise BadToken(TokenFault.CLAIMS, f"The token lacks the claim {name}.", claim=name)
    if claims["iss"] != rules.issuer:
        raise BadToken(TokenFault.ISSUER, "The token comes from another issuer.")
    if rules.audience is not None and rules.audience not in _audiences(claims.get("aud")):
        raise BadToken(TokenFault.CLIENT, "The token is for another audience.")
    named = claims[rules.client_claim]
    if rules.client_claim == "aud":
        clients = _audiences(named)
    else:
        clients = frozenset({named}) if isinstance(named, str) else frozenset()
    machines, sign_ins = clients & rules.machine_client_ids, clients & rules.client_ids
    if len(machines) + len(sign_ins) != 1:
        raise BadToken(
            TokenFault.CLIENT, "The token was not issued to exactly one client that is known here."
        )
    [client] = machines | sign_ins
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject:
        raise BadToken(TokenFault.SUBJECT, "The token's sub is not a user's.", claim="sub")
    client_id = f"{NAMESPACE}{rules.name}:{client}"
    principal = _namespaced(client if machines else subject, rules)
    if not machines and principal == client_id:
        raise BadToken(TokenFault.SUBJECT, "The token's sub is not a user's.", claim="sub")
    issued, not_before, expires = _times(claims)
    scope = claims.get(rules.scope_claim, "")
    if isinstance(scope, list) and all(isinstance(each, str) for each in scope):
        scope = " ".join(scope)
    return Claims(principal, issued, not_before, expires, _scopes({"scope": scope}), client_id)


def _audiences(aud: object) -> frozenset[str]:
    """Return whom a token is for (RFC 7519, section 4.1.3): a string, or a list of them."""
    listed = aud if isinstance(aud, list) else [aud]
    return frozenset(each for each in listed if isinstance(each, str))


def _namespaced(name: str, rules: TokenRules) -> str:
    """Return the name of another issuer's principal, which none of the pool or a third issuer can have."""
    full = f"{NAMESPACE}{rules.name}:{name}"
    if not _SUBJECT.fullmatch(name) or len(full) > MAX_SUBJECT:
        raise BadToken(TokenFault.SUBJECT, "The token's sub is not a user's.", claim="sub")
    return full


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    scope = claims.get("scope", "")
    if not isinstance(scope, str):
        raise BadToken(TokenFault.CLAIMS, "The token's scope is not a string.", claim="scope")
    scopes = frozenset(scope.split(" "))
    if ACCOUNT_ADMIN in scopes:
        raise BadToken(
            TokenFault.SCOPE,
            f"The token carries {ACCOUNT_ADMIN}, with which it can delete its user: sign in by the "
            "authorization code flow, for the scopes of this API.",
            claim="scope",
        )
    return scopes


def _times(claims: dict[str, Any]) -> tuple[float, float, float]:
    """Return when a token was issued, from when it is valid, and when it expires."""
    issued, expires = _time(claims, "iat"), _time(claims, "exp")
    return issued, max(issued, _time(claims, "nbf")) if "nbf" in claims else issued, expires


def _time(claims: dict[str, Any], name: str) -> float:
    """Return a NumericDate (RFC 7519, section 2): a number from 1970 on that a double holds exactly."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _TIME_LIMIT:
        raise BadToken(TokenFault.CLAIMS, f"The token's {name} is not a time in Unix seconds.", claim=name)
    return float(value)


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
