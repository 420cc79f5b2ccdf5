"""One mint's trace, from the POST through the handlers of every service to its block."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import pytest
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from mintline.chain.gas import GasBound
from mintline.clock import Monotonic, UnixMs, UnixSeconds
from mintline.consumer import Consumer
from mintline.eth import keccak256
from mintline.messages.codec import AnyMessage, decode, encode
from mintline.messages.intents import SignBatch, SignMint
from mintline.messages.parts import KeyRef
from mintline.messages.signed import Broadcast
from mintline.otel import OtelTracer
from mintline.records.collections import Collection
from mintline.records.keys import scoped
from mintline.records.operations import Mint
from mintline.records.transactions import TransactionKey
from mintline.resource_types import Queue
from mintline.resources import BROADCAST, BUILD, SIGN
from mintline.states import MintStatus
from mintline.tracing import OFF, Tracer, with_tracing
from mintline_api.features.operations.outbox import SqsOutbox
from mintline_broadcaster.fees import FeeCaps
from mintline_broadcaster.handlers import broadcast
from mintline_broadcaster.noops import Noops
from mintline_builder.builder import Adapters, Builder
from mintline_builder.config import BuilderConfig
from mintline_builder.fees import FeePolicy
from mintline_builder.funding_policy import TopUpPolicy
from mintline_builder.metrics import Metrics as BuilderMetrics
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics as IndexerMetrics
from mintline_indexer.store_port import Attempted
from mintline_signer.host.service import handle as sign
from mintline_signer.protocol import LinesProof, Sign, Signed, WrappedKey
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.broadcaster.store import MemoryTransactionStore
from mintline_testkit.builder import tables as builder_tables
from mintline_testkit.chain import Decoded, FakeChain, Move, Sent
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.indexer.store import MemoryCollectionRegistry, MemoryStore
from mintline_testkit.notices import MemoryNotices
from mintline_testkit.queues import MemoryQueues
from mintline_testkit.user_pool import UserPool

CLIENT_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CLIENT = f"00-{CLIENT_TRACE}-00f067aa0ba902b7-01"
WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
ISSUER = KeyRef(address=WALLET, subject="platform:issuer", chain_id=CHAIN_ID, secret_id="issuer")


class Keys:
    async def read(self, key: KeyRef) -> WrappedKey:
        return WrappedKey(address=key.address, subject=key.subject, chain_id=key.chain_id, wrapped=b"w")


class NoAuthorizations:
    async def proofs_of(self, batch: SignBatch) -> list[LinesProof]:
        del batch
        return []

    async def of(self, batch: SignBatch) -> list[bytes]:
        return [b""] * len(batch.mints)


class Enclave:
    """Signs as deterministically as the real one: the transaction is the intent."""

    async def sign(self, request: Sign) -> Signed:
        raw = encode(request.intent).encode()
        return Signed(raw=raw, tx_hash=keccak256(raw))


def read(raw: bytes) -> Decoded:
    intent = decode(raw)
    assert isinstance(intent, SignMint)
    return Decoded(intent.signer.address, intent.nonce, intent.gas, intent.fees)


class Store(MemoryStore):
    """Reads the attempts where the broadcaster wrote them."""

    ledger: MemoryTransactionStore

    async def attempts(self, tx_hashes: Sequence[bytes]) -> dict[bytes, Attempted]:
        sent_by_hash = ((tx_hash, self.ledger.signed.get(tx_hash)) for tx_hash in tx_hashes)
        return {
            tx_hash: Attempted(
                key=TransactionKey(scoped(sent.chain_id, sent.sender), sent.nonce),
                at=sent.at,
                trace=sent.trace or "",
            )
            for tx_hash, sent in sent_by_hash
            if sent is not None
        }


@dataclass
class Pipeline:
    """All services' handlers over ports in memory, each with a tracer of its own."""

    tracer_of: Callable[[str], Tracer]
    mints: dict[str, Mint] = field(default_factory=dict)
    queues: MemoryQueues = field(default_factory=MemoryQueues)
    ledger: MemoryTransactionStore = field(default_factory=MemoryTransactionStore)
    token_ids: dict[str, int] = field(default_factory=dict)
    traces: list[str] = field(default_factory=list)
    """Of every message that was handled, in order."""

    def __post_init__(self) -> None:
        self.ledger.mints = self.mints

    def outbox(self, service: str) -> Any:
        return with_tracing(self.queues, self.tracer_of(service))

    async def post(self, **headers: str) -> str:
        """Ask for a mint over HTTP, and return its id."""
        harness = Harness(UserPool(), seed=len(self.mints), tracer=self.tracer_of("api"))
        harness.line = cast("Any", SqsOutbox(self.outbox("api")))
        harness.mints.items = self.mints
        harness.mints.transactions = self.ledger.transactions
        harness.mints.authorizations = self.ledger.authorizations
        harness.token_ids.counters = self.token_ids
        harness.index.collections[CONTRACT] = Collection(
            collection_id=scoped(CHAIN_ID, CONTRACT),
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            name="Aurora",
            symbol="AUR",
            deployed_block=1,
            next_token_id=1,
        )
        async with MemoryClient(harness.app()) as client:
            response = await client.request(
                "POST",
                "/v1/mints",
                headers={**harness.headers(), **headers, "Content-Type": "application/json"},
                body=json.dumps({"metadata": {"name": "n", "image": "https://a.example/n.png"}}).encode(),
            )
        assert response.status == 202, response.body
        mint_id: str = response.json()["mint_id"]
        return mint_id

    async def consume(
        self, service: str, queue: Queue, handle: Callable[[AnyMessage], Awaitable[None]]
    ) -> None:
        """Run a service's consumer until its queue is empty."""
        stop = asyncio.Event()

        async def seen(message: AnyMessage) -> None:
            self.traces.append(message.trace)
            await handle(message)

        consumer = Consumer(
            queues=self.queues, queue=queue, handle=seen, wait=1, tracer=self.tracer_of(service)
        )
        running = asyncio.create_task(consumer.run(stop))
        async with asyncio.timeout(5):
            while self.queues.waiting(queue):  # noqa: ASYNC110 - the queue in memory has no event
                await asyncio.sleep(0.005)
        stop.set()
        await running
        assert self.queues.dead_letters(queue) == []

    async def build(self) -> None:
        tables = builder_tables.MemoryTables(
            mints=self.mints,
            transactions=self.ledger.transactions,
            authorizations=self.ledger.authorizations,
        )
        chain = FakeChain(clock=lambda: 1_795_398_655.0)
        chain.codes[CONTRACT] = b"\x00"
        for mint in self.mints.values():
            chain.balances[mint.wallet] = 10**18
        builder = Builder(
            Adapters(
                accounts=builder_tables.MemoryAccounts(tables),
                operations=builder_tables.MemoryOperations(tables),
                collections=builder_tables.MemoryCollections(tables),
                metadata=builder_tables.MemoryMetadata(),
                chain=chain,
                outbox=self.outbox("builder"),
                notices=MemoryNotices(),
            ),
            BuilderConfig(
                chain_id=CHAIN_ID,
                issuer=ISSUER,
                voucher_ttl=3600,
                treasury=ISSUER,
                top_ups=TopUpPolicy(
                    mints=20, max_mints=100, max_value=10**18, max_cost=10**18, day_budget=10**20
                ),
                fees=FeePolicy(min_priority_fee=1, max_priority_fee=10**9, max_fee=10**11),
                mint_gas=GasBound("MINTLINE_MAX_GAS", 1_000_000),
                transfer_gas=GasBound("MINTLINE_MAX_TRANSFER_GAS", 500_000),
                recipient_gas=200_000,
            ),
            metrics=BuilderMetrics(CollectorRegistry()),
            now=lambda: UnixSeconds(1_795_398_655.0),
            clock=lambda: Monotonic(0.0),
            sleep=asyncio.sleep,
            rng=random.Random(1),
            tracer=self.tracer_of("builder"),
        )
        await self.consume("builder", BUILD, builder.handle)

    async def sign(self) -> None:
        handle = partial(
            sign,
            queues=self.outbox("signer-host"),
            keys=Keys(),
            authorizations=NoAuthorizations(),
            enclave=Enclave(),
            issuer=ISSUER,
        )
        await self.consume("signer-host", SIGN, handle)

    async def broadcast(self) -> None:
        node, caps = FakeChain(decode=read, default_balance=10**18, yields=True), FeeCaps(10**11, 10**10)

        async def handle(message: AnyMessage) -> None:
            assert isinstance(message, Broadcast)
            outbox = self.outbox("broadcaster")
            gas = GasBound("MINTLINE_MAX_TRANSFER_GAS", 500_000)
            noops = Noops(chain=node, outbox=outbox, caps=caps, gas=gas)
            ports = {"store": self.ledger, "chain": node, "outbox": outbox, "noops": noops}
            await broadcast(message, **ports, caps=caps, now=5_000)

        await self.consume("broadcaster", BROADCAST, handle)

    async def index(self) -> None:
        store = Store(mint_table=self.mints, transaction_table=self.ledger.transactions)
        chain = FakeChain()
        store.ledger = self.ledger
        indexer = Indexer(
            chain=chain,
            store=store,
            collections=MemoryCollectionRegistry({CONTRACT: 1}),
            chain_id=CHAIN_ID,
            writer="one",
            takeover_after=10.0,
            widest=10,
            whole=10,
            metrics=IndexerMetrics(CollectorRegistry()),
            tracer=self.tracer_of("indexer"),
            clock=lambda: Monotonic(0.0),
            now=lambda: UnixMs(9_000),
            rng=random.Random(1),
        )
        chain.mine()
        await settle(indexer)
        chain.mine(
            [
                Sent(attempt.tx_hash, CONTRACT, (self.made_by(*transaction.operations),))
                for transaction in self.ledger.transactions.values()
                for attempt in transaction.attempts
            ]
        )
        await settle(indexer)

    def made_by(self, mint_id: str) -> Move:
        """Return what a mint's transaction does."""
        mint = self.mints[mint_id]
        assert mint.token_id is not None
        return Move(CONTRACT, mint.token_id, None, mint.to, mint.metadata_digest)


async def settle(indexer: Indexer) -> None:
    while await indexer.poll():
        pass


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def line(exporter: InMemorySpanExporter) -> Pipeline:
    tracers: dict[str, Tracer] = {}

    def tracer_of(service: str) -> Tracer:
        if service not in tracers:
            provider = TracerProvider(resource=Resource({SERVICE_NAME: service}), shutdown_on_exit=False)
            provider.add_span_processor(SimpleSpanProcessor(exporter))
            tracers[service] = OtelTracer(provider)
        return tracers[service]

    return Pipeline(tracer_of)


async def mint(line: Pipeline, *headers: str) -> None:
    for header in headers or ("",):
        await line.post(**({"traceparent": header} if header else {}))
    await line.build()
    await line.sign()
    await line.broadcast()
    await line.index()
    stands = await line.ledger.operations(line.mints)
    assert {mint.status for mint in stands.values()} == {MintStatus.MINED}


def place_of(span: ReadableSpan) -> tuple[str, str]:
    return str(span.resource.attributes[SERVICE_NAME]), span.name


async def test_trace__when_a_mint_goes_from_post_to_block__is_one_chain_through_every_service(
    line: Pipeline, exporter: InMemorySpanExporter
) -> None:
    await mint(line, CLIENT)
    (mint_id,) = line.mints
    own = [
        span
        for span in exporter.get_finished_spans()
        if span.context is not None and f"{span.context.trace_id:032x}" == CLIENT_TRACE
    ]
    assert [place_of(span) for span in own] == [
        ("api", "POST /v1/mints"),
        ("builder", "process build"),
        ("signer-host", "process sign"),
        ("broadcaster", "process broadcast"),
        ("indexer", "mined"),
    ]
    parents = [span.parent.span_id if span.parent else None for span in own]
    ids = [span.context.span_id for span in own if span.context is not None]
    assert parents[0] == int("00f067aa0ba902b7", 16)
    assert parents[1:] == ids[:-1]
    assert [span.attributes["mintline.mint_id"] for span in own[1:] if span.attributes] == [mint_id] * 4


async def test_trace__when_work_is_done_for_many__links_to_each_of_them(
    line: Pipeline, exporter: InMemorySpanExporter
) -> None:
    traces = [f"{number:032x}" for number in (1, 2, 3)]
    await mint(line, *(f"00-{trace}-00f067aa0ba902b7-01" for trace in traces))
    spans = exporter.get_finished_spans()
    (block,) = [span for span in spans if span.name == "index block"]
    assert sorted(f"{link.context.trace_id:032x}" for link in block.links) == traces
    reservations = [span for span in spans if span.name == "reserve nonces"]
    linked = [f"{link.context.trace_id:032x}" for span in reservations for link in span.links]
    assert sorted(linked) == traces
    mined = [span for span in spans if span.name == "mined"]
    assert len(mined) == 3
    assert block.context is not None
    assert {link.context.span_id for span in mined for link in span.links} == {block.context.span_id}


async def test_trace__when_tracing_is_off__still_carries_the_clients_trace_on_every_message(
    exporter: InMemorySpanExporter,
) -> None:
    line = Pipeline(lambda _: OFF)
    await mint(line, CLIENT)
    assert [trace.split("-")[1] for trace in line.traces] == [CLIENT_TRACE] * 3
    assert len(set(line.traces)) == 1
    assert exporter.get_finished_spans() == ()
