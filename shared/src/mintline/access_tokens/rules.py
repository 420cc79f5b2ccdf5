"""What is accepted of access tokens, what they say, and what can be wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from mintline.errors import MintlineError

LEEWAY = 10.0
"""Seconds forgiven to clocks."""
NAMESPACE = "oidc:"
"""What the names of other issuers' principals begin with, `oidc:ISSUER:SUB`; no token's `sub` itself may."""
MAX_SUBJECT = 128
"""Characters of a principal's name."""


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
