"""The wiring: every client, store and handler of the api, from top to bottom."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import aiohttp
import structlog
from aiohttp import web

from mintline.admin import Admin, Check, process_registry
from mintline.aws.clients import AppClients, ClientRegistry, DynamoClients
from mintline.aws.dynamo import Dynamo
from mintline.aws.event_log import DynamoEventLog
from mintline.aws.key_stores import open_key_stores
from mintline.aws.notices import DynamoNotices
from mintline.aws.queues import Queues
from mintline.aws.session import open_client
from mintline.chain.node import Node
from mintline.clock import unix_ms
from mintline.errors import Misconfigured
from mintline.key_stores import KeyStores
from mintline.notices import Notices
from mintline.proofs.block_reader import BlockReader
from mintline.resources import BUILD, MINTS
from mintline.rpc_factory import open_rpc
from mintline.tasks import cut_off, repeatedly
from mintline.tracer_factory import open_tracer
from mintline.tracing import Tracer, with_tracing
from mintline_api.app import GROUPS, Api, build_app
from mintline_api.auth.access_tokens import AccessTokens, Issuer
from mintline_api.auth.authorizations import Authorizations
from mintline_api.auth.clients import ClientDirectory
from mintline_api.auth.intake_sessions import IntakeSessions
from mintline_api.auth.jwks import HttpJwks, KeySet
from mintline_api.auth.revocations import Revocations
from mintline_api.auth.store import DynamoClientRecords, DynamoRevocations, KmsIntake
from mintline_api.auth.user_pool import HttpUserInfo
from mintline_api.features.bulk.store import DynamoLines, Packs
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.collections.store import DynamoCollections, S3CollectionMetadata
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.features.drops.reservations import Reservations
from mintline_api.features.drops.runner import POLL_SECONDS
from mintline_api.features.drops.store import DynamoDrops, S3Lines
from mintline_api.features.links.store import DynamoLinks
from mintline_api.features.metadata.store import DynamoVersions, S3Metadata
from mintline_api.features.metadata.use_cases import MetadataCache
from mintline_api.features.mints.store import DynamoMints, DynamoTokenIds
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.operations.outbox import SqsOutbox
from mintline_api.features.pipeline.spending import Sender
from mintline_api.features.pipeline.store import DynamoPipeline
from mintline_api.features.pipeline.use_cases import PipelineReads
from mintline_api.features.queries.store import DynamoQueries
from mintline_api.features.system.readiness import Readiness
from mintline_api.features.tokens.receipts import MintReceipts
from mintline_api.features.tokens.store import DynamoIndex
from mintline_api.features.transfers.store import DynamoTokenOperations
from mintline_api.features.uploads.serving import MediaFiles
from mintline_api.features.uploads.store import DynamoUploads, S3Files
from mintline_api.features.uploads.use_cases import Uploads
from mintline_api.features.users.emails import Emails
from mintline_api.features.users.store import CognitoUsers
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.features.wallets.store import DynamoWallets, KmsKeys
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.features.webhooks.store import DynamoWebhooks, KmsSealer
from mintline_api.http.connections import Bounded, most_connections
from mintline_api.http.cursors import Cursors
from mintline_api.http.operations import Operations
from mintline_api.http.protocol import protocols, runner_of
from mintline_api.limits.client_budgets import ClientBudgets
from mintline_api.limits.gas import GasBudget
from mintline_api.limits.rates import Rates
from mintline_api.limits.store import DynamoClientUse, DynamoGas, DynamoRates
from mintline_api.metrics import Metrics
from mintline_api.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_cognito_idp import CognitoIdentityProviderClient
    from types_aiobotocore_kms import KMSClient
    from types_aiobotocore_s3 import S3Client

log = structlog.get_logger()

_SHUTDOWN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class _World:
    """What the api talks to; no `chain` without an endpoint: a silent node makes few answers poorer."""

    dynamo: Dynamo
    queues: Queues
    s3: S3Client
    upload_signer: S3Client
    kms: KMSClient
    key_stores: KeyStores
    keys: KeySet
    other_issuers: Sequence[Issuer]
    user_pool: HttpUserInfo
    intake: IntakeSessions
    token_ids: TokenIds
    chain: Node | None
    blocks: BlockReader | None
    cognito: CognitoIdentityProviderClient
    client_directory: ClientDirectory
    client_budgets: ClientBudgets


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then finish the requests under way."""
    await serve(settings, stop)


async def serve(settings: Settings, stop: asyncio.Event, *, groups: Sequence[Operations] = GROUPS) -> None:
    """Serve these operations until `stop` is set."""
    registry = process_registry()
    metrics = Metrics(registry)
    async with AsyncExitStack() as stack:
        tracer = metrics.aws.tracer = open_tracer(stack, "api", settings)
        world = await _open(stack, settings, metrics)
        checks: dict[str, Check] = {
            "dynamodb": partial(world.dynamo.ping, MINTS),
            "sqs": partial(world.queues.ping, BUILD),
            "jwks": world.keys.check,
            "intake": world.intake.check,
        }
        await world.intake.begin()
        renewing = world.intake.keep(stop, sleep=asyncio.sleep, rng=random.Random())  # noqa: S311 - jitter
        stack.push_async_callback(cut_off, asyncio.create_task(renewing, name="renew the intake session"))
        api = _assemble(settings, world, metrics, tracer, checks)
        admin = Admin(host=settings.admin_host, port=settings.admin_port, checks=checks, registry=registry)
        await stack.enter_async_context(admin)
        _run_drops(stack, api, metrics, stop)
        app = build_app(api, metrics=metrics, tracer=tracer, groups=groups)
        port = await _serve(stack, app, settings)
        log.info("api_listening", host=settings.api_host, port=port, admin_port=admin.port)
        await stop.wait()


def _run_drops(stack: AsyncExitStack, api: Api, metrics: Metrics, stop: asyncio.Event) -> None:
    """Work on drops until `stack` closes, which gives those that are under way to another process."""
    runner = api.drop_runner(
        f"{socket.gethostname()[:64]}/{uuid.uuid4()}", clock=time.monotonic, metrics=metrics
    )
    stack.push_async_callback(runner.aclose)
    rng = random.Random()  # noqa: S311 - jitter
    looking = repeatedly(runner.look, stop, every=POLL_SECONDS, sleep=asyncio.sleep, rng=rng)
    stack.push_async_callback(cut_off, asyncio.create_task(looking, name="look for drops"))


async def _open(stack: AsyncExitStack, settings: Settings, metrics: Metrics) -> _World:
    prefix, calls = settings.resource_prefix, metrics.aws
    dynamo = Dynamo(await open_client(stack, "dynamodb", settings, calls=calls), prefix)
    stack.push_async_callback(dynamo.aclose)
    queues = Queues(await open_client(stack, "sqs", settings, calls=calls), prefix)
    stack.push_async_callback(queues.aclose)
    session = await stack.enter_async_context(aiohttp.ClientSession())
    keys = KeySet(HttpJwks(session, settings.jwks_url()), clock=time.monotonic)
    stack.push_async_callback(keys.aclose)
    other_issuers = []
    for issuer in settings.other_issuers:
        its_keys = KeySet(HttpJwks(session, issuer.jwks_url), clock=time.monotonic)
        stack.push_async_callback(its_keys.aclose)
        other_issuers.append(Issuer(its_keys, issuer.rules()))
    chain = blocks = None
    if settings.rpc_urls:
        rpc = await open_rpc(stack, settings, observer=metrics.rpc, tracer=calls.tracer)
        chain, blocks = Node(rpc), BlockReader(rpc)
    kms = await open_client(stack, "kms", settings, calls=calls, endpoint_url=settings.kms_endpoint_url)
    token_ids = TokenIds(
        DynamoTokenIds(dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside),
        used=(
            DynamoIndex(dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside),
            DynamoMints(dynamo, set_aside=metrics.set_aside),
        ),
        clock=time.monotonic,
        set_back=metrics.token_ids_set_back.inc,
    )
    stack.push_async_callback(token_ids.aclose)
    client_directory = ClientDirectory(
        DynamoClientRecords(dynamo, set_aside=metrics.set_aside), now=time.time
    )
    client_budgets = ClientBudgets(
        DynamoClientUse(dynamo, set_aside=metrics.set_aside),
        clients=client_directory,
        chain=chain,
        now=unix_ms,
        clock=time.monotonic,
        mint_gas=settings.sponsored_mint_gas,
        notices=Notices(DynamoNotices(dynamo)),
        refused=metrics.client_budget_refused,
    )
    stack.push_async_callback(client_budgets.aclose)
    return _World(
        dynamo=dynamo,
        queues=queues,
        s3=await open_client(stack, "s3", settings, calls=calls),
        upload_signer=await open_client(
            stack, "s3", settings, calls=calls, endpoint_url=settings.upload_endpoint_url
        ),
        kms=kms,
        key_stores=await open_key_stores(stack, settings, dynamo, calls=calls),
        keys=keys,
        other_issuers=other_issuers,
        user_pool=HttpUserInfo(session, settings.cognito_userinfo_url),
        intake=IntakeSessions(
            KmsIntake(kms, prefix=prefix).certify,
            intake_key=settings.intake_public_key(),
            now=unix_ms,
        ),
        token_ids=token_ids,
        chain=chain,
        blocks=blocks,
        cognito=await open_client(stack, "cognito-idp", settings, calls=calls),
        client_directory=client_directory,
        client_budgets=client_budgets,
    )


def _assemble(
    settings: Settings, world: _World, metrics: Metrics, tracer: Tracer, checks: Mapping[str, Check]
) -> Api:
    index = DynamoIndex(world.dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside)
    collections = DynamoCollections(
        world.dynamo, index, chain_id=settings.chain_id, set_aside=metrics.set_aside
    )
    registry = CollectionRegistry(index, clock=time.monotonic, looked_up=metrics.caches.of("collections"))
    revocations = Revocations(
        DynamoRevocations(world.dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside),
        world.intake,
        now=time.time,
    )
    files = S3Files(world.s3, signer=world.upload_signer, prefix=settings.resource_prefix)
    texts = S3Metadata(
        world.s3,
        world.dynamo,
        prefix=settings.resource_prefix,
        chain_id=settings.chain_id,
        set_aside=metrics.set_aside,
    )
    versions = DynamoVersions(world.dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside)
    drops = DynamoDrops(world.dynamo, set_aside=metrics.set_aside)
    reservations = Reservations(chain_id=settings.chain_id, store=drops, clock=time.monotonic)
    return Api(
        settings=settings,
        access_tokens=_access_tokens(settings, world, metrics, revocations),
        wallets=_wallets(settings, world, metrics),
        users=_users(settings, world, metrics),
        links=DynamoLinks(world.dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside),
        chain=world.chain,
        mints=DynamoMints(world.dynamo, set_aside=metrics.set_aside),
        lines=DynamoLines(world.dynamo, set_aside=metrics.set_aside),
        packs=Packs(world.s3, world.dynamo, prefix=settings.resource_prefix, set_aside=metrics.set_aside),
        token_operations=DynamoTokenOperations(
            world.dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside
        ),
        drops=drops,
        drop_lines=S3Lines(world.s3, prefix=settings.resource_prefix),
        outbox=SqsOutbox(with_tracing(world.queues, tracer)),
        rates=_rates(settings, world, metrics),
        gas=_gas_budget(settings, world, metrics),
        clients=ClientRegistry(
            DynamoClients(world.dynamo, set_aside=metrics.set_aside),
            AppClients(world.cognito, settings.user_pool_id()),
        ),
        client_directory=world.client_directory,
        client_budgets=world.client_budgets,
        revocations=revocations,
        index=index,
        query_index=DynamoQueries(
            world.dynamo, index, chain_id=settings.chain_id, set_aside=metrics.set_aside
        ),
        mint_receipts=MintReceipts(world.blocks, clock=time.monotonic),
        uploads=_uploads(settings, world, metrics, files),
        media=MediaFiles(files, clock=time.monotonic),
        token_ids=world.token_ids,
        collections=registry,
        managed_collections=collections,
        collection_metadata=S3CollectionMetadata(world.s3, prefix=settings.resource_prefix),
        mint_gate=MintGate(
            registry=registry,
            collections=collections,
            chain=world.chain,
            reserved=reservations,
            clock=time.monotonic,
        ),
        reservations=reservations,
        metadata_versions=versions,
        metadata_texts=texts,
        metadata=MetadataCache(
            texts,
            versions=versions,
            clock=time.monotonic,
            looked_up=metrics.caches.of("metadata"),
            altered=metrics.metadata_altered.inc,
        ),
        webhooks=DynamoWebhooks(world.dynamo, set_aside=metrics.set_aside),
        webhook_secrets=KmsSealer(world.kms, prefix=settings.resource_prefix),
        event_log=DynamoEventLog(world.dynamo, now=unix_ms),
        authorizations=Authorizations(settings.sealer(), world.intake),
        cursors=Cursors(settings.cursor_secret.get_secret_value()),
        events=DynamoEventLog(world.dynamo, now=unix_ms),
        pipeline=PipelineReads(
            records=DynamoPipeline(world.dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside),
            queues=world.queues,
            index=index,
            chain=world.chain,
            senders=_senders(settings),
            now=unix_ms,
            clock=time.monotonic,
        ),
        readiness=Readiness(checks, clock=time.monotonic),
        now=unix_ms,
        sleep=asyncio.sleep,
        entropy=os.urandom,
    )


def _access_tokens(
    settings: Settings, world: _World, metrics: Metrics, revocations: Revocations
) -> AccessTokens:
    return AccessTokens(
        keys=world.keys,
        pool=world.user_pool,
        issuer=settings.cognito_issuer,
        client_id=settings.cognito_client_id,
        operator_client_id=settings.cognito_operator_client_id,
        now=time.time,
        revocations=revocations,
        clients=world.client_directory,
        others=world.other_issuers,
        looked_up=metrics.caches.of("access_tokens"),
    )


def _wallets(settings: Settings, world: _World, metrics: Metrics) -> WalletDirectory:
    return WalletDirectory(
        chain_id=settings.chain_id,
        wallets=DynamoWallets(world.dynamo, set_aside=metrics.set_aside),
        keys=KmsKeys(
            world.kms,
            world.key_stores,
            picked=settings.wallet_store,
            pinned=settings.wallet_key_arns,
            prefix=settings.resource_prefix,
            chain_id=settings.chain_id,
        ),
        now=unix_ms,
        clock=time.monotonic,
        looked_up=metrics.caches.of("wallets"),
    )


def _users(settings: Settings, world: _World, metrics: Metrics) -> UserDirectory:
    return UserDirectory(
        CognitoUsers(
            world.cognito,
            user_pool_id=settings.user_pool_id(),
            email_verified=settings.email_verified,
        ),
        Emails(
            settings.email_secret.get_secret_value().encode(),
            case_sensitive=settings.email_case_sensitive,
        ),
        clock=time.monotonic,
        looked_up=metrics.caches.of("users"),
    )


def _rates(settings: Settings, world: _World, metrics: Metrics) -> Rates:
    return Rates(
        DynamoRates(world.dynamo, set_aside=metrics.set_aside),
        limit=settings.user_rate,
        now=unix_ms,
        clock=time.monotonic,
    )


def _gas_budget(settings: Settings, world: _World, metrics: Metrics) -> GasBudget:
    return GasBudget(
        DynamoGas(world.dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside),
        budget=settings.user_gas_budget,
        now=unix_ms,
        clock=time.monotonic,
    )


def _uploads(settings: Settings, world: _World, metrics: Metrics, files: S3Files) -> Uploads:
    return Uploads(
        uploads=DynamoUploads(world.dynamo, set_aside=metrics.set_aside),
        files=files,
        media_url=settings.media_address(),
        most=settings.upload_bytes,
        entropy=os.urandom,
        now=unix_ms,
    )


def _senders(settings: Settings) -> list[Sender]:
    """Return the keys that pay for gas."""
    treasury = settings.treasury_address
    relayers = [Sender(address, "relayer") for address in settings.relayer_addresses]
    return relayers if treasury is None else [Sender(treasury, "treasury"), *relayers]


async def _serve(stack: AsyncExitStack, app: web.Application, settings: Settings) -> int:
    """Listen until `stack` closes, which first waits for requests under way; return the port."""
    runner = runner_of(app, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    assert runner.server is not None
    accept = Bounded(runner.server, most=most_connections(), make=protocols(app, runner.server))
    try:
        listening = await asyncio.get_running_loop().create_server(
            accept, settings.api_host, settings.api_port
        )
    except OSError as error:
        raise Misconfigured(
            f"settings: MINTLINE_API_PORT: cannot listen on {settings.api_host}:{settings.api_port}: "
            f"{error.strerror}"
        ) from None
    stack.callback(listening.close)
    port: int = listening.sockets[0].getsockname()[1]
    return port
