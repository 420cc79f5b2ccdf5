"""Three nodes, and the first has taken a branch of its own for final: what the broadcaster makes of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc, RpcError
from mintline.chain.transport import Request
from mintline.eth import ETHER, GWEI
from mintline.messages.codec import decode
from mintline.messages.parts import Fees
from mintline.messages.work import RenewNonce
from mintline.records.operations import Attempt, Mint
from mintline.records.transactions import Transaction, transaction_key_of
from mintline.resources import BUILD
from mintline.states import MintStatus, TransactionState
from mintline_broadcaster.config import Patience
from mintline_broadcaster.fees import FeeCaps
from mintline_broadcaster.metrics import Metrics
from mintline_broadcaster.monitor import TransactionMonitor
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.ports import Final
from mintline_harness.simulation.accounts import CHAIN_ID, CONTRACT, ISSUER, key_of, key_ref, stray
from mintline_harness.simulation.chain import Sent, SimulatedChain
from mintline_harness.simulation.contract import Collection
from mintline_harness.simulation.gaps import WHOLE
from mintline_harness.simulation.parts import TRANSFER_GAS
from mintline_harness.simulation.rpc import SimulatedNode
from mintline_testkit.broadcaster.store import MemoryTransactionStore
from mintline_testkit.queues import MemoryQueues
from mintline_testkit.records import make_mint

WALLET = key_of("user-0").address
NOW = 1_000_000
STOPPED, WANTED, DEAD, NOOP = range(4)
"""The nonces of a mint that its user stopped, one that its user wants, a rejected one, and a no-op."""


class Nodes:
    """Carries requests to one node for each chain."""

    def __init__(self, *chains: SimulatedChain) -> None:
        self._nodes = {f"http://node/{place}": _node(chain) for place, chain in enumerate(chains)}
        self.urls = list(self._nodes)

    async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
        answers = [await self._answer(self._nodes[url], request) for request in requests]
        return answers if len(answers) > 1 else answers[0]

    async def _answer(self, node: SimulatedNode, request: Request) -> dict[str, Any]:
        try:
            return {"result": await node.call(request.method, request.params)}
        except RpcError as error:
            return {"error": {"code": error.code, "message": error.message}}

    async def aclose(self) -> None:
        pass


def _node(chain: SimulatedChain) -> SimulatedNode:
    return SimulatedNode(lambda: chain, lag=lambda: 0, sending=lambda _: None, gaps=lambda: WHOLE)


SIGNER = key_ref("user-0").evolve(address=WALLET)


def mint(nonce: int, status: MintStatus = MintStatus.BUILT, **changes: Any) -> Mint:
    return make_mint(
        f"mint_{nonce}",
        sub="user-0",
        status=status,
        to=WALLET,
        sender=SIGNER,
        at=0,
        nonce=nonce,
        token_id=nonce,
        deadline=NOW,
        **changes,
    )


def transaction(nonce: int, **changes: Any) -> Transaction:
    noop = nonce == NOOP
    attempt = Attempt(
        tx_hash=bytes([nonce + 1]) * 32,
        max_fee_per_gas=1,
        max_priority_fee_per_gas=1,
        at=0,
        nonce=nonce,
        fills=True if noop else None,
    )
    return Transaction(
        sender_id=transaction_key_of(SIGNER, nonce).sender_id,
        nonce=nonce,
        signer=SIGNER,
        kind="noop" if noop else "mint",
        operations=() if noop else (f"mint_{nonce}",),
        gas=100_000,
        fees=Fees(max_fee_per_gas=1, max_priority_fee_per_gas=1),
        meaning=bytes(32),
        state=TransactionState.SUBMITTED,
        attempts=(attempt,),
        reserved_at=0,
        updated_at=0,
        **changes,
    )


@dataclass
class Harness:
    """A wallet's nonces were used by another's transactions: on the first node's own branch, finally."""

    ledger: MemoryTransactionStore = field(default_factory=MemoryTransactionStore)
    queues: MemoryQueues = field(default_factory=lambda: MemoryQueues(clock=lambda: NOW / 1000))

    def __post_init__(self) -> None:
        rng = random.Random(1)
        collection = Collection(CHAIN_ID, CONTRACT, ISSUER.address)
        self.chain = SimulatedChain(collection, finality=2, now=0, rng=rng)
        self.chain.fund(WALLET, ETHER)
        self.fork = self.chain.split(0, rng, finality=2)
        self.taken = [stray("user-0", WALLET, nonce, fee=10 * GWEI) for nonce in range(4)]
        self.mine(self.fork, self.taken)
        self.mine(self.chain, [])
        nodes = Nodes(self.fork, self.chain, self.chain)
        rpc = Rpc(nodes.urls, transport=nodes, clock=lambda: 0.0)
        self.node = Node(rpc, endpoints=rpc)
        stopped = mint(STOPPED, cancel_requested_at=1)
        wanted, dead = mint(WANTED), mint(DEAD, MintStatus.REJECTED)
        self.ledger.mints = {mint.mint_id: mint for mint in (stopped, wanted, dead)}
        filling = {STOPPED: 1, DEAD: 1, NOOP: 1}
        transactions = [transaction(nonce, filling_at=filling.get(nonce)) for nonce in range(4)]
        self.ledger.transactions = {transaction.key: transaction for transaction in transactions}

    def open(self) -> set[int]:
        """Return the nonces that are looked after."""
        records = self.ledger.transactions.values()
        return {record.nonce for record in records if record.state is not TransactionState.FINAL}

    @staticmethod
    def mine(chain: SimulatedChain, sent: Sequence[Sent]) -> None:
        """Have a branch, and no other, mine these transactions, and blocks until they are final."""
        chain.pool = {sent.place: sent for sent in sent}
        for _ in range(4):
            chain.mine(0)

    async def check(self) -> None:
        """Look at the wallet, by an index that follows the chain."""
        final = self.chain.blocks[self.chain.finalized]
        caps = FeeCaps(500 * GWEI, 50 * GWEI)
        monitor = TransactionMonitor(
            store=self.ledger,
            chain=self.node,
            outbox=self.queues,
            noops=Noops(chain=self.node, outbox=self.queues, caps=caps, gas=TRANSFER_GAS),
            caps=caps,
            patience=Patience(check_after=20, replace_after=5, stage_deadline=60),
            metrics=Metrics(CollectorRegistry()),
        )
        records = list(self.ledger.transactions.values())
        await monitor.check(records, Final(final.number, final.timestamp, final.hash), now=NOW)

    async def asked_of_the_builder(self) -> list[Any]:
        return [decode(received.body) for received in await self.queues.receive(BUILD, wait=0)]


@pytest.fixture
def scene() -> Harness:
    return Harness()


async def test_one_node__when_it_finalizes_a_branch_of_its_own__then_nothing_is_decided(
    scene: Harness,
) -> None:
    # The first node answers, and by its word all four nonces are used for good.
    assert await scene.node.transaction_count(WALLET) == 4
    assert await scene.node.transaction_count(WALLET, "finalized") == 4
    before = dict(scene.ledger.mints)
    await scene.check()
    assert scene.ledger.mints == before
    assert scene.open() == {STOPPED, WANTED, DEAD, NOOP}
    assert await scene.asked_of_the_builder() == []


async def test_nodes__when_the_chain_has_finalized_the_same__then_all_is_decided(scene: Harness) -> None:
    scene.mine(scene.chain, scene.taken)
    await scene.check()
    assert scene.ledger.mints[f"mint_{STOPPED}"].status is MintStatus.REJECTED
    assert not scene.open() & {DEAD, NOOP}
    assert await scene.asked_of_the_builder() == [RenewNonce(mint_id=f"mint_{WANTED}", nonce=WANTED)]
    scene.ledger.transactions = {
        place: transaction
        for place, transaction in scene.ledger.transactions.items()
        if transaction.nonce in scene.open()
    }
    await scene.check()
    # The nonce of the mint that is wanted stays open until the mint has another one.
    assert scene.open() == {WANTED}
