"""Everything that the features of the API are made of, and how mints are accepted with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mintline.events import EventLog
from mintline_api.auth.access_tokens import AccessTokens
from mintline_api.auth.authorizations import Authorizations
from mintline_api.auth.clients import ClientDirectory
from mintline_api.auth.revocations import Revocations
from mintline_api.chain import ChainReader
from mintline_api.features.bulk.ports import LineStore
from mintline_api.features.bulk.recipients import LineRecipients
from mintline_api.features.bulk.use_cases import BulkIntake, LinesIntake
from mintline_api.features.clients.ports import Registry
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.collections.ports import CollectionMetadataStore, ManagedCollections
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.features.drops.feeding import Feeding
from mintline_api.features.drops.pacing import Pace
from mintline_api.features.drops.ports import DropStore, LineObjects
from mintline_api.features.drops.preparation import Preparation
from mintline_api.features.drops.reservations import Reservations
from mintline_api.features.drops.runner import DropRunner
from mintline_api.features.events.positions import LogEnds
from mintline_api.features.items.ports import ItemVersions
from mintline_api.features.items.supplies import ItemSupplies, RecentSupplies
from mintline_api.features.items.use_cases import Items
from mintline_api.features.links.ports import LinkStore
from mintline_api.features.metadata.ports import MetadataStore, PackStore
from mintline_api.features.metadata.use_cases import MetadataCache
from mintline_api.features.mints.intake import MintIntake
from mintline_api.features.mints.packing import MetadataPacker
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.mints.recipients import Recipients
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.operations.entrance import Entrance
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.ports import Outbox
from mintline_api.features.pipeline.use_cases import PipelineReads
from mintline_api.features.queries.ports import QueryIndex
from mintline_api.features.system.readiness import Readiness
from mintline_api.features.tokens.ports import Index
from mintline_api.features.tokens.receipts import MintReceipts
from mintline_api.features.transfers.ports import TokenOperationReader
from mintline_api.features.uploads.serving import MediaFiles
from mintline_api.features.uploads.use_cases import Uploads
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.features.webhooks.ports import SecretEncryptor, Webhooks
from mintline_api.http.cursors import Cursors
from mintline_api.limits.client_budgets import ClientBudgets
from mintline_api.limits.gas import GasBudget
from mintline_api.limits.rates import Rates
from mintline_api.metrics import Metrics
from mintline_api.settings import Settings


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
    metadata_packer: MetadataPacker
    metadata_versions: ItemVersions
    metadata_texts: MetadataStore
    metadata: MetadataCache
    item_supplies: RecentSupplies
    webhooks: Webhooks
    webhook_secrets: SecretEncryptor
    event_log: LogEnds
    authorizations: Authorizations
    cursors: Cursors
    readiness: Readiness
    events: EventLog
    pipeline: PipelineReads
    now: Callable[[], int]
    sleep: Callable[[float], Awaitable[None]]
    entropy: Callable[[int], bytes]
    entrance: Entrance = field(default_factory=Entrance)
    drop_opened: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by requests that open a drop; ends the runner's pause."""

    def mint_intake(self, nudges: Nudges) -> MintIntake:
        """Return what it takes to accept a mint, whose message goes by `nudges`."""
        return MintIntake(
            chain_id=self.settings.chain_id,
            default_collection=self.settings.default_collection,
            collections=self.collections,
            wallets=self.wallets,
            links=self.links,
            token_ids=self.token_ids,
            packer=self.metadata_packer,
            recipients=Recipients(users=self.users, wallets=self.wallets),
            gate=self.mint_gate,
            uploads=self.uploads,
            items=self.items(),
            operations=self.mints,
            outbox=self.outbox,
            entropy=self.entropy,
            nudges=nudges,
            rates=self.rates,
            gas=self.gas,
            client_budgets=self.client_budgets,
        )

    def items(self) -> Items:
        """Return the items of ERC-1155 collections."""
        return Items(
            chain_id=self.settings.chain_id,
            versions=self.metadata_versions,
            texts=self.collection_metadata,
        )

    def lines_intake(self, nudges: Nudges) -> LinesIntake:
        """Return what it takes to accept lines whose recipients are known."""
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
                items=self.items(),
                supplies=ItemSupplies(chain=self.chain),
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
            woken=self.drop_opened,
        )

    def bulk_intake(self, nudges: Nudges) -> BulkIntake:
        """Return what it takes to accept many mints at once."""
        return BulkIntake(
            mints=self.mint_intake(nudges),
            recipients=LineRecipients(users=self.users, wallets=self.wallets),
            lines=self.lines_intake(nudges),
        )
