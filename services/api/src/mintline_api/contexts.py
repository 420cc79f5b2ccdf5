"""What each feature's handlers reach, made of `mintline_api.api.Api`."""

from __future__ import annotations

from aiohttp import web

from mintline_api.api import Api
from mintline_api.auth.callers import ACCESS_TOKENS, AUTHORIZATIONS
from mintline_api.features.bulk.context import BULK, BulkContext
from mintline_api.features.clients import routes as clients
from mintline_api.features.clients.use_cases import ClientManagement
from mintline_api.features.collections.context import COLLECTIONS, CollectionsContext
from mintline_api.features.drops.context import DROPS, DropsContext
from mintline_api.features.drops.dry_run import DryRuns
from mintline_api.features.drops.gas import GasMeter
from mintline_api.features.drops.use_cases import DropIntake
from mintline_api.features.events import routes as events
from mintline_api.features.events.streams import EventStreams
from mintline_api.features.items.supplies import ItemSupplies
from mintline_api.features.links import routes as links
from mintline_api.features.links.use_cases import Linking, SignIn
from mintline_api.features.metadata import routes as metadata
from mintline_api.features.metadata.use_cases import MetadataReads
from mintline_api.features.mints.context import MINTS, MintsContext
from mintline_api.features.operations.entrance import ENTRANCE
from mintline_api.features.operations.waiting import WAITS, Waits
from mintline_api.features.pipeline import routes as pipeline
from mintline_api.features.queries import routes as queries
from mintline_api.features.reveals.context import REVEALS, RevealsContext
from mintline_api.features.system import routes as system
from mintline_api.features.system.sign_in import sign_in_document
from mintline_api.features.token_metadata.context import TOKEN_METADATA, TokenMetadataContext
from mintline_api.features.tokens import routes as tokens
from mintline_api.features.tokens.use_cases import TokenReads
from mintline_api.features.transfers.checks import TokenChecks
from mintline_api.features.transfers.context import TRANSFERS, TransfersContext
from mintline_api.features.uploads import routes as uploads
from mintline_api.features.users import routes as users
from mintline_api.features.wallets import routes as wallets
from mintline_api.features.webhooks import routes as webhooks
from mintline_api.features.webhooks.use_cases import WebhookManagement
from mintline_api.http.context import HTTP, HttpContext
from mintline_api.limits.writes import RATES


def provide(app: web.Application, api: Api) -> None:
    """Give each feature what its operations reach."""
    _provide_common(app, api)
    _provide_operations(app, api)
    _provide_accounts(app, api)
    _provide_reads(app, api)
    _provide_notifications(app, api)


def _provide_common(app: web.Application, api: Api) -> None:
    """Give what handlers of every feature reach."""
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
    app[pipeline.PIPELINE] = api.pipeline
    app[system.READINESS] = api.readiness
    app[system.SIGN_IN] = sign_in_document(settings)


def _provide_operations(app: web.Application, api: Api) -> None:
    """Give what it takes to accept operations, drops among them."""
    settings = api.settings
    app[MINTS] = MintsContext(mints=api.mints, intake=api.mint_intake, chain=api.chain, outbox=api.outbox)
    app[BULK] = BulkContext(lines=api.lines, intake=api.bulk_intake)
    app[ENTRANCE] = api.entrance
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
        gate=api.mint_gate,
    )
    app[DROPS] = _drops(api)


def _provide_accounts(app: web.Application, api: Api) -> None:
    """Give what is known of callers: clients, users and their wallets."""
    settings = api.settings
    app[clients.CLIENTS] = ClientManagement(
        registry=api.clients,
        budgets=api.client_budgets,
        directory=api.client_directory,
        revocations=api.revocations,
    )
    app[wallets.WALLETS] = api.wallets
    app[users.USERS] = users.UsersContext(users=api.users, wallets=api.wallets)
    app[links.LINKING] = Linking(
        sign_in=SignIn(settings.chain_id, settings.sign_in_sites(), settings.public_url),
        links=api.links,
        chain=api.chain,
        entropy=api.entropy,
    )


def _provide_reads(app: web.Application, api: Api) -> None:
    """Give what tokens, metadata and files are read from."""
    settings = api.settings
    app[tokens.TOKENS] = TokenReads(
        chain_id=settings.chain_id,
        collections=api.collections,
        index=api.index,
        metadata=api.metadata,
        mints=api.mints,
        supplies=api.item_supplies,
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


def _provide_notifications(app: web.Application, api: Api) -> None:
    """Give events, and the webhooks that deliver them."""
    settings = api.settings
    app[webhooks.WEBHOOKS] = WebhookManagement(
        webhooks=api.webhooks,
        encryptor=api.webhook_secrets,
        log=api.event_log,
        allow_loopback=settings.webhook_allow_loopback,
        entropy=api.entropy,
        now=api.now,
    )
    app[events.STREAMS] = EventStreams(api.events)
    app.on_shutdown.append(events.close_streams)


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
        woken=api.drop_opened,
        dry_runs=DryRuns(
            store=api.drops,
            objects=api.drop_lines,
            users=api.users,
            wallets=api.wallets,
            gate=api.mint_gate,
            items=api.items(),
            supplies=ItemSupplies(chain=api.chain),
            chain=api.chain,
            gas=GasMeter(
                mints=api.mints, lines=api.lines, chain=api.chain, unmeasured=settings.sponsored_mint_gas
            ),
            users_per_second=settings.drop_users_per_second,
        ),
        reservations=api.reservations,
    )
