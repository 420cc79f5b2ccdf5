"""Hypothesis mines, reorganises and restarts at will; the index is a replay of the branch that it is on."""

from __future__ import annotations

import hashlib
import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from prometheus_client import CollectorRegistry

from mintline.clock import Monotonic, UnixMs
from mintline_harness.simulation.loop import VirtualLoop
from mintline_indexer.chain_port import TransferEvent
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics
from mintline_indexer.store_port import TokenKey
from mintline_testkit.chain import FakeChain, Mined, Move, Sent
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.store import MemoryCollectionRegistry, MemoryStore

OWNERS = tuple("0x" + digit * 40 for digit in "345")
FINALITY = 6
METRICS = Metrics(CollectorRegistry())


class ReorgRules(RuleBasedStateMachine):
    """One chain, and two indexers of it that take turns."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.chain = FakeChain(finality=FINALITY)
        self.store = MemoryStore()
        self.time = 0.0
        self.starts = 0
        self.sent = 0
        self.next_token = 1
        self.dropped: list[Sent] = []
        self.by_hash: dict[bytes, Sent] = {}
        self.indexers = [self.start(), self.start()]

    def teardown(self) -> None:
        self.loop.close()

    def start(self) -> Indexer:
        self.starts += 1
        return Indexer(
            chain=self.chain,
            store=self.store,
            collections=MemoryCollectionRegistry({CONTRACT: 0}),
            chain_id=1,
            writer=f"writer-{self.starts}",
            takeover_after=10.0,
            widest=10,
            whole=10,
            metrics=METRICS,
            clock=lambda: Monotonic(self.time),
            now=lambda: UnixMs(int(self.time * 1000)),
            rng=random.Random(1),
        )

    def owners(self, branch: list[Mined]) -> dict[TokenKey, str | None]:
        owners: dict[TokenKey, str | None] = {}
        for mined in branch:
            for event in mined.events:
                if isinstance(event, TransferEvent):
                    owners[TokenKey(event.contract, event.token_id)] = event.recipient
        return owners

    def transaction(self, *moves: Move) -> Sent:
        self.sent += 1
        sent = Sent(hashlib.sha256(f"{self.sent}".encode()).digest(), CONTRACT, moves)
        self.by_hash[sent.hash] = sent
        return sent

    @rule(mints=st.integers(0, 3), to=st.sampled_from(OWNERS), again=st.booleans())
    def mine(self, *, mints: int, to: str, again: bool) -> None:
        sent = []
        for _ in range(mints):
            sent.append(self.transaction(Move(CONTRACT, self.next_token, None, to, bytes(32))))
            self.next_token += 1
        if again:
            sent += self.dropped
            self.dropped = []
        self.chain.mine(sent)

    @rule(to=st.sampled_from([*OWNERS, None]), which=st.integers(0, 100))
    def move(self, to: str | None, which: int) -> None:
        owned = [(key, owner) for key, owner in self.owners(self.chain.mined).items() if owner is not None]
        if owned:
            key, owner = owned[which % len(owned)]
            self.chain.mine([self.transaction(Move(key.contract, key.token_id, owner, to))])

    @rule(depth=st.integers(1, FINALITY - 1), longer=st.integers(-1, 2))
    def reorganise(self, depth: int, longer: int) -> None:
        depth = min(depth, len(self.chain.mined) - 1 - self.chain.finalized)
        if depth <= 0:
            return
        for mined in self.chain.mined[-depth:]:
            transactions = [self.by_hash[tx.hash] for tx in mined.block.transactions or ()]
            self.dropped += [tx for tx in transactions if all(move.sender is None for move in tx.moves)]
        self.chain.drop(depth)
        for _ in range(max(1, depth + longer)):
            self.chain.mine()

    @rule(which=st.integers(0, 1), rounds=st.integers(1, 4), pause=st.sampled_from([0.5, 2.0, 20.0]))
    def poll(self, which: int, rounds: int, pause: float) -> None:
        self.time += pause
        for _ in range(rounds):
            self.loop.run_until_complete(self.indexers[which].poll())

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        self.indexers[which] = self.start()

    @precondition(lambda self: self.store.progress is not None and self.store.progress.mixed is None)
    @invariant()
    def the_index_is_a_replay_of_its_branch(self) -> None:
        progress = self.store.progress
        assert progress is not None
        if CONTRACT not in progress.collections:
            return
        branch = [self.chain.at(progress.head.hash)]
        while branch[0].block.number:
            branch.insert(0, self.chain.at(branch[0].block.parent_hash))
        assert {key: token.owner for key, token in self.store.token_table.items()} == self.owners(branch)
        moved = [event for mined in branch for event in mined.events if isinstance(event, TransferEvent)]
        assert len(self.store.transfer_table) == len(moved)

    @precondition(lambda self: self.store.progress is not None)
    @invariant()
    def what_is_final_is_never_undone(self) -> None:
        progress = self.store.progress
        assert progress is not None
        final = progress.finalized
        assert self.chain.mined[final.number].block.hash == final.hash


ReorgRules.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestReorgRules = ReorgRules.TestCase
