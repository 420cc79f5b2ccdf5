"""The API's parts in memory, made of a harness's ports."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from mintline.admin import Check
from mintline.notices import Notices
from mintline_api.api import Api
from mintline_api.auth.access_tokens import AccessTokens
from mintline_api.auth.authorizations import Authorizations
from mintline_api.auth.clients import ClientDirectory
from mintline_api.auth.jwks import KeySet
from mintline_api.auth.revocations import Revocations
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
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.user_pool import CLIENT_ID, ISSUER

if TYPE_CHECKING:
    from mintline_testkit.api.harness import Harness


def assemble(harness: Harness) -> Api:
    """Return what the application is made of."""
    settings = harness.settings()
    keys = KeySet(harness.jwks, clock=harness.clock)
    directory = ClientDirectory(harness.clients, now=harness.clock)
    revocations = Revocations(harness.revocations, harness.intake, now=harness.clock)
    budgets = _client_budgets(harness, directory)
    collections = MemoryCollections(harness.index, harness.mints)
    registry = CollectionRegistry(harness.index, clock=harness.clock)
    reservations = Reservations(chain_id=CHAIN_ID, store=harness.drops, clock=harness.clock)
    return Api(
        settings=settings,
        access_tokens=_access_tokens(harness, keys, directory, revocations),
        wallets=_wallets(harness),
        users=_users(harness, settings),
        links=harness.links,
        chain=harness.chain,
        mints=harness.mints,
        lines=harness.lines,
        packs=harness.metadata,
        token_operations=harness.mints,
        drops=harness.drops,
        drop_lines=harness.drop_lines,
        outbox=harness.line,
        rates=Rates(harness.rates, limit=harness.user_rate, now=harness.milliseconds, clock=harness.clock),
        gas=GasBudget(
            harness.gas, budget=settings.user_gas_budget, now=harness.milliseconds, clock=harness.clock
        ),
        clients=harness.registry_of_clients,
        client_directory=directory,
        client_budgets=budgets,
        revocations=revocations,
        index=harness.index,
        query_index=harness.index,
        uploads=_uploads(harness, settings),
        media=MediaFiles(harness.files, clock=harness.clock),
        mint_receipts=MintReceipts(harness.blocks, clock=harness.clock),
        collections=registry,
        managed_collections=collections,
        collection_metadata=harness.metadata,
        mint_gate=MintGate(
            registry=registry,
            collections=collections,
            chain=harness.chain,
            reserved=reservations,
            clock=harness.clock,
        ),
        reservations=reservations,
        item_supplies=RecentSupplies(supplies=ItemSupplies(chain=harness.chain), clock=harness.clock),
        metadata_versions=harness.index.versions,
        metadata_texts=harness.metadata,
        metadata=MetadataCache(harness.metadata, versions=harness.index.versions, clock=harness.clock),
        metadata_packer=MetadataPacker(harness.metadata, chain_id=CHAIN_ID, clock=harness.clock),
        token_ids=TokenIds(harness.token_ids, used=(harness.index, harness.mints), clock=harness.clock),
        webhooks=harness.webhooks,
        webhook_secrets=harness.webhook_secrets,
        event_log=harness.event_log,
        authorizations=Authorizations(settings.sealer(), harness.intake),
        cursors=Cursors(settings.cursor_secret.get_secret_value()),
        events=harness.events,
        pipeline=_pipeline(harness),
        readiness=_readiness(harness, keys),
        now=harness.milliseconds,
        sleep=harness.sleep,
        entropy=random.Random(harness.seed).randbytes,
    )


def _access_tokens(
    harness: Harness, keys: KeySet, directory: ClientDirectory, revocations: Revocations
) -> AccessTokens:
    return AccessTokens(
        keys=keys,
        pool=harness.user_pool,
        issuer=ISSUER,
        client_id=CLIENT_ID,
        now=harness.clock,
        revocations=revocations,
        clients=directory,
        others=harness.other_issuers,
    )


def _client_budgets(harness: Harness, directory: ClientDirectory) -> ClientBudgets:
    return ClientBudgets(
        harness.client_use,
        clients=directory,
        chain=harness.chain,
        now=harness.milliseconds,
        clock=harness.clock,
        notices=Notices(harness.notices),
    )


def _wallets(harness: Harness) -> WalletDirectory:
    return WalletDirectory(
        chain_id=CHAIN_ID,
        wallets=harness.wallets,
        keys=harness.keys,
        now=harness.milliseconds,
        clock=harness.clock,
    )


def _users(harness: Harness, settings: Settings) -> UserDirectory:
    return UserDirectory(
        harness.pool_users,
        Emails(settings.email_secret.get_secret_value().encode(), case_sensitive=True),
        clock=harness.clock,
    )


def _uploads(harness: Harness, settings: Settings) -> Uploads:
    return Uploads(
        uploads=harness.uploads,
        files=harness.files,
        media_url=settings.media_address(),
        most=settings.upload_bytes,
        entropy=random.Random(f"uploads {harness.seed}").randbytes,
        now=harness.milliseconds,
    )


def _pipeline(harness: Harness) -> PipelineReads:
    return PipelineReads(
        records=harness.pipeline,
        queues=harness.queues,
        dead_letters=DeadLetterDesk(queues=harness.dead_letters, clock=harness.clock, sleep=harness.sleep),
        index=harness.index,
        chain=harness.chain,
        senders=harness.senders,
        now=harness.milliseconds,
        clock=harness.clock,
        patience=harness.patience,
    )


def _readiness(harness: Harness, keys: KeySet) -> Readiness:
    return Readiness(
        {
            "dynamodb": _check(harness, "dynamodb"),
            "sqs": _check(harness, "sqs"),
            "jwks": keys.check,
            "intake": harness.intake.check,
        },
        clock=harness.clock,
    )


def _check(harness: Harness, name: str) -> Check:
    async def check() -> None:
        if name in harness.missing:
            raise harness.missing[name]

    return check
