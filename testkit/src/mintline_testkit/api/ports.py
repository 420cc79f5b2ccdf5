"""The API's ports in memory.

Time stands still until it is moved, and randomness comes from a seed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from mintline.acceptance import Certificate
from mintline_api.auth.access_tokens import Issuer
from mintline_api.auth.intake_sessions import IntakeSessions
from mintline_api.features.pipeline.spending import Sender
from mintline_api.features.tokens.receipts import WholeBlocks
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
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notices import MemoryNotices
from mintline_testkit.queues import MemoryQueues
from mintline_testkit.user_pool import START, UserPool
from mintline_testkit.webhooks import MemorySecrets, MemoryWebhooks


@dataclass(slots=True)
class Ports:
    """What the api is assembled of, in the open."""

    pool: UserPool
    events: MemoryEventLog = field(default_factory=MemoryEventLog)
    intake_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    """Certifies the api's session keys, as KMS does."""
    intake: IntakeSessions = field(init=False)
    kms_failure: Exception | None = None
    """What certifying a session key fails with."""
    seed: int = 0
    user_rate: int = 600
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
    missing: dict[str, Exception] = field(default_factory=dict)
    """What the readiness checks of `dynamodb` and `sqs` fail with."""
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

    def clock(self) -> float:
        """Return the time in Unix seconds."""
        return self.now

    def milliseconds(self) -> int:
        """Return the time in Unix milliseconds."""
        return int(self.now * 1000)

    async def sleep(self, seconds: float) -> None:
        """Let time pass, and what was planned for it happen."""
        self.now += seconds
        await self.meanwhile()
