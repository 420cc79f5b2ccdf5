"""The whole API in memory: its application over the in-memory ports.

Time stands still until it is moved, and randomness comes from a seed.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from mintline.acceptance import Certificate
from mintline.chain.settings import FactorySettings
from mintline.resources import OPTIONAL_INDEXES, OptionalIndex
from mintline.tracing import OFF, Tracer
from mintline_api.api import Api
from mintline_api.app import GROUPS, build_app
from mintline_api.auth.access_tokens import Issuer
from mintline_api.auth.intake_sessions import IntakeSessions
from mintline_api.features.pipeline.spending import Sender
from mintline_api.features.tokens.receipts import WholeBlocks
from mintline_api.http.operations import Operations
from mintline_api.metrics import Metrics
from mintline_api.settings import Settings
from mintline_testkit.api.assembly import assemble
from mintline_testkit.api.clients import MemoryClientUse, MemoryRegistry
from mintline_testkit.api.drops import MemoryDrops, MemoryLineObjects
from mintline_testkit.api.index import MemoryIndex, MemoryMetadata
from mintline_testkit.api.lines import MemoryLines
from mintline_testkit.api.operations import MemoryMints, MemoryOutbox, MemoryTokenIds
from mintline_testkit.api.pipeline import MemoryDeadLetters, MemoryPipeline
from mintline_testkit.api.uploads import MemoryFiles, MemoryUploads
from mintline_testkit.api.users import (
    MemoryClientRecords,
    MemoryGas,
    MemoryJwks,
    MemoryPoolUsers,
    MemoryRates,
    MemoryRevocations,
    MemoryUserPool,
)
from mintline_testkit.api.wallets import MemoryKeys, MemoryLinks, MemoryWallets
from mintline_testkit.chain import FakeChain
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notices import MemoryNotices
from mintline_testkit.queues import MemoryQueues
from mintline_testkit.user_pool import CLIENT_ID, ISSUER, START, UserPool
from mintline_testkit.webhooks import MemorySecrets, MemoryWebhooks

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
class Harness:
    """An api with all its ports in the open."""

    pool: UserPool
    events: MemoryEventLog = field(default_factory=MemoryEventLog)
    sealing_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    """Opens what the api seals for the enclaves."""
    intake_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    """Certifies the api's session keys, as KMS does."""
    intake: IntakeSessions = field(init=False)
    kms_failure: Exception | None = None
    """What certifying a session key fails with."""
    seed: int = 0
    request_seconds: float = 25.0
    user_rate: int = 600
    user_gas_budget: int = 10**19
    cors_origins: tuple[str, ...] = ()
    makes_collections: bool = True
    """Whether the deployment has a factory."""
    query_indexes: tuple[OptionalIndex, ...] = OPTIONAL_INDEXES
    """The indexes of holders and transfers that the deployment has."""
    clients: MemoryClientRecords = field(default_factory=MemoryClientRecords)
    client_use: MemoryClientUse = field(default_factory=MemoryClientUse)
    notices: MemoryNotices = field(default_factory=MemoryNotices)
    registry_of_clients: MemoryRegistry = field(init=False)
    other_issuers: Sequence[Issuer] = ()
    rates: MemoryRates = field(default_factory=MemoryRates)
    gas: MemoryGas = field(default_factory=MemoryGas)
    now: float = START
    mints: MemoryMints = field(default_factory=MemoryMints)
    lines: MemoryLines = field(init=False)
    token_ids: MemoryTokenIds = field(default_factory=MemoryTokenIds)
    drops: MemoryDrops = field(default_factory=MemoryDrops)
    drop_lines: MemoryLineObjects = field(default_factory=MemoryLineObjects)
    wallets: MemoryWallets = field(default_factory=MemoryWallets)
    links: MemoryLinks = field(default_factory=lambda: MemoryLinks(chain_id=CHAIN_ID))
    chain: FakeChain | None = field(default_factory=lambda: FakeChain(minimum_tip=10**8))
    keys: MemoryKeys = field(default_factory=lambda: MemoryKeys(chain_id=CHAIN_ID))
    blocks: WholeBlocks | None = None
    """Where receipts of mints get their blocks."""
    uploads: MemoryUploads = field(default_factory=MemoryUploads)
    files: MemoryFiles = field(default_factory=MemoryFiles)
    index: MemoryIndex = field(default_factory=MemoryIndex)
    metadata: MemoryMetadata = field(default_factory=MemoryMetadata)
    webhooks: MemoryWebhooks = field(default_factory=MemoryWebhooks)
    webhook_secrets: MemorySecrets = field(default_factory=MemorySecrets)
    event_log: MemoryEventLog = field(default_factory=MemoryEventLog)
    line: MemoryOutbox = field(default_factory=MemoryOutbox)
    jwks: MemoryJwks = field(default_factory=MemoryJwks)
    pipeline: MemoryPipeline = field(init=False)
    dead_letters: MemoryDeadLetters = field(init=False)
    queues: MemoryQueues = field(init=False)
    """What operators see the depth of; `line` has what the api sends."""
    senders: Sequence[Sender] = ()
    patience: float = 4.0
    """Seconds that a part of the pipeline's state may take."""
    user_pool: MemoryUserPool = field(default_factory=MemoryUserPool)
    pool_users: MemoryPoolUsers = field(default_factory=MemoryPoolUsers)
    revocations: MemoryRevocations = field(default_factory=MemoryRevocations)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    missing: dict[str, Exception] = field(default_factory=dict)
    """What the readiness checks of `dynamodb` and `sqs` fail with."""
    tracer: Tracer = OFF
    api: Api = field(init=False)
    """What the latest `app` is made of."""
    meanwhile: Callable[[], Awaitable[None]] = field(default=lambda: asyncio.sleep(0))
    """What happens while an answer waits."""

    def __post_init__(self) -> None:
        self.lines = MemoryLines(self.mints)
        self.pipeline = MemoryPipeline(self.mints)
        self.queues = MemoryQueues(clock=self.clock)
        self.dead_letters = MemoryDeadLetters(self.queues)
        self.registry_of_clients = MemoryRegistry(self.clients)
        self.jwks.keys.append(self.pool.jwk())
        self.intake = IntakeSessions(
            self._certify, intake_key=self.intake_key.public_key(), now=self.milliseconds
        )

    async def _certify(self, certificate: Certificate) -> Certificate:
        if self.kms_failure is not None:
            raise self.kms_failure
        return certificate.signed(self.intake_key.sign(certificate.to_sign(), ec.ECDSA(SHA256())))

    def settings(self) -> Settings:
        """Return the settings of the application."""
        return Settings(
            public_url=PUBLIC_URL,
            chain_id=CHAIN_ID,
            default_collection=CONTRACT,
            cognito_issuer=ISSUER,
            cognito_client_id=CLIENT_ID,
            cognito_userinfo_url=f"{SIGN_IN_URL}/userInfo",
            sealing_key=public_key_of(self.sealing_key),
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
        self.api = assemble(self)
        app = build_app(self.api, metrics=Metrics(self.registry), tracer=self.tracer, groups=groups)
        app.on_startup.append(self._begin)
        return app

    async def _begin(self, _: web.Application) -> None:
        await self.intake.begin()

    def clock(self) -> float:
        """Return the harness's time in Unix seconds."""
        return self.now

    def milliseconds(self) -> int:
        """Return the harness's time in Unix milliseconds."""
        return int(self.now * 1000)

    async def sleep(self, seconds: float) -> None:
        """Let time pass, and what was planned for it happen."""
        self.now += seconds
        await self.meanwhile()

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
