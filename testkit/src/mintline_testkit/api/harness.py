"""The whole API in memory: its application over the in-memory ports."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from mintline.chain.settings import FactorySettings
from mintline.resources import OPTIONAL_INDEXES, OptionalIndex
from mintline.tracing import OFF, Tracer
from mintline_api.api import Api
from mintline_api.app import GROUPS, build_app
from mintline_api.http.operations import Operations
from mintline_api.metrics import Metrics
from mintline_api.settings import OtherIssuer, Settings
from mintline_testkit.api.assembly import assemble
from mintline_testkit.api.ports import Ports
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.user_pool import CLIENT_ID, ISSUER

FACTORY = FactorySettings(
    address="0xDc64a140Aa3E981100a9becA4E685f962f0cF6C9",
    implementation="0x5FC8d32690cc91D4c39d9d3abcBD16989F875707",
    multi_token="0x0165878A594ca255338adfa4d48449f69242Eb8F",
)
PUBLIC_URL = "https://api.example.com"
SIGN_IN_URL = "https://test.auth.us-east-1.amazoncognito.com/oauth2"


def public_key_of(key: ec.EllipticCurvePrivateKey) -> str:
    """Return a public key as settings have it: SubjectPublicKeyInfo, DER in base64."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(der).decode()


@dataclass(slots=True)
class Harness(Ports):
    """An api with all its ports in the open."""

    authorization_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    """Opens what the api seals for the enclaves."""
    request_seconds: float = 25.0
    user_gas_budget: int = 10**19
    cors_origins: tuple[str, ...] = ()
    makes_collections: bool = True
    """Whether the deployment has a factory."""
    query_indexes: tuple[OptionalIndex, ...] = OPTIONAL_INDEXES
    """The indexes of holders and transfers that the deployment has."""
    instead_of_pool: OtherIssuer | None = None
    """The issuer by which people sign in where there is no user pool."""
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    tracer: Tracer = OFF
    api: Api = field(init=False)
    """What the latest `app` is made of."""

    def settings(self) -> Settings:
        """Return the settings of the application."""
        pool, other = self.instead_of_pool is None, self.instead_of_pool
        return Settings(
            public_url=PUBLIC_URL,
            chain_id=CHAIN_ID,
            default_collection=CONTRACT,
            cognito_issuer=ISSUER if pool else None,
            cognito_client_id=CLIENT_ID if pool else None,
            cognito_userinfo_url=f"{SIGN_IN_URL}/userInfo" if pool else None,
            other_issuers=() if other is None else (other,),
            authorization_key=public_key_of(self.authorization_key),
            wallet_key_arns=("arn:aws:kms:us-east-1:000000000000:key/wallets",),
            intake_key=public_key_of(self.intake_key),
            cursor_secret=SecretStr("a secret that is long enough for cursors"),
            email_secret=SecretStr("a secret that names the users of addresses"),
            sign_in_domains=("app.example.com",),
            cors_origins=self.cors_origins,
            request_seconds=self.request_seconds,
            user_gas_budget=self.user_gas_budget,
            factory=FACTORY if self.makes_collections else None,
            query_indexes=self.query_indexes,
        )

    def app(self, groups: Sequence[Operations] = GROUPS) -> web.Application:
        """Return the application over this harness's ports."""
        self.api = assemble(self, self.settings())
        app = build_app(self.api, metrics=Metrics(self.registry), tracer=self.tracer, groups=groups)
        app.on_startup.append(self._begin)
        return app

    async def _begin(self, _: web.Application) -> None:
        await self.intake.begin()

    def token(self, sub: str = "alice") -> str:
        """Return a good access token of a user."""
        return self.pool.sign(self.pool.claims(sub, now=self.now))

    def headers(self, sub: str = "alice", **more: str) -> dict[str, str]:
        """Return the headers of a user's request; `idempotency_key="…"` becomes `Idempotency-Key: …`."""
        named = {name.replace("_", "-").title(): value for name, value in more.items()}
        return {"Authorization": f"Bearer {self.token(sub)}", **named}

    def client_headers(self, client_id: str = "shop", **more: str) -> dict[str, str]:
        """Return the headers of a machine client's request; it has to be on record in `clients`."""
        token = self.pool.sign(self.pool.client_claims(client_id, now=self.now))
        return {**self.headers(**more), "Authorization": f"Bearer {token}"}
