"""Every store of the features, and what they share, made of the api's environment."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping

from mintline.admin import Check
from mintline.aws.clients import AppClients, ClientRegistry, DynamoClients
from mintline.aws.event_log import DynamoEventLog
from mintline.clock import unix_ms
from mintline.tracing import Tracer, with_tracing
from mintline_api.api import Api
from mintline_api.auth.access_tokens import AccessTokens, UserPool
from mintline_api.auth.authorizations import Authorizations
from mintline_api.auth.revocations import Revocations
from mintline_api.auth.store import DynamoRevocations
from mintline_api.environment import Environment, Pool
from mintline_api.features.bulk.store import DynamoLines
from mintline_api.features.clients.ports import Registry
from mintline_api.features.clients.without_pool import RecordsAlone
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.collections.store import DynamoCollections, S3CollectionMetadata
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.features.drops.reservations import Reservations
from mintline_api.features.drops.store import DynamoDrops, S3Lines
from mintline_api.features.items.supplies import ItemSupplies, RecentSupplies
from mintline_api.features.links.store import DynamoLinks
from mintline_api.features.metadata.store import DynamoVersions, S3Metadata
from mintline_api.features.metadata.use_cases import MetadataCache
from mintline_api.features.mints.store import DynamoMints
from mintline_api.features.operations.entrance import ENTRANCE_SECONDS, Entrance
from mintline_api.features.operations.outbox import SqsOutbox
from mintline_api.features.pipeline.dead_letters import DeadLetterDesk
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
from mintline_api.features.webhooks.store import DynamoWebhooks, KmsSecretEncryptor
from mintline_api.http.cursors import Cursors
from mintline_api.limits.gas import GasBudget
from mintline_api.limits.rates import Rates
from mintline_api.limits.store import DynamoGas, DynamoRates
from mintline_api.metrics import Metrics
from mintline_api.settings import Settings


def assemble(
    settings: Settings,
    environment: Environment,
    metrics: Metrics,
    tracer: Tracer,
    checks: Mapping[str, Check],
) -> Api:
    """Return what the features are made of; readiness is by `checks`."""
    dynamo, chain_id, set_aside = environment.dynamo, settings.chain_id, metrics.set_aside
    index = DynamoIndex(dynamo, chain_id=chain_id, set_aside=set_aside)
    collections = DynamoCollections(dynamo, index, chain_id=chain_id, set_aside=set_aside)
    registry = CollectionRegistry(index, clock=time.monotonic, looked_up=metrics.caches.of("collections"))
    revocations = Revocations(
        DynamoRevocations(dynamo, chain_id=chain_id, set_aside=set_aside),
        environment.intake,
        now=time.time,
    )
    files = S3Files(environment.s3, signer=environment.upload_signer, prefix=settings.resource_prefix)
    texts = _texts(settings, environment, metrics)
    versions = DynamoVersions(dynamo, chain_id=chain_id, set_aside=set_aside)
    drops = DynamoDrops(dynamo, set_aside=set_aside)
    reservations = Reservations(chain_id=chain_id, store=drops, clock=time.monotonic)
    return Api(
        settings=settings,
        access_tokens=_access_tokens(environment, metrics, revocations),
        wallets=_wallets(settings, environment, metrics),
        users=_users(settings, environment, metrics),
        links=DynamoLinks(dynamo, chain_id=chain_id, set_aside=set_aside),
        chain=environment.chain,
        mints=DynamoMints(dynamo, set_aside=set_aside),
        lines=DynamoLines(dynamo, set_aside=set_aside),
        packs=environment.packs,
        token_operations=DynamoTokenOperations(dynamo, chain_id=chain_id, set_aside=set_aside),
        drops=drops,
        drop_lines=S3Lines(environment.s3, prefix=settings.resource_prefix),
        outbox=SqsOutbox(with_tracing(environment.queues, tracer)),
        rates=_rates(settings, environment, metrics),
        gas=_gas_budget(settings, environment, metrics),
        clients=_clients(environment, metrics),
        client_directory=environment.client_directory,
        client_budgets=environment.client_budgets,
        revocations=revocations,
        index=index,
        query_index=DynamoQueries(dynamo, index, chain_id=chain_id, set_aside=set_aside),
        mint_receipts=MintReceipts(environment.blocks, clock=time.monotonic),
        uploads=_uploads(settings, environment, metrics, files),
        media=MediaFiles(files, clock=time.monotonic),
        token_ids=environment.token_ids,
        metadata_packer=environment.metadata_packer,
        collections=registry,
        managed_collections=collections,
        collection_metadata=S3CollectionMetadata(environment.s3, prefix=settings.resource_prefix),
        mint_gate=_mint_gate(environment, registry, collections, reservations),
        reservations=reservations,
        item_supplies=RecentSupplies(supplies=ItemSupplies(chain=environment.chain), clock=time.monotonic),
        metadata_versions=versions,
        metadata_texts=texts,
        metadata=_metadata(metrics, texts, versions),
        webhooks=DynamoWebhooks(dynamo, set_aside=set_aside),
        webhook_secrets=KmsSecretEncryptor(environment.kms, prefix=settings.resource_prefix),
        event_log=DynamoEventLog(dynamo, now=unix_ms),
        authorizations=Authorizations(settings.public_authorization_key(), environment.intake),
        cursors=Cursors(settings.cursor_secret.get_secret_value()),
        events=DynamoEventLog(dynamo, now=unix_ms),
        pipeline=_pipeline(settings, environment, metrics, index),
        readiness=Readiness(checks, clock=time.monotonic),
        entrance=Entrance(ENTRANCE_SECONDS),
        now=unix_ms,
        sleep=asyncio.sleep,
        entropy=os.urandom,
    )


def _texts(settings: Settings, environment: Environment, metrics: Metrics) -> S3Metadata:
    return S3Metadata(
        environment.s3,
        environment.dynamo,
        prefix=settings.resource_prefix,
        chain_id=settings.chain_id,
        set_aside=metrics.set_aside,
    )


def _mint_gate(
    environment: Environment,
    registry: CollectionRegistry,
    collections: DynamoCollections,
    reservations: Reservations,
) -> MintGate:
    return MintGate(
        registry=registry,
        collections=collections,
        chain=environment.chain,
        reserved=reservations,
        clock=time.monotonic,
    )


def _user_pool(pool: Pool) -> UserPool:
    return UserPool(
        keys=pool.keys,
        status=pool.user_info,
        issuer=pool.settings.issuer,
        client_id=pool.settings.client_id,
        operator_client_id=pool.settings.operator_client_id,
    )


def _access_tokens(environment: Environment, metrics: Metrics, revocations: Revocations) -> AccessTokens:
    return AccessTokens(
        pool=None if environment.user_pool is None else _user_pool(environment.user_pool),
        now=time.time,
        revocations=revocations,
        clients=environment.client_directory,
        others=environment.other_issuers,
        looked_up=metrics.caches.of("access_tokens"),
    )


def _wallets(settings: Settings, environment: Environment, metrics: Metrics) -> WalletDirectory:
    return WalletDirectory(
        chain_id=settings.chain_id,
        wallets=DynamoWallets(environment.dynamo, set_aside=metrics.set_aside),
        keys=KmsKeys(
            environment.kms,
            environment.key_stores,
            picked=settings.wallet_store,
            pinned=settings.wallet_key_arns,
            prefix=settings.resource_prefix,
            chain_id=settings.chain_id,
        ),
        now=unix_ms,
        clock=time.monotonic,
        looked_up=metrics.caches.of("wallets"),
    )


def _users(settings: Settings, environment: Environment, metrics: Metrics) -> UserDirectory:
    return UserDirectory(
        None
        if (pool := environment.user_pool) is None
        else CognitoUsers(
            pool.cognito,
            user_pool_id=pool.settings.user_pool_id,
            email_verified=settings.email_verified,
        ),
        Emails(
            settings.email_secret.get_secret_value().encode(),
            case_sensitive=settings.email_case_sensitive,
        ),
        clock=time.monotonic,
        looked_up=metrics.caches.of("users"),
    )


def _rates(settings: Settings, environment: Environment, metrics: Metrics) -> Rates:
    return Rates(
        DynamoRates(environment.dynamo, set_aside=metrics.set_aside),
        limit=settings.user_rate,
        now=unix_ms,
        clock=time.monotonic,
    )


def _gas_budget(settings: Settings, environment: Environment, metrics: Metrics) -> GasBudget:
    return GasBudget(
        DynamoGas(environment.dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside),
        budget=settings.user_gas_budget,
        now=unix_ms,
        clock=time.monotonic,
    )


def _uploads(settings: Settings, environment: Environment, metrics: Metrics, files: S3Files) -> Uploads:
    return Uploads(
        uploads=DynamoUploads(environment.dynamo, set_aside=metrics.set_aside),
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


def _pipeline(
    settings: Settings, environment: Environment, metrics: Metrics, index: DynamoIndex
) -> PipelineReads:
    return PipelineReads(
        records=DynamoPipeline(environment.dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside),
        queues=environment.queues,
        dead_letters=DeadLetterDesk(
            queues=environment.dead_letters, clock=time.monotonic, sleep=asyncio.sleep
        ),
        index=index,
        chain=environment.chain,
        senders=_senders(settings),
        now=unix_ms,
        clock=time.monotonic,
    )


def _metadata(metrics: Metrics, texts: S3Metadata, versions: DynamoVersions) -> MetadataCache:
    return MetadataCache(
        texts,
        versions=versions,
        clock=time.monotonic,
        looked_up=metrics.caches.of("metadata"),
        altered=metrics.metadata_altered.inc,
    )


def _clients(environment: Environment, metrics: Metrics) -> Registry:
    records = DynamoClients(environment.dynamo, set_aside=metrics.set_aside)
    if (pool := environment.user_pool) is None:
        return RecordsAlone(records)
    return ClientRegistry(records, AppClients(pool.cognito, pool.settings.user_pool_id))
