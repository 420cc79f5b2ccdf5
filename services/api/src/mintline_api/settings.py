"""What the api reads from its environment."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass
from typing import Annotated, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from mintline.authorization import PublicAuthorizationKey
from mintline.chain.settings import ChainSettings, FactorySettings, RpcEndpoint
from mintline.fields import Address
from mintline.key_stores import StoreName
from mintline.key_subjects import MAX_RELAYERS
from mintline.oidc_issuers import SignInIssuer, distinct_issuers, issuer_of_people
from mintline.p256 import load_p256
from mintline.resources import OPTIONAL_INDEXES, OptionalIndex
from mintline.settings import FormerName


class OtherIssuer(SignInIssuer):
    """Another OIDC issuer, with the place of its signing keys."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """The user pool, where there is one."""

    issuer: str
    client_id: str
    operator_client_id: str | None
    userinfo_url: str
    jwks_url: str

    @property
    def user_pool_id(self) -> str:
        """The user pool's id, with which its issuer ends."""
        return self.issuer.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class PeopleSignIn:
    """Where people sign in, and by which public client."""

    issuer: str
    client_id: str
    authorization_endpoint: str
    token_endpoint: str
    sign_out_url: str | None
    """Where a browser signs out. None: nowhere."""
    sign_out_parameter: str
    """Of that URL's query: where the browser returns to."""


KmsKeyArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/\S+$")]
BODY_LIMIT = 256 * 1024
"""Bytes of a request's body, after any content coding is undone."""

BULK_BODY_LIMIT = 1024 * 1024
"""The same of a request for many mints."""
LARGEST_BODY = BULK_BODY_LIMIT
"""What is read of a body at most, whatever the operation."""

HEADER_BYTES = 32 * 1024
"""Bytes of one header field."""

ANY_ORIGIN = "*"
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:(\d{1,5}|\*))?")


def _origin(text: str) -> str:
    if text != ANY_ORIGIN and not _ORIGIN.fullmatch(text):
        raise ValueError(
            "expected an origin such as https://shop.example, with :* for any port, or * for all"
        )
    return text


Origin = Annotated[str, AfterValidator(_origin)]


class Settings(ChainSettings):
    """`MINTLINE_API_PORT` sets `api_port`, and so on."""

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8080, ge=0, le=65535)
    """0 picks a free port."""
    api_tls: bool = False
    """Whether that port speaks TLS, with a certificate that the process makes for itself and no one checks:
    behind a load balancer that takes it so."""
    max_requests: int = Field(default=512, ge=1, le=65_536)
    """Requests in progress at once; as many again wait up to a second, the others receive 503."""
    request_seconds: float = Field(default=25.0, gt=0, le=300)
    """How long a request may take, its body's arrival not counted; then it is answered with 503."""
    user_rate: int = Field(default=600, ge=1)
    """Writes that a user may make a minute, over all copies of the api."""
    user_gas_budget: int = Field(default=10**19, ge=0)
    """Wei of gas that the platform pays for a wallet and UTC day; the same value as the builder's."""
    public_url: str = Field(pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$")
    """Where clients and marketplaces reach this API; begins metadata URLs and problem types."""
    default_collection: Address
    """The contract of a mint that names none."""
    factory: FactorySettings | None = None
    """The factory of clients' collections; without one the API makes none."""
    cognito_issuer: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """The user pool's issuer, exactly as its tokens' `iss` has it. None: there is no pool, and no other
    setting of one; one of `other_issuers` has `sign_in` then."""
    cognito_client_id: str | None = Field(default=None, min_length=1)
    """The app client whose access tokens are accepted."""
    cognito_operator_client_id: str | None = Field(default=None, min_length=1)
    """The app client by which users in the group `operators` sign in, to act as this client; as the signing
    policy has it. None: nobody does."""
    cognito_userinfo_url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """The user pool's `/oauth2/userInfo`, at its login domain: tells whether a token was revoked."""
    cognito_jwks_url: str | None = None
    """None means `{cognito_issuer}/.well-known/jwks.json`."""
    other_issuers: tuple[OtherIssuer, ...] = Field(default=(), max_length=4)
    """More OIDC issuers whose tokens are accepted, as the signing policy has them."""
    sign_in_domains: tuple[str, ...] = ()
    """Sites, as `host` or `host:port`, for which wallets may sign in, beside this API's own."""
    cors_origins: tuple[Origin, ...] = ()
    """Origins whose pages may call this API from a browser: `https://shop.example`, `http://localhost:*` for
    any port, `*` for all."""
    rpc_urls: tuple[RpcEndpoint, ...] = ()
    """The chain's nodes in order of preference, read only. Without one, contract wallets cannot be linked,
    and unsigned transactions carry no nonce and no fees."""
    treasury_address: Address | None = None
    """The builder's treasury, for operators to see how long its money lasts."""
    relayer_addresses: tuple[Address, ...] = Field(default=(), max_length=MAX_RELAYERS)
    """The builder's relayers, for operators to see how long their money lasts."""
    redrive_role_arn: str | None = Field(default=None, pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/\S+$")
    """The role under which operators' requests read dead letters and send them back; None: the API's own."""
    rpc_timeout: float = Field(default=5.0, gt=0)
    """Seconds for one exchange with a node."""
    authorization_key: Annotated[str, FormerName("sealing_key")]
    """The public half of the authorization key, by which callers' tokens are encrypted for the enclaves: a
    P-256 SubjectPublicKeyInfo, DER in base64."""
    intake_key: str
    """Certifies the session keys of this API's processes: the public half of the intake key in KMS, a P-256
    SubjectPublicKeyInfo, DER in base64, as the signing policy has it."""
    kms_endpoint_url: str | None = None
    """None means the endpoint of the other AWS services."""
    wallet_store: StoreName = "secretsmanager"
    """Where the wrapped keys of new wallets are kept; those of older ones stay where they are."""
    wallet_key_arns: tuple[KmsKeyArn, ...] = Field(min_length=1, max_length=2)
    """ARNs of the KMS keys that may wrap new wallets' keys: what another one wrapped is refused."""
    cursor_secret: SecretStr = Field(min_length=32)
    """Seals the cursors of lists; the same in every copy of the api."""
    upload_bytes: int = Field(default=50 * 1024 * 1024, ge=1, le=100 * 1024 * 1024)
    """Bytes of the largest file that may be uploaded."""
    upload_endpoint_url: str | None = None
    """Where callers reach S3 to put files; None means the endpoint of the other AWS services."""
    public_sign_in_url: str | None = Field(default=None, pattern=r"^https?://[^?#\s]+$")
    """What the user pool's `/authorize` and `/token` begin with for callers; None: as for the api itself."""
    media_url: str | None = Field(default=None, pattern=r"^https?://[^?#\s]+$")
    """What the public addresses of uploaded files begin with, permanently: `{media_url}/{sha256}`. None means
    `{public_url}/media`, which this API serves."""
    webhook_allow_loopback: bool = False
    """Whether webhooks may lead to this machine, by http too: for local stacks alone."""
    sponsored_mint_gas: int = Field(default=52_000, ge=21_000)
    """Gas of one sponsored mint in a batch, its share of the transaction's own included: what budgets of
    clients count, and dry runs where none is measured. The default is right for Osaka, and too low for a
    chain that prices state higher."""
    drop_users_per_second: float = Field(default=25.0, gt=0, le=1_000)
    """How many recipients of drops each copy of the api looks up or makes a second: half of what Cognito
    allows a user pool by default for the creation of users."""
    drop_chunks_in_flight: int = Field(default=20, ge=1, le=400)
    """Chunks of a drop, of up to 250 lines each, that are handed on and not mined yet, at most."""
    drop_grace: int = Field(default=0, ge=0)
    """Seconds past its client's token's expiry for which a drop hands on lines: below the signing policy's
    `grace`, by as long as a mint may have to wait."""
    query_indexes: tuple[OptionalIndex, ...] = OPTIONAL_INDEXES
    """The indexes of holders and transfers that the deployment has; queries by another one are refused."""
    email_secret: SecretStr = Field(min_length=32)
    """Names the users that are made for e-mail addresses; the same in every copy of the api, permanently."""
    email_verified: bool = True
    """Whether the pool takes the address of a user that is made for it as verified: only then do they sign in
    with it."""
    email_case_sensitive: bool = True
    """Whether the pool's sign-in names are case-sensitive (`UsernameConfiguration`), which never changes."""

    @model_validator(mode="after")
    def _a_pool_is_whole_or_absent(self) -> Self:
        needed = ("cognito_issuer", "cognito_client_id", "cognito_userinfo_url")
        lacking = [name for name in needed if getattr(self, name) is None]
        if not lacking:
            return self
        of_pool = (*needed, "cognito_operator_client_id", "cognito_jwks_url", "public_sign_in_url")
        if named := [name for name in of_pool if getattr(self, name) is not None]:
            raise ValueError(
                f"{lacking[0]} is missing beside {named[0]}: name all of a user pool, or nothing of one"
            )
        return self

    @model_validator(mode="after")
    def _operators_have_an_app_client_of_their_own(self) -> Self:
        if self.cognito_operator_client_id is not None and (
            self.cognito_operator_client_id == self.cognito_client_id
        ):
            raise ValueError("cognito_operator_client_id must be another app client than cognito_client_id")
        return self

    @model_validator(mode="after")
    def _issuers_are_distinct(self) -> Self:
        distinct_issuers(self.cognito_issuer, self.other_issuers)
        issuer_of_people(self.cognito_issuer, self.other_issuers)
        return self

    @field_validator("public_url", "cognito_issuer")
    @classmethod
    def _without_trailing_slash(cls, value: str | None) -> str | None:
        return None if value is None else value.rstrip("/")

    def sign_in_sites(self) -> tuple[str, ...]:
        """Return every site for which wallets may sign in; this API's own comes first."""
        own = urlsplit(self.public_url).netloc
        return (own, *(domain for domain in self.sign_in_domains if domain != own))

    @field_validator("authorization_key", "intake_key")
    @classmethod
    def _a_p256_key(cls, value: str) -> str:
        load_p256(b64decode(value, validate=True))
        return value

    def public_authorization_key(self) -> PublicAuthorizationKey:
        """Return the public half of the authorization key."""
        return PublicAuthorizationKey(b64decode(self.authorization_key))

    def intake_public_key(self) -> EllipticCurvePublicKey:
        """Return the public half of the intake key."""
        return load_p256(b64decode(self.intake_key))

    def user_pool(self) -> PoolSettings | None:
        """Return the user pool, None where there is none."""
        issuer, client_id, userinfo = self.cognito_issuer, self.cognito_client_id, self.cognito_userinfo_url
        if issuer is None or client_id is None or userinfo is None:
            return None
        return PoolSettings(
            issuer=issuer,
            client_id=client_id,
            operator_client_id=self.cognito_operator_client_id,
            userinfo_url=userinfo,
            jwks_url=self.cognito_jwks_url or f"{issuer}/.well-known/jwks.json",
        )

    def sign_in(self) -> PeopleSignIn:
        """Return where people sign in: at the user pool, or at the issuer that stands in its place.

        The pool's `/authorize` and `/token` begin as its `/userInfo` does.
        """
        if (pool := self.user_pool()) is not None:
            base = self.public_sign_in_url or pool.userinfo_url.rsplit("/", 1)[0]
            return PeopleSignIn(
                issuer=pool.issuer,
                client_id=pool.client_id,
                authorization_endpoint=f"{base}/authorize",
                token_endpoint=f"{base}/token",
                sign_out_url=f"{base.removesuffix('/oauth2')}/logout",
                sign_out_parameter="logout_uri",
            )
        other = issuer_of_people(None, self.other_issuers)
        assert other is not None, "a validator has checked it"
        assert other.sign_in is not None
        return PeopleSignIn(
            issuer=other.issuer,
            client_id=other.sign_in.client_id,
            authorization_endpoint=other.sign_in.authorization_endpoint,
            token_endpoint=other.sign_in.token_endpoint,
            sign_out_url=other.sign_in.end_session_endpoint,
            sign_out_parameter="post_logout_redirect_uri",
        )

    def media_address(self) -> str:
        """Return what the public addresses of uploaded files begin with."""
        return (self.media_url or f"{self.public_url}/media").rstrip("/")
