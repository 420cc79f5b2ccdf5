"""What simulated processes are wired with: the world, the consumer, and what a planted bug may replace."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mintline.chain.gas import GasBound
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.consumer import Consumer
from mintline.errors import MintlineError
from mintline.eth import ETHER, GWEI
from mintline.messages.codec import AnyMessage, encode
from mintline.queue_port import QueuesPort
from mintline.resource_types import Queue
from mintline_broadcaster.broadcaster import Adapters as BroadcasterAdapters
from mintline_broadcaster.broadcaster import Broadcaster
from mintline_broadcaster.config import BroadcasterConfig, Patience
from mintline_broadcaster.fees import FeeCaps
from mintline_builder.config import BuilderConfig
from mintline_builder.fees import FeePolicy
from mintline_builder.funding_policy import Refill, TopUpPolicy
from mintline_harness.simulation.accounts import (
    CHAIN_ID,
    CLONE,
    CONTRACT,
    ISSUER,
    ITEMS_CLONE,
    RELAYERS,
    TREASURY,
    Custody,
    authority,
)
from mintline_harness.simulation.endpoints import Endpoints
from mintline_harness.simulation.lines import StoredLines, TornOperations
from mintline_harness.simulation.process import Process
from mintline_harness.simulation.queues import SimulatedQueues
from mintline_harness.simulation.rpc import SimulatedNode
from mintline_harness.simulation.tables import Tables
from mintline_harness.simulation.watched import IndexedTransactionStore
from mintline_indexer.node_chain import NodeChain
from mintline_notifier.follower import Follower
from mintline_signer.enclave.authorizer import Authorizer
from mintline_signer.enclave.policy import Factory, PlatformKey, Rates, SigningPolicy, TopUpBudget
from mintline_signer.enclave.tokens import AuthorizationPolicy
from mintline_signer.protocol import Sign
from mintline_testkit.api.operations import MemoryTokenIds
from mintline_testkit.builder.tables import MemoryAccounts, MemoryTables
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.indexer.store import MemoryStore

VOUCHER_TTL = 24 * 3600
SHORT_TTL = 600
"""Seconds: the shortest that the builder takes, for vouchers that run out within a schedule."""
POLL_INTERVAL = 2.0
TRANSFER_GAS = GasBound("MINTLINE_MAX_TRANSFER_GAS", 500_000)
"""Of top-ups and no-ops alike."""
REFILL = Refill(below=ETHER // 2, target=ETHER)
"""Of relayers, which begin with less: the treasury tops them up in every schedule."""
BROADCASTING = BroadcasterConfig(
    chain_id=CHAIN_ID,
    issuer=ISSUER.address,
    caps=FeeCaps(500 * GWEI, 50 * GWEI),
    transfer_gas=TRANSFER_GAS,
    patience=Patience(check_after=20.0, replace_after=5, stage_deadline=60.0),
    sweep_interval=15.0,
)
"""What broadcasters go by; fees and times are those of their settings."""


def building(voucher_ttl: int) -> BuilderConfig:
    """Return what builders go by; vouchers are good for so many seconds."""
    return BuilderConfig(
        chain_id=CHAIN_ID,
        issuer=ISSUER,
        voucher_ttl=voucher_ttl,
        treasury=TREASURY,
        relayers=RELAYERS,
        refill=REFILL,
        top_ups=TopUpPolicy(mints=5, max_mints=20, max_value=ETHER, max_cost=ETHER, day_budget=1000 * ETHER),
        fees=FeePolicy(min_priority_fee=GWEI // 10, max_priority_fee=5 * GWEI, max_fee=200 * GWEI),
        mint_gas=GasBound("MINTLINE_MAX_GAS", 500_000),
        transfer_gas=TRANSFER_GAS,
        recipient_gas=200_000,
    )


@lru_cache(maxsize=1)
def signing_policy() -> SigningPolicy:
    """Return the enclave's policy document."""
    return SigningPolicy(
        chain_ids=frozenset({CHAIN_ID}),
        contracts=frozenset({CONTRACT}),
        authorization=AuthorizationPolicy.model_validate(authority().policy(grace=VOUCHER_TTL)),
        issuer=PlatformKey(address=ISSUER.address, subject=ISSUER.subject),
        treasury=PlatformKey(address=TREASURY.address, subject=TREASURY.subject),
        relayers=tuple(PlatformKey(address=key.address, subject=key.subject) for key in RELAYERS),
        factories=tuple(
            Factory(address=clone.factory, implementation=clone.implementation)
            for clone in (CLONE, ITEMS_CLONE)
        ),
        user_actions=frozenset({"mint", "transfer", "burn"}),
        rates=Rates(window=60, user=1000, treasury=1000, issuer=1000),
        max_gas=1_000_000,
        max_fee_per_gas=1_000 * GWEI,
        max_transaction_cost=ETHER // 2,
        max_top_up_value=10 * ETHER,
        top_ups=TopUpBudget(window=60, value=10_000 * ETHER, recipient=100 * ETHER, relayer=1_000 * ETHER),
        max_voucher_ttl=2 * VOUCHER_TTL,
    )


@dataclass(frozen=True, slots=True)
class Parts:
    """What a planted bug may replace; the defaults are the services' own."""

    accounts: Callable[[Process, MemoryTables], Any] = lambda process, tables: process.port(
        MemoryAccounts(tables)
    )
    builder_chain: Callable[[Node], Any] = lambda node: node
    operations: type[TornOperations] = TornOperations
    lines: type[StoredLines] = StoredLines
    authorizer: type[Authorizer] = Authorizer
    broadcaster: type[Broadcaster] = Broadcaster
    broadcasting: Callable[[BroadcasterAdapters], BroadcasterAdapters] = lambda adapters: adapters
    consumed: Callable[[QueuesPort], QueuesPort] = lambda queues: queues
    indexed_chain: Callable[[Node, Any], Any] = NodeChain
    index_store: type[MemoryStore] = MemoryStore
    token_ids: type[MemoryTokenIds] = MemoryTokenIds
    ledger: type[IndexedTransactionStore] = IndexedTransactionStore
    follower: type[Follower] = Follower
    event_log: type[MemoryEventLog] = MemoryEventLog


@dataclass(frozen=True, slots=True)
class Environment:
    """The world that every process reaches through its ports."""

    tables: Tables
    queues: SimulatedQueues
    custody: Custody
    endpoints: Endpoints
    parts: Parts
    rng: random.Random
    true_time: Callable[[], float]
    """The time that no machine's clock has, in Unix seconds; the enclave's comes from its security module."""
    signed: Callable[[Sign], None]
    """Hears of everything that an enclave signs."""
    refused: Callable[[Sign, str], None]
    """Hears of everything that an enclave refuses to sign, and of the code by which it does."""
    broken: Callable[[str], None]
    """Hears of what no handler may do."""
    voucher_ttl: int
    """In seconds."""
    relaying: bool = False
    """Whether transfers and burns are by the holder's signature."""


def node_over(rpc: SimulatedNode | Rpc, process: Process) -> Node:
    """Return the chain as a process reaches it."""
    return Node(rpc, endpoints=rpc if isinstance(rpc, Rpc) else None, clock=process.clock)


async def consume(
    process: Process,
    environment: Environment,
    queue: Queue,
    handle: Callable[[AnyMessage], Awaitable[None]],
    *,
    concurrency: int = 64,
) -> None:
    """Consume a queue until the process dies; the harness hears what its handlers have finished."""

    async def handled(message: AnyMessage) -> None:
        try:
            await handle(message)
        except Exception as error:
            environment.queues.worked_on(queue, encode(message))
            if not isinstance(error, MintlineError):
                environment.broken(f"{process.name} failed on {message.type}: {error!r}")
            raise
        environment.queues.worked_on(queue, encode(message))

    consumer = Consumer(
        queues=environment.parts.consumed(process.port(environment.queues, seldom=True)),
        queue=queue,
        handle=handled,
        concurrency=concurrency,
        rng=environment.rng,
        clock=process.clock,
        now=process.now,
        sleep=asyncio.sleep,
    )
    await consumer.run(asyncio.Event())
