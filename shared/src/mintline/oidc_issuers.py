"""Other OIDC issuers, beside a user pool or without one: configuration of the api and of the enclave alike.

A principal of another issuer is named `oidc:NAME:SUB`, and a machine client `oidc:NAME:CLIENT`. A token whose
own `sub` begins like that is refused, no matter who issued it, and NAME has no colon: so principals of two
issuers never have one name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mintline.access_tokens.keys import COORDINATE_BYTES, MAX_KID, Base64Url, Jwk, unpadded_base64url
from mintline.access_tokens.rules import ClientClaim, TokenRules


class EcJwk(BaseModel):
    """One P-256 signing key of an issuer (RFC 7517, RFC 7518, section 6.2.1); other members are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    kty: Literal["EC"]
    crv: Literal["P-256"]
    kid: str = Field(min_length=1, max_length=MAX_KID)
    use: Literal["sig"] = "sig"
    alg: Literal["ES256"] = "ES256"
    x: Base64Url
    y: Base64Url

    def key(self) -> EllipticCurvePublicKey:
        """Return the key; raises ValueError for coordinates of another length, or of no point."""
        x, y = (unpadded_base64url(text) for text in (self.x, self.y))
        if len(x) != COORDINATE_BYTES or len(y) != COORDINATE_BYTES:
            raise ValueError(f"the key's coordinates must have {COORDINATE_BYTES} bytes")
        numbers = EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), SECP256R1())
        return numbers.public_key()


AnyJwk = Annotated[Jwk | EcJwk, Field(discriminator="kty")]


class IssuerSettings(BaseModel):
    """An OIDC issuer that is no user pool, as the api's settings and the enclave's policy have it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9-]{1,16}$")
    """Names its principals: `oidc:NAME:SUB`. Never change it: users' wallets are under it."""
    issuer: str = Field(min_length=1, max_length=512)
    """Exactly as the tokens' `iss` has it."""
    client_claim: ClientClaim = "client_id"
    """Which claim names the client that a token was issued to; `aud` may be a list in the token."""
    client_ids: frozenset[str] = frozenset()
    """The clients, or audiences, whose tokens are users'."""
    machine_client_ids: frozenset[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@|-]{0,99}$")]] = (
        frozenset()
    )
    """Those whose tokens are machine clients' own."""
    scope_claim: str = Field(default="scope", min_length=1, max_length=64)
    """Which claim holds the scopes: a string with spaces, or a list."""

    audience: str | None = Field(default=None, min_length=1, max_length=512)
    """What `aud` must be, or have among others. None: anything; the scopes alone say what a token is for."""

    @model_validator(mode="after")
    def _each_client_is_one_thing(self) -> Self:
        if not self.client_ids | self.machine_client_ids:
            raise ValueError("name at least one of client_ids or machine_client_ids")
        if both := self.client_ids & self.machine_client_ids:
            raise ValueError(f"{min(both)} must not be both in client_ids and machine_client_ids")
        return self

    def rules(self) -> TokenRules:
        """Return whose tokens of this issuer are accepted."""
        return TokenRules(
            issuer=self.issuer,
            client_ids=self.client_ids,
            machine_client_ids=self.machine_client_ids,
            name=self.name,
            client_claim=self.client_claim,
            scope_claim=self.scope_claim,
            audience=self.audience,
            algorithms=frozenset({"RS256", "ES256"}),
        )


class SignIn(BaseModel):
    """Where an issuer's users sign in, as its discovery document has it (OpenID Connect Discovery 1.0, 3)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: str = Field(min_length=1, max_length=256)
    """A public client, without a secret, that may use the authorization code flow with PKCE."""
    authorization_endpoint: str = Field(pattern=r"^https://[^\s#?]+(\?[^\s#]+)?$")
    """With a query if the issuer needs one, such as `?audience=…` (RFC 6749, 3.1)."""
    token_endpoint: str = Field(pattern=r"^https://[^\s#]+$")
    end_session_endpoint: str | None = Field(default=None, pattern=r"^https://[^\s#?]+$")
    """Where a browser signs out (RP-Initiated Logout 1.0). None: only the console's own session ends."""


class SignInIssuer(IssuerSettings):
    """An issuer, with where its keys are, and where its users sign in if there is no user pool."""

    jwks_url: str = Field(pattern=r"^https?://\S+$")
    sign_in: SignIn | None = None

    @model_validator(mode="after")
    def _signs_in_by_a_client_that_counts(self) -> Self:
        if (
            self.sign_in is not None
            and self.client_claim != "aud"
            and (self.sign_in.client_id not in self.client_ids)
        ):
            raise ValueError("sign_in.client_id must be one of client_ids: its tokens would be refused")
        return self


def issuer_of_people(user_pool: str | None, others: Sequence[SignInIssuer]) -> SignInIssuer | None:
    """Return by which issuer people sign in, None where they do by the user pool.

    Raises ValueError unless exactly one issuer has `sign_in` where there is no pool, and none where there is.
    """
    able = [other for other in others if other.sign_in is not None]
    if user_pool is None:
        if len(able) != 1:
            raise ValueError("without a user pool, exactly one of other_issuers must have sign_in")
        return able[0]
    if able:
        raise ValueError(f"{able[0].name}: sign_in is for where there is no user pool")
    return None


def distinct_issuers(user_pool: str | None, others: Sequence[IssuerSettings]) -> None:
    """Raise ValueError if two issuers have one name, or one `iss`, or if there is none."""
    issuers = [*([] if user_pool is None else [user_pool]), *(other.issuer for other in others)]
    if not issuers:
        raise ValueError("without a user pool, other_issuers must name at least one issuer")
    if len(set(issuers)) < len(issuers) or len({other.name for other in others}) < len(others):
        raise ValueError("each further issuer needs a name and an issuer of its own")
