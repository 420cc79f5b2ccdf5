"""Hypothesis asks every writer of a mint for every write, in any order, as late and repeated messages do."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from mintline.authorizations import Authorization
from mintline.errors import Conflict
from mintline.intents import sign_mint
from mintline.messages import Fees
from mintline.records import Attempt, Mint, Problem
from mintline.states import MintStatus
from mintline_builder.memory import MemoryAccounts, MemoryMints
from mintline_builder.ports import Advance, MintClaim
from mintline_harness.simulation.lagging import Lag
from mintline_harness.simulation.loop import VirtualLoop
from mintline_harness.simulation.tables import CHAIN_ID, CONTRACT, Tables, key_ref
from mintline_indexer.chain_port import Ref
from mintline_indexer.store_port import Fenced, Outcome, Progress, Reopened, Row, Stale, Write

T = TypeVar("T")
FEES = Fees(max_fee_per_gas=2 * 10**9, max_priority_fee_per_gas=10**9)
SENDER = key_ref("user")
PROBLEM = Problem(code="some_code", reason="It had to end.")


class MintRules(RuleBasedStateMachine):
    """The writes that the services make, each under the condition of its in-memory port."""

    mints: Bundle[str] = Bundle("mints")
    submitted: Bundle[tuple[str, bytes]] = Bundle("submitted")
    mined: Bundle[tuple[str, Row]] = Bundle("mined")

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.breaches: list[str] = []
        lag = Lag(clock=self.loop.time, rng=random.Random(0), told=lambda: None)
        self.tables = Tables(self.breaches.append, lag)
        self.accounts = MemoryAccounts(self.tables.builder)
        self.builder = MemoryMints(self.tables.builder)
        self.time = 0
        self.blocks = 0
        self.final: dict[str, Mint] = {}

    def teardown(self) -> None:
        self.loop.close()

    def do(self, work: Awaitable[T]) -> T | None:
        """Do a write; None if its condition was lost."""

        async def attempt() -> T | None:
            try:
                return await work
            except (Conflict, Stale, Fenced):
                return None

        self.time += 1
        return self.loop.run_until_complete(attempt())

    def mint(self, mint_id: str) -> Mint:
        return self.tables.mints[mint_id]

    @initialize()
    def begin(self) -> None:
        origin = Ref(0, bytes(32), 0)
        self.do(self.tables.store.commit(Progress(1, "writer", origin, origin), Write()))

    @rule(target=mints)
    def accept(self) -> str:
        mint = Mint(
            mint_id=f"mint_{len(self.tables.mints)}",
            sub="user",
            status=MintStatus.ACCEPTED,
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            to=SENDER.address,
            sender=SENDER,
            metadata_digest=bytes(32),
            request_digest="",
            token_id=len(self.tables.mints) + 1,
            created_at=self.time,
            updated_at=self.time,
        )
        self.do(self.tables.api_mints.create(mint, Authorization(metadata="{}")))
        return mint.mint_id

    @rule(mint_id=mints, stale=st.booleans(), renewing=st.booleans())
    def reserve(self, *, mint_id: str, stale: bool, renewing: bool) -> None:
        account = self.tables.builder.accounts.get(SENDER.address)
        expected = account.next_nonce if account else None
        if stale and expected:
            expected -= 1
        spent = self.mint(mint_id).nonce if renewing else None
        claim = MintClaim(mint_id, 10**6, 90_000, FEES, self.time, spent=spent)
        self.do(self.accounts.commit([Advance(SENDER.address, expected, expected or 0, (claim,))]))

    @rule(target=submitted, mint_id=mints, price=st.integers(1, 3))
    def submit(self, mint_id: str, price: int) -> tuple[str, bytes]:
        nonce = self.mint(mint_id).nonce
        tx_hash = hashlib.sha256(f"{mint_id} {nonce} {price}".encode()).digest()
        attempt = Attempt(
            tx_hash=tx_hash, max_fee_per_gas=price, max_priority_fee_per_gas=price, at=self.time
        )
        if nonce is not None:
            self.do(self.tables.ledger.submit(sign_mint(self.mint(mint_id)), attempt))
            known = {earlier.tx_hash for earlier in self.mint(mint_id).attempts}
            if tx_hash not in known:
                self.do(self.tables.ledger.add_attempt(self.mint(mint_id), attempt))
        return mint_id, tx_hash

    @rule(mint_id=mints, source=st.sampled_from(list(MintStatus)))
    def reject(self, mint_id: str, source: MintStatus) -> None:
        self.do(self.tables.ledger.reject(mint_id, PROBLEM, source=source, at=self.time))

    @rule(mint_id=mints)
    def refuse(self, mint_id: str) -> None:
        self.do(self.builder.reject(mint_id, PROBLEM, at=self.time))

    @rule(target=mined, sent=submitted, failed=st.booleans())
    def mine(self, *, sent: tuple[str, bytes], failed: bool) -> tuple[str, Row]:
        mint_id, tx_hash = sent
        self.blocks += 1
        block_hash = self.blocks.to_bytes(32, "big")
        row = Row(
            position=f"{self.blocks:012}",
            number=self.blocks,
            hash=block_hash,
            timestamp=0,
            parent=(0, bytes(32), 0),
            first=0,
            complete=True,
            mints=(mint_id,),
        )
        status = MintStatus.REVERTED if failed else MintStatus.MINED
        outcome = Outcome(mint_id, status, tx_hash, self.blocks, block_hash, PROBLEM if failed else None)
        self.write(Write(outcomes=(outcome,), row=row))
        return mint_id, row

    @rule(made=mined)
    def undo(self, made: tuple[str, Row]) -> None:
        mint_id, row = made
        if row.position in self.tables.store.block_rows:
            reopened = Reopened(mint_id, MintStatus.SUBMITTED, row.hash)
            self.write(Write(reopened=(reopened,), erased_row=row))

    @rule(made=consumes(mined))
    def finalize(self, made: tuple[str, Row]) -> None:
        self.do(self.tables.store.finalize([made[0]], at=self.time))

    def write(self, write: Write) -> Any:
        progress = self.tables.store.progress
        assert progress is not None
        following = Progress(
            progress.revision + 1, progress.writer, progress.head, progress.finalized, at=self.time
        )
        return self.do(self.tables.store.commit(following, write))

    @invariant()
    def moves_are_legal(self) -> None:
        assert self.breaches == []

    @invariant()
    def no_two_mints_share_a_nonce(self) -> None:
        nonces = [mint.nonce for mint in self.tables.mints.values() if mint.nonce is not None]
        assert len(nonces) == len(set(nonces))

    @invariant()
    def an_end_is_an_end(self) -> None:
        for mint_id, mint in self.final.items():
            assert self.mint(mint_id) == mint
        ends = (MintStatus.FINALIZED, MintStatus.REJECTED)
        self.final |= {one.mint_id: one for one in self.tables.mints.values() if one.status in ends}

    @invariant()
    def a_record_says_what_its_status_means(self) -> None:
        for mint in self.tables.mints.values():
            in_a_block = mint.status in (MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REVERTED)
            assert in_a_block == (mint.tx_hash is not None) == (mint.block_hash is not None)
            assert (mint.problem is not None) == (mint.status in (MintStatus.REJECTED, MintStatus.REVERTED))
            if mint.status is MintStatus.SUBMITTED or in_a_block:
                assert mint.attempts
                assert mint.nonce is not None


MintRules.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestMintRules = MintRules.TestCase
