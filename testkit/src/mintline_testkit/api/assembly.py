"""The API's parts in memory, made of their ports."""

from __future__ import annotations

import random

from mintline.admin import Check
from mintline.notices import Notices
from mintline_api.api import Api
from mintline_api.auth.access_tokens import AccessTokens, UserPool
from mintline_api.auth.authorizations import Authorizations
from mintline_api.auth.clients import ClientDirectory
from mintline_api.auth.jwks import KeySet
from mintline_api.auth.revocations import Revocations
from mintline_api.features.clients.without_pool import RecordsAlone
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.features.drops.reservations import Reservations
from mintline_api.features.items.supplies import ItemSupplies, RecentSupplies
from mintline_api.features.metadata.use_cases import MetadataCache
from mintline_api.features.mints.packing import MetadataPacker
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.pipeline.dead_letters import DeadLetterDesk
from mintline_api.features.pipeline.use_cases import PipelineReads
from mintline_api.features.system.readiness import Readiness
from mintline_api.features.tokens.receipts import MintReceipts
from mintline_api.features.uploads.serving import MediaFiles
from mintline_api.features.uploads.use_cases import Uploads
from mintline_api.features.users.emails import Emails
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.cursors import Cursors
from mintline_api.limits.client_budgets import ClientBudgets
from mintline_api.limits.gas import GasBudget
from mintline_api.limits.rates import Rates
from mintline_api.settings import Settings
from mintline_testkit.api.collections import MemoryCollections
from mintline_testkit.api.ports import Ports
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.user_pool import CLIENT_ID, ISSUER


def assemble(ports: Ports, settings: Settings) -> Api:
    """Return what the application is made of."""
    keys = KeySet(ports.jwks, clock=ports.clock)
    directory = ClientDirectory(ports.clients, now=ports.clock)
    revocations = Revocations(ports.revocations, ports.intake, now=ports.clock)
    budgets = _client_budgets(ports, directory)
    collections = MemoryCollections(ports.index, ports.mints)
    registry = CollectionRegistry(ports.index, clock=ports.clock)
    reservations = Reservations(chain_id=CHAIN_ID, store=ports.drops, clock=ports.clock)
    return Api(
        settings=settings,
        access_tokens=_access_tokens(ports, settings, keys, directory, revocations),
        wallets=_wallets(ports),
        users=_users(ports, settings),
        links=ports.links,
        chain=ports.chain,
        mints=ports.mints,
        lines=ports.lines,
        packs=ports.metadata,
        token_operations=ports.mints,
        drops=ports.drops,
        drop_lines=ports.drop_lines,
        outbox=ports.line,
        rates=Rates(ports.rates, limit=ports.user_rate, now=ports.milliseconds, clock=ports.clock),
        gas=GasBudget(ports.gas, budget=settings.user_gas_budget, now=ports.milliseconds, clock=ports.clock),
        clients=ports.registry_of_clients if settings.user_pool() else RecordsAlone(ports.clients),
        client_directory=directory,
        client_budgets=budgets,
        revocations=revocations,
        index=ports.index,
        query_index=ports.index,
        uploads=_uploads(ports, settings),
        media=MediaFiles(ports.files, clock=ports.clock),
        mint_receipts=MintReceipts(ports.blocks, clock=ports.clock),
        collections=registry,
        managed_collections=collections,
        collection_metadata=ports.metadata,
        mint_gate=MintGate(
            registry=registry,
            collections=collections,
            chain=ports.chain,
            reserved=reservations,
            clock=ports.clock,
        ),
        reservations=reservations,
        item_supplies=RecentSupplies(supplies=ItemSupplies(chain=ports.chain), clock=ports.clock),
        metadata_versions=ports.index.versions,
        metadata_texts=ports.metadata,
        metadata=MetadataCache(ports.metadata, versions=ports.index.versions, clock=ports.clock),
        metadata_packer=MetadataPacker(ports.metadata, chain_id=CHAIN_ID, clock=ports.clock),
        token_ids=TokenIds(ports.token_ids, used=(ports.index, ports.mints), clock=ports.clock),
        webhooks=ports.webhooks,
        webhook_secrets=ports.webhook_secrets,
        event_log=ports.event_log,
        authorizations=Authorizations(settings.public_authorization_key(), ports.intake),
        cursors=Cursors(settings.cursor_secret.get_secret_value()),
        events=ports.events,
        pipeline=_pipeline(ports),
        readiness=_readiness(ports, keys),
        now=ports.milliseconds,
        sleep=ports.sleep,
        entropy=random.Random(ports.seed).randbytes,
    )


def _access_tokens(
    ports: Ports, settings: Settings, keys: KeySet, directory: ClientDirectory, revocations: Revocations
) -> AccessTokens:
    pool = UserPool(keys=keys, status=ports.user_pool, issuer=ISSUER, client_id=CLIENT_ID)
    return AccessTokens(
        pool=pool if settings.user_pool() else None,
        now=ports.clock,
        revocations=revocations,
        clients=directory,
        others=ports.other_issuers,
    )


def _client_budgets(ports: Ports, directory: ClientDirectory) -> ClientBudgets:
    return ClientBudgets(
        ports.client_use,
        clients=directory,
        chain=ports.chain,
        now=ports.milliseconds,
        clock=ports.clock,
        notices=Notices(ports.notices),
    )


def _wallets(ports: Ports) -> WalletDirectory:
    return WalletDirectory(
        chain_id=CHAIN_ID,
        wallets=ports.wallets,
        keys=ports.keys,
        now=ports.milliseconds,
        clock=ports.clock,
    )


def _users(ports: Ports, settings: Settings) -> UserDirectory:
    return UserDirectory(
        ports.pool_users if settings.user_pool() else None,
        Emails(settings.email_secret.get_secret_value().encode(), case_sensitive=True),
        clock=ports.clock,
    )


def _uploads(ports: Ports, settings: Settings) -> Uploads:
    return Uploads(
        uploads=ports.uploads,
        files=ports.files,
        media_url=settings.media_address(),
        most=settings.upload_bytes,
        entropy=random.Random(f"uploads {ports.seed}").randbytes,
        now=ports.milliseconds,
    )


def _pipeline(ports: Ports) -> PipelineReads:
    return PipelineReads(
        records=ports.pipeline,
        queues=ports.queues,
        dead_letters=DeadLetterDesk(queues=ports.dead_letters, clock=ports.clock, sleep=ports.sleep),
        index=ports.index,
        chain=ports.chain,
        senders=ports.senders,
        now=ports.milliseconds,
        clock=ports.clock,
        patience=ports.patience,
    )


def _readiness(ports: Ports, keys: KeySet) -> Readiness:
    return Readiness(
        {
            "dynamodb": _check(ports, "dynamodb"),
            "sqs": _check(ports, "sqs"),
            "jwks": keys.check,
            "intake": ports.intake.check,
        },
        clock=ports.clock,
    )


def _check(ports: Ports, name: str) -> Check:
    async def check() -> None:
        if name in ports.missing:
            raise ports.missing[name]

    return check
