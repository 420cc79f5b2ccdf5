"""The services as simulated processes, each over adapters of the simulated world.

What a planted bug replaces comes in through `Parts`; everything else is the services' own code.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from functools import lru_cache, partial
from typing import TypeVar

from prometheus_client import CollectorRegistry

from mintline.chain.rpc import RpcError
from mintline.clock import Monotonic, UnixMs, UnixSeconds
from mintline.errors import Retryable
from mintline.records.collections import RegisteredContract
from mintline.records.operations import Mint, TokenOperation
from mintline.resources import BROADCAST, BUILD, SIGN
from mintline_api.auth.authorizations import Authorizations
from mintline_api.auth.intake_sessions import IntakeSessions
from mintline_api.features.bulk.drafts import BulkSubmission
from mintline_api.features.bulk.models import BulkRequest
from mintline_api.features.bulk.recipients import LineRecipients
from mintline_api.features.bulk.use_cases import BulkIntake, BulkState, LinesIntake, accept_bulk
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.features.items.use_cases import Items
from mintline_api.features.mints.intake import MintIntake, accept_mint
from mintline_api.features.mints.models import MintRequest
from mintline_api.features.mints.packing import MetadataPacker
from mintline_api.features.mints.recipients import Recipients
from mintline_api.features.mints.self_custody import SubmitTransaction, submit_signed_transaction
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.mints.use_cases import Cancellation, CancelMint, cancel_mint, get_mint
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.outbox import SqsOutbox
from mintline_api.features.operations.use_cases import Accepted, Submission
from mintline_api.features.transfers.models import BurnRequest, TransferRequest
from mintline_api.features.transfers.use_cases import (
    AnyBurn,
    AnyTransfer,
    CancelTokenOperation,
    accept_burn,
    accept_transfer,
    cancel_token_operation,
    get_burn,
    get_transfer,
)
from mintline_api.features.uploads.use_cases import Uploads
from mintline_api.features.users.emails import Emails
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.models import Input
from mintline_broadcaster.broadcaster import Adapters as BroadcasterAdapters
from mintline_broadcaster.metrics import Metrics as BroadcasterMetrics
from mintline_builder.builder import Adapters, Builder
from mintline_builder.metrics import Metrics as BuilderMetrics
from mintline_harness.simulation.accounts import CHAIN_ID, CLONE, CONTRACT, ISSUER, authority, token_of
from mintline_harness.simulation.enclave import SimulatedEnclave
from mintline_harness.simulation.lines import TornLines
from mintline_harness.simulation.parts import (
    BROADCASTING,
    POLL_INTERVAL,
    Environment,
    building,
    consume,
    node_over,
)
from mintline_harness.simulation.process import EPOCH, Process
from mintline_harness.simulation.watched import SponsoredAuthorizations
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics as IndexerMetrics
from mintline_signer.host.service import handle as sign_message
from mintline_testkit.api.collections import MemoryCollections as ApiCollections
from mintline_testkit.api.operations import MemoryMints
from mintline_testkit.api.uploads import MemoryFiles, MemoryUploads
from mintline_testkit.builder.tables import MemoryCollections
from mintline_testkit.notices import MemoryNotices

BUILDER_CONCURRENCY = 128
"""The service's own default: as many mints can wait for one batch."""

RequestT = TypeVar("RequestT", bound=Input)


class Cloned(CollectionRegistry):
    """The registered collections, as if a factory had made each."""

    def __init__(self, registry: CollectionRegistry) -> None:
        self._registry = registry

    async def known(self, contract: str) -> RegisteredContract:
        """Return a collection with what it is made of."""
        found = await self._registry.known(contract)
        return found if found.clone else found.evolve(clone=CLONE)


class Api:
    """The api's handlers over one process's ports."""

    def __init__(self, process: Process, environment: Environment) -> None:
        tables = environment.tables
        self._mints = process.port(tables.api_mints)
        self._outbox = SqsOutbox(process.port(environment.queues))
        self._collections = CollectionRegistry(process.port(tables.index), clock=process.clock)
        self._wallets = WalletDirectory(
            chain_id=CHAIN_ID,
            wallets=process.port(tables.wallets),
            keys=process.port(environment.custody),
            now=process.milliseconds,
            clock=process.clock,
        )
        self._links = process.port(tables.links)
        self._node = node_over(environment.endpoints.rpc(process), process)
        self._intake = IntakeSessions(
            process.port(environment.custody).certify,
            intake_key=authority().intake_key.public_key(),
            now=process.milliseconds,
        )
        self._authorizations = Authorizations(authority().sealer, self._intake)
        self._token_ids = TokenIds(
            process.port(tables.token_ids),
            used=(process.port(tables.index), self._mints),
            clock=process.clock,
        )
        self._process = process
        users = UserDirectory(
            process.port(tables.pool_users),
            Emails(b"simulated", case_sensitive=True),
            clock=process.clock,
        )
        self._accepts = MintIntake(
            chain_id=CHAIN_ID,
            default_collection=CONTRACT,
            collections=self._collections,
            wallets=self._wallets,
            links=self._links,
            token_ids=self._token_ids,
            packer=MetadataPacker(process.port(tables.packs), chain_id=CHAIN_ID, clock=process.clock),
            recipients=Recipients(
                users=users,
                wallets=self._wallets,
            ),
            gate=MintGate(
                registry=self._collections,
                collections=ApiCollections(tables.index, MemoryMints()),
                chain=None,
                reserved=None,
                clock=process.clock,
            ),
            uploads=Uploads(
                uploads=MemoryUploads(),
                files=MemoryFiles(),
                media_url="https://example.com/media",
                most=0,
                entropy=environment.rng.randbytes,
                now=process.milliseconds,
            ),
            items=Items(
                chain_id=CHAIN_ID,
                versions=process.port(tables.index.versions),
                texts=process.port(tables.item_texts),
            ),
            operations=self._mints,
            outbox=self._outbox,
            entropy=environment.rng.randbytes,
        )
        self._moves = (
            replace(self._accepts, collections=Cloned(self._collections))
            if environment.relaying
            else self._accepts
        )
        self._bulk = BulkIntake(
            mints=self._accepts,
            recipients=LineRecipients(users=users, wallets=self._wallets),
            lines=LinesIntake(
                lines=TornLines(process, environment.parts.lines(tables)),
                packs=process.port(tables.packs),
                outbox=self._outbox,
                nudges=Nudges(),
            ),
        )

    async def bulk(self, request: BulkRequest, *, sub: str, key: str) -> BulkState:
        """Answer POST /v1/mints/bulk, past its HTTP."""
        submission = BulkSubmission(
            request=request,
            sub=sub,
            client_id=None,
            key=key,
            trace="",
            seal=await self._authorizations.sealing(token_of(sub, int(EPOCH))),
            now=self._process.milliseconds(),
        )
        return await accept_bulk(submission, intake=self._bulk)

    async def mint(self, request: MintRequest, *, sub: str, key: str) -> Accepted[Mint]:
        """Answer POST /v1/mints, past its HTTP."""
        return await accept_mint(await self._submission(request, sub, key), intake=self._accepts)

    async def transfer(self, request: TransferRequest, *, sub: str, key: str) -> Accepted[AnyTransfer]:
        """Accept a transfer."""
        return await accept_transfer(await self._submission(request, sub, key), intake=self._moves)

    async def burn(self, request: BurnRequest, *, sub: str, key: str) -> Accepted[AnyBurn]:
        """Accept a burn."""
        return await accept_burn(await self._submission(request, sub, key), intake=self._moves)

    async def _submission(self, request: RequestT, sub: str, key: str) -> Submission[RequestT]:
        authorize = await self._authorizations.by(token_of(sub, int(EPOCH)))
        now = self._process.milliseconds()
        return Submission(request=request, sub=sub, key=key, trace="", authorize=authorize, now=now)

    async def begin(self) -> None:
        """Have the process's session key certified, and keep it so until the process dies."""
        await self._intake.begin()
        rng = random.Random(self._process.name)  # noqa: S311 - jitter
        await self._intake.keep(asyncio.Event(), sleep=asyncio.sleep, rng=rng)

    async def cancel(self, mint_id: str, *, sub: str) -> Cancellation:
        """Answer POST /v1/mints/{id}/cancel, past its HTTP."""
        command = CancelMint(mint_id=mint_id, sub=sub, trace="", now=self._process.milliseconds())
        return await cancel_mint(command, mints=self._mints, outbox=self._outbox)

    async def cancel_token_operation(self, operation_id: str, *, sub: str) -> TokenOperation:
        """Answer POST /v1/transfers/{id}/cancel and its like for burns, past their HTTP."""
        now = self._process.milliseconds()
        if operation_id.startswith("transfer_"):
            transfer = await get_transfer(operation_id, sub=sub, operations=self._mints)
            stop_transfer = CancelTokenOperation(operation=transfer, trace="", now=now)
            return await cancel_token_operation(stop_transfer, operations=self._mints, outbox=self._outbox)
        burn = await get_burn(operation_id, sub=sub, operations=self._mints)
        stop_burn = CancelTokenOperation(operation=burn, trace="", now=now)
        return await cancel_token_operation(stop_burn, operations=self._mints, outbox=self._outbox)

    async def redeem(self, mint_id: str, raw: bytes, *, sub: str) -> None:
        """Answer POST /v1/mints/{id}/transaction, past its HTTP."""
        mint = await get_mint(mint_id, sub=sub, mints=self._mints)
        command = SubmitTransaction(raw=raw, mint=mint, now=self._process.milliseconds())
        await submit_signed_transaction(command, chain=self._node, outbox=self._outbox)


async def serve_builder(process: Process, environment: Environment) -> None:
    """Run a builder."""
    tables, metrics = environment.tables, _builder_metrics()
    builder = Builder(
        Adapters(
            accounts=environment.parts.accounts(process, tables.builder),
            operations=environment.parts.operations(process, tables),
            collections=process.port(MemoryCollections(tables.builder)),
            metadata=process.port(tables.metadata),
            chain=environment.parts.builder_chain(node_over(environment.endpoints.rpc(process), process)),
            outbox=process.port(environment.queues),
            notices=MemoryNotices(),
        ),
        building(environment.voucher_ttl),
        metrics=metrics,
        now=lambda: UnixSeconds(process.now()),
        clock=lambda: Monotonic(process.clock()),
        sleep=asyncio.sleep,
        rng=environment.rng,
    )
    await consume(process, environment, BUILD, builder.handle, concurrency=BUILDER_CONCURRENCY)


async def serve_signer(process: Process, environment: Environment) -> None:
    """Run a signer's host and its enclave, which remembers what it signed until it dies with its host."""
    enclave = SimulatedEnclave(
        environment.custody,
        environment.parts,
        now=lambda: UnixSeconds(environment.true_time()),
        told=environment.signed,
        refused=environment.refused,
    )
    handle = partial(
        sign_message,
        queues=process.port(environment.queues),
        keys=process.port(environment.custody),
        authorizations=process.port(
            SponsoredAuthorizations(
                environment.tables.ledger.authorizations, environment.tables.builder.chunks
            )
        ),
        enclave=process.port(enclave),
        issuer=ISSUER,
    )
    await consume(process, environment, SIGN, handle)


async def serve_broadcaster(process: Process, environment: Environment) -> None:
    """Run a broadcaster, its sweep included."""
    adapters = BroadcasterAdapters(
        store=process.port(environment.tables.ledger),
        vouchers=process.port(environment.tables.vouchers),
        chain=node_over(environment.endpoints.rpc(process), process),
        outbox=process.port(environment.queues),
    )
    broadcaster = environment.parts.broadcaster(
        environment.parts.broadcasting(adapters),
        BROADCASTING,
        metrics=_broadcaster_metrics(),
        now=process.milliseconds,
        sleep=asyncio.sleep,
        rng=environment.rng,
    )
    sweeping = asyncio.create_task(broadcaster.sweep(asyncio.Event()))
    await asyncio.gather(sweeping, consume(process, environment, BROADCAST, broadcaster.handle))


async def serve_indexer(process: Process, environment: Environment) -> None:
    """Run an indexer."""
    rpc = environment.endpoints.rpc(process, seldom=True)
    indexer = Indexer(
        chain=environment.parts.indexed_chain(node_over(rpc, process), rpc),
        store=process.port(environment.tables.store, seldom=True),
        collections=environment.tables.collections,
        chain_id=CHAIN_ID,
        writer=f"{process.name}-{process.generation}",
        takeover_after=15.0,
        widest=2_000,
        whole=5_000,
        metrics=_indexer_metrics(),
        outbox=process.port(environment.queues),
        clock=lambda: Monotonic(process.clock()),
        now=lambda: UnixMs(process.milliseconds()),
        rng=environment.rng,
        rows_at_once=3,
    )
    while True:
        try:
            more = await indexer.poll()
        except (Retryable, RpcError):
            more = False
        if not more:
            await asyncio.sleep(POLL_INTERVAL)


@lru_cache(maxsize=1)
def _builder_metrics() -> BuilderMetrics:
    """Return metrics that nobody reads: making them takes as long as a whole schedule."""
    return BuilderMetrics(CollectorRegistry())


@lru_cache(maxsize=1)
def _broadcaster_metrics() -> BroadcasterMetrics:
    return BroadcasterMetrics(CollectorRegistry())


@lru_cache(maxsize=1)
def _indexer_metrics() -> IndexerMetrics:
    return IndexerMetrics(CollectorRegistry())
