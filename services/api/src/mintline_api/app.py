"""The aiohttp application: every operation, the middlewares around them, and the documents about them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from aiohttp import web

from mintline.events import EventLog
from mintline.tracing import OFF, Tracer
from mintline_api.auth.access_tokens import AccessTokens
from mintline_api.auth.authorizations import Authorizations
from mintline_api.auth.callers import ACCESS_TOKENS, AUTHORIZATIONS
from mintline_api.auth.clients import ClientDirectory
from mintline_api.auth.problems import AUTHENTICATION, FOR_CLIENTS_TOO, FOR_USERS_ALONE
from mintline_api.auth.revocations import Revocations
from mintline_api.chain import ChainReader
from mintline_api.features.bulk import routes as bulk
from mintline_api.features.bulk.context import BULK, BulkContext
from mintline_api.features.bulk.ports import LineStore, PackStore
from mintline_api.features.bulk.recipients import LineRecipients
from mintline_api.features.bulk.use_cases import BulkIntake, LinesIntake
from mintline_api.features.clients import routes as clients
from mintline_api.features.clients.ports import Registry
from mintline_api.features.clients.use_cases import ClientManagement
from mintline_api.features.collections import routes as collections
from mintline_api.features.collections.context import COLLECTIONS, CollectionsContext
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.collections.ports import CollectionMetadataStore, ManagedCollections
from mintline_api.features.console import routes as console_routes
from mintline_api.features.console.site import CONSOLE, console
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.features.drops import routes as drops
from mintline_api.features.drops import run_routes
from mintline_api.features.drops.context import DROPS, DropsContext
from mintline_api.features.drops.dry_run import DryRuns
from mintline_api.features.drops.feeding import Feeding
from mintline_api.features.drops.gas import GasMeter
from mintline_api.features.drops.pacing import Pace
from mintline_api.features.drops.ports import DropStore, LineObjects
from mintline_api.features.drops.preparation import Preparation
from mintline_api.features.drops.reservations import Reservations
from mintline_api.features.drops.runner import DropRunner
from mintline_api.features.drops.use_cases import DropIntake
from mintline_api.features.events import routes as events
from mintline_api.features.events.streams import EventStreams
from mintline_api.features.items.ports import ItemVersions
from mintline_api.features.items.supplies import ItemSupplies
from mintline_api.features.items.use_cases import Items
from mintline_api.features.links import routes as links
from mintline_api.features.links.ports import LinkStore
from mintline_api.features.links.use_cases import Linking, SignIn
from mintline_api.features.metadata import routes as metadata
from mintline_api.features.metadata.ports import MetadataStore
from mintline_api.features.metadata.use_cases import MetadataCache, MetadataReads
from mintline_api.features.mints import routes as mints
from mintline_api.features.mints.context import MINTS, MintsContext
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.mints.recipients import Recipients
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.mints.use_cases import MintIntake
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.ports import Outbox
from mintline_api.features.operations.waiting import WAITS, Waits
from mintline_api.features.pipeline import routes as pipeline
from mintline_api.features.pipeline.use_cases import PipelineReads
from mintline_api.features.queries import routes as queries
from mintline_api.features.queries.ports import QueryIndex
from mintline_api.features.reveals import routes as reveals
from mintline_api.features.reveals.context import REVEALS, RevealsContext
from mintline_api.features.system import routes as system
from mintline_api.features.system.readiness import Readiness
from mintline_api.features.system.sign_in import sign_in_document
from mintline_api.features.token_metadata import routes as token_metadata
from mintline_api.features.token_metadata.context import TOKEN_METADATA, TokenMetadataContext
from mintline_api.features.tokens import routes as tokens
from mintline_api.features.tokens.ports import Index
from mintline_api.features.tokens.receipts import MintReceipts
from mintline_api.features.tokens.use_cases import TokenReads
from mintline_api.features.transfers import routes as transfers
from mintline_api.features.transfers.checks import TokenChecks
from mintline_api.features.transfers.context import TRANSFERS, TransfersContext
from mintline_api.features.transfers.ports import TokenOperationReader
from mintline_api.features.uploads import routes as uploads
from mintline_api.features.uploads.serving import MediaFiles
from mintline_api.features.uploads.use_cases import Uploads
from mintline_api.features.users import routes as users
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.features.wallets import routes as wallets
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.features.webhooks import routes as webhooks
from mintline_api.features.webhooks.ports import LogEnds, SecretSealer, Webhooks
from mintline_api.features.webhooks.use_cases import WebhookManagement
from mintline_api.http.catalogue import ProblemCatalogue
from mintline_api.http.context import GATE, HTTP, METRICS, OPENAPI, TRACER, Document, HttpContext
from mintline_api.http.cors import CORS, Cors, cors_middleware
from mintline_api.http.cursors import Cursors
from mintline_api.http.gate import Gate
from mintline_api.http.middlewares import (
    admission_middleware,
    deadline_middleware,
    error_middleware,
    logging_middleware,
    set_security_headers,
)
from mintline_api.http.openapi import openapi
from mintline_api.http.operations import Operations, routes
from mintline_api.http.reference.documents import CACHED, DOCS, Reference, reference
from mintline_api.http.responses import document_of
from mintline_api.limits.client_budgets import ClientBudgets
from mintline_api.limits.gas import GasBudget
from mintline_api.limits.problems import TOO_MANY_WRITES
from mintline_api.limits.rates import Rates
from mintline_api.limits.writes import RATES
from mintline_api.metrics import Metrics
from mintline_api.settings import LARGEST_BODY, Settings

GROUPS = (
    mints.operations,
    bulk.operations,
    drops.operations,
    run_routes.operations,
    transfers.operations,
    collections.operations,
    wallets.operations,
    clients.own,
    users.operations,
    links.operations,
    tokens.operations,
    queries.operations,
    events.operations,
    uploads.operations,
    metadata.operations,
    token_metadata.operations,
    reveals.operations,
    webhooks.operations,
    clients.operations,
    pipeline.operations,
    system.operations,
)
PROBLEMS = ProblemCatalogue(
    authentication=AUTHENTICATION,
    for_clients=FOR_CLIENTS_TOO,
    for_users=FOR_USERS_ALONE,
    writes=(TOO_MANY_WRITES,),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Everything that the features are made of.

    `now` returns Unix milliseconds, `sleep` takes seconds, `entropy` returns random bytes.
    """

    settings: Settings
    access_tokens: AccessTokens
    wallets: WalletDirectory
    users: UserDirectory
    links: LinkStore
    chain: ChainReader | None
    mints: MintStore
    lines: LineStore
    packs: PackStore
    token_operations: TokenOperationReader
    drops: DropStore
    drop_lines: LineObjects
    outbox: Outbox
    rates: Rates
    gas: GasBudget
    clients: Registry
    client_directory: ClientDirectory
    client_budgets: ClientBudgets
    revocations: Revocations
    index: Index
    query_index: QueryIndex
    mint_receipts: MintReceipts
    uploads: Uploads
    media: MediaFiles
    collections: CollectionRegistry
    managed_collections: ManagedCollections
    collection_metadata: CollectionMetadataStore
    mint_gate: MintGate
    reservations: Reservations
    token_ids: TokenIds
    metadata_versions: ItemVersions
    metadata_texts: MetadataStore
    metadata: MetadataCache
    webhooks: Webhooks
    webhook_secrets: SecretSealer
    event_log: LogEnds
    authorizations: Authorizations
    cursors: Cursors
    readiness: Readiness
    events: EventLog
    pipeline: PipelineReads
    now: Callable[[], int]
    sleep: Callable[[float], Awaitable[None]]
    entropy: Callable[[int], bytes]

    def mint_intake(self, nudges: Nudges) -> MintIntake:
        """Return what it takes to accept a mint, whose message goes by `nudges`."""
        return MintIntake(
            chain_id=self.settings.chain_id,
            default_collection=self.settings.default_collection,
            collections=self.collections,
            wallets=self.wallets,
            links=self.links,
            token_ids=self.token_ids,
            recipients=Recipients(users=self.users, wallets=self.wallets),
            gate=self.mint_gate,
            uploads=self.uploads,
            items=Items(
                chain_id=self.settings.chain_id,
                versions=self.metadata_versions,
                texts=self.collection_metadata,
            ),
            operations=self.mints,
            outbox=self.outbox,
            entropy=self.entropy,
            nudges=nudges,
            rates=self.rates,
            gas=self.gas,
            client_budgets=self.client_budgets,
        )

    def lines_intake(self, nudges: Nudges) -> LinesIntake:
        """Return what it takes to accept lines whose recipients are known, likewise."""
        return LinesIntake(lines=self.lines, packs=self.packs, outbox=self.outbox, nudges=nudges)

    def drop_runner(self, owner: str, *, clock: Callable[[], float], metrics: Metrics) -> DropRunner:
        """Return what prepares and feeds drops; `owner` names this process, `clock` is monotonic."""
        settings = self.settings
        return DropRunner(
            owner=owner,
            store=self.drops,
            lines=self.lines,
            chain=self.chain,
            preparation=Preparation(
                objects=self.drop_lines,
                users=self.users,
                wallets=self.wallets,
                token_ids=self.token_ids,
                gate=self.mint_gate,
                pace=Pace(settings.drop_users_per_second, clock=clock, sleep=self.sleep),
            ),
            feeding=Feeding(
                objects=self.drop_lines,
                intake=self.lines_intake(Nudges()),
                gate=self.mint_gate,
                reservations=self.reservations,
                budgets=self.client_budgets,
                clients=self.client_directory,
                metrics=metrics,
                grace_ms=settings.drop_grace * 1000,
            ),
            now=self.now,
            sleep=self.sleep,
            in_flight=settings.drop_chunks_in_flight,
        )

    def bulk_intake(self, nudges: Nudges) -> BulkIntake:
        """Return what it takes to accept many mints at once, likewise."""
        return BulkIntake(
            mints=self.mint_intake(nudges),
            recipients=LineRecipients(users=self.users, wallets=self.wallets),
            lines=self.lines_intake(nudges),
        )


def build_app(
    api: Api, *, metrics: Metrics, tracer: Tracer = OFF, groups: Sequence[Operations] = GROUPS
) -> web.Application:
    """Return the application that serves `groups` by `api`, counted in `metrics` and traced by `tracer`."""
    app = web.Application(
        middlewares=[
            logging_middleware,
            error_middleware,
            cors_middleware,
            deadline_middleware,
            admission_middleware,
        ],
        client_max_size=LARGEST_BODY,
    )
    _provide(app, api)
    app[CORS] = Cors(api.settings.cors_origins)
    app[METRICS] = metrics
    app[TRACER] = tracer
    app[GATE] = Gate(
        most=api.settings.max_requests,
        clock=time.monotonic,
        rng=random.Random(),  # noqa: S311 - advice, not a secret
    )
    app[OPENAPI], app[DOCS] = _documents(tuple(groups), api.settings.public_url, api.settings.sign_in_url())
    app.add_routes(routes(groups))
    app[CONSOLE] = console(api.settings)
    app.add_routes(console_routes.routes())
    app.on_response_prepare.append(set_security_headers)
    return app


@lru_cache(maxsize=8)
def _documents(
    groups: tuple[Operations, ...], public_url: str, sign_in_url: str
) -> tuple[Document, Reference]:
    """Return the OpenAPI document and the reference that shows it: half a second's work, kept."""
    described = openapi(groups, problems=PROBLEMS, public_url=public_url, sign_in_url=sign_in_url)
    document = document_of(
        json.dumps(described, indent=1).encode(),
        {**CACHED, "Content-Type": "application/json", "Access-Control-Allow-Origin": "*"},
    )
    kinds = PROBLEMS.all(operation for group in groups for operation in group)
    return document, reference(described["info"]["title"], kinds=kinds)


def _provide(app: web.Application, api: Api) -> None:
    """Give each feature what its operations reach."""
    settings = api.settings
    app[HTTP] = HttpContext(
        public_url=settings.public_url,
        request_seconds=settings.request_seconds,
        cursors=api.cursors,
        now=api.now,
        entropy=api.entropy,
    )
    app[ACCESS_TOKENS] = api.access_tokens
    app[AUTHORIZATIONS] = api.authorizations
    app[RATES] = api.rates
    app[WAITS] = Waits(now=api.now, sleep=api.sleep)
    app[MINTS] = MintsContext(mints=api.mints, intake=api.mint_intake, chain=api.chain, outbox=api.outbox)
    app[BULK] = BulkContext(lines=api.lines, intake=api.bulk_intake)
    app[TRANSFERS] = TransfersContext(
        operations=api.mints,
        intake=api.mint_intake,
        checks=TokenChecks(tokens=api.index, operations=api.token_operations, chain=api.chain),
        outbox=api.outbox,
    )
    app[COLLECTIONS] = CollectionsContext(
        chain_id=settings.chain_id,
        collections=api.managed_collections,
        metadata=api.collection_metadata,
        registry=api.collections,
        factory=settings.factory,
        chain=api.chain,
        intake=api.mint_intake,
    )
    app[DROPS] = _drops(api)
    app[clients.CLIENTS] = ClientManagement(
        registry=api.clients,
        budgets=api.client_budgets,
        directory=api.client_directory,
        revocations=api.revocations,
    )
    app[webhooks.WEBHOOKS] = WebhookManagement(
        webhooks=api.webhooks,
        sealer=api.webhook_secrets,
        log=api.event_log,
        allow_loopback=settings.webhook_allow_loopback,
        entropy=api.entropy,
        now=api.now,
    )
    app[wallets.WALLETS] = api.wallets
    app[users.USERS] = users.UsersContext(users=api.users, wallets=api.wallets)
    app[links.LINKING] = Linking(
        sign_in=SignIn(settings.chain_id, settings.sign_in_sites(), settings.public_url),
        links=api.links,
        chain=api.chain,
        entropy=api.entropy,
    )
    app[tokens.TOKENS] = TokenReads(
        chain_id=settings.chain_id,
        collections=api.collections,
        index=api.index,
        metadata=api.metadata,
        mints=api.mints,
        supplies=ItemSupplies(chain=api.chain),
    )
    app[queries.QUERIES] = queries.QueryReads(
        chain_id=settings.chain_id,
        collections=api.collections,
        index=api.query_index,
        chain=api.chain,
        kept=settings.query_indexes,
    )
    app[tokens.RECEIPTS] = api.mint_receipts
    app[uploads.UPLOADS] = api.uploads
    app[uploads.MEDIA] = api.media
    app[metadata.METADATA] = MetadataReads(
        chain_id=settings.chain_id,
        collections=api.collections,
        tokens=api.index,
        metadata=api.metadata,
    )
    app[TOKEN_METADATA] = TokenMetadataContext(
        tokens=app[tokens.TOKENS], versions=api.metadata_versions, uploads=api.uploads
    )
    app[REVEALS] = RevealsContext(packs=api.packs, metadata=api.metadata_texts)
    app[pipeline.PIPELINE] = api.pipeline
    app[system.READINESS] = api.readiness
    app[events.STREAMS] = EventStreams(api.events)
    app.on_shutdown.append(events.close_streams)
    app[system.SIGN_IN] = sign_in_document(settings)


def _drops(api: Api) -> DropsContext:
    settings = api.settings
    return DropsContext(
        store=api.drops,
        objects=api.drop_lines,
        mints=api.mints,
        lines=api.lines,
        users=api.users,
        media=api.uploads,
        intake=DropIntake(
            chain_id=settings.chain_id,
            default_collection=settings.default_collection,
            gate=api.mint_gate,
            budgets=api.client_budgets,
            store=api.drops,
            entropy=api.entropy,
        ),
        dry_runs=DryRuns(
            store=api.drops,
            objects=api.drop_lines,
            users=api.users,
            wallets=api.wallets,
            gate=api.mint_gate,
            chain=api.chain,
            gas=GasMeter(
                mints=api.mints, lines=api.lines, chain=api.chain, unmeasured=settings.sponsored_mint_gas
            ),
            users_per_second=settings.drop_users_per_second,
        ),
    )
