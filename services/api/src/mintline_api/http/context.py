"""What the endpoints reach the rest of the api by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from mintline.scopes import Scope
from mintline.tracing import Tracer
from mintline_api.auth.access_tokens import AccessTokens
from mintline_api.auth.authorizations import Authorizations
from mintline_api.chain import Chain
from mintline_api.features.collections.registry import Collections
from mintline_api.features.links.ports import LinkStore
from mintline_api.features.metadata.use_cases import MetadataCache
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.operations.ports import Line
from mintline_api.features.operations.use_cases import Intake
from mintline_api.features.system.readiness import Readiness
from mintline_api.features.tokens.ports import Index
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.cursors import Cursors
from mintline_api.http.deadlines import Deadline
from mintline_api.http.gate import Gate
from mintline_api.limits.gas import GasBudget
from mintline_api.limits.rates import Rates
from mintline_api.metrics import Metrics
from mintline_api.nudges import Nudges
from mintline_api.settings import Settings


@dataclass(frozen=True, slots=True)
class Api:
    """Everything that an endpoint may call.

    `now` returns Unix milliseconds, `sleep` takes seconds, `entropy` returns random bytes.
    """

    settings: Settings
    access_tokens: AccessTokens
    wallets: WalletDirectory
    links: LinkStore
    chain: Chain | None
    mints: MintStore
    line: Line
    rates: Rates
    gas: GasBudget
    index: Index
    collections: Collections
    token_ids: TokenIds
    metadata: MetadataCache
    authorizations: Authorizations
    cursors: Cursors
    readiness: Readiness
    now: Callable[[], int]
    sleep: Callable[[float], Awaitable[None]]
    entropy: Callable[[int], bytes]

    def intake(self, nudges: Nudges) -> Intake:
        """Return what it takes to accept an operation, whose message goes by `nudges`."""
        return Intake(
            chain_id=self.settings.chain_id,
            default_collection=self.settings.default_collection,
            collections=self.collections,
            wallets=self.wallets,
            links=self.links,
            token_ids=self.token_ids,
            operations=self.mints,
            line=self.line,
            entropy=self.entropy,
            nudges=nudges,
            rates=self.rates,
            gas=self.gas,
        )


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is made once, at start."""

    body: bytes
    etag: str
    headers: Mapping[str, str]


SCOPE = web.RequestKey("scope", Scope)
"""The scope that a request's operation takes."""
API = web.AppKey("api", Api)
TRACER: web.AppKey[Tracer] = web.AppKey("tracer")
METRICS = web.AppKey("metrics", Metrics)
DEADLINE: web.RequestKey[Deadline] = web.RequestKey("deadline", Deadline)
GATE = web.AppKey("gate", Gate)
OPENAPI = web.AppKey("openapi", Document)
