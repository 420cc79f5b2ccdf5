"""Hypothesis asks every writer of a mint for every write, in any order, as late and repeated messages do."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from mintline.authorizations import Authorization
from mintline.errors import Conflict
from mintline.kinds.mint import sign_mint
from mintline.messages.parts import Fees
from mintline.records.operations import Attempt, Mint, Operation
from mintline.records.problems import CANCELLED, Problem
from mintline.records.transactions import Transaction, carried_by
from mintline.states import MintStatus, TransactionState
from mintline_builder.claims import Advance, OperationClaim
from mintline_harness.simulation.accounts import key_ref
from mintline_harness.simulation.lagging import Lag
from mintline_harness.simulation.loop import VirtualLoop
from mintline_harness.simulation.tables import Tables
from mintline_indexer.chain_port import Ref
from mintline_indexer.store_port import (
    EndedTransaction,
    Progress,
    ReopenedTransaction,
    TakeBack,
    TransactionResult,
    UndoRecord,
    Write,
)
from mintline_testkit.builder.tables import MemoryAccounts, MemoryOperations
from mintline_testkit.records import make_mint

T = TypeVar("T")
FEES = Fees(max_fee_per_gas=2 * 10**9, max_priority_fee_per_gas=10**9)
SENDER = key_ref("user")
PROBLEM = Problem(code="some_code", reason="It had to end.")
READ_OFF = ("gas", "fees", "submitted_at")
"""What a mint at its end still shows of the transaction that carried it, which may go on."""


class MintRules(RuleBasedStateMachine):
    """The writes that the services make, each under the condition of its in-memory port."""

    mints: Bundle[str] = Bundle("mints")
    submitted: Bundle[tuple[str, bytes]] = Bundle("submitted")
    mined: Bundle[tuple[str, UndoRecord]] = Bundle("mined")

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.breaches: list[str] = []
        lag = Lag(clock=self.loop.time, rng=random.Random(0), counted=lambda: None)
        self.tables = Tables(self.breaches.append, lag)
        self.accounts = MemoryAccounts(self.tables.builder)
        self.builder = MemoryOperations(self.tables.builder)
        self.time = 0
        self.blocks = 0
        self.final: dict[str, Operation] = {}

    def teardown(self) -> None:
        self.loop.close()

    def do(self, work: Awaitable[T]) -> T | None:
        """Do a write; None if its condition was lost."""

        async def attempt() -> T | None:
            try:
                return await work
            except Conflict:
                return None

        self.time += 1
        return self.loop.run_until_complete(attempt())

    def mint(self, mint_id: str) -> Mint:
        """Return a mint as it stands."""
        mint = self.tables.ledger.standing(mint_id)
        assert mint is not None
        return mint

    def carried(self, mint_id: str) -> Transaction | None:
        """Return the transaction that carries a mint, or did."""
        place = carried_by(self.mint(mint_id))
        return None if place is None else self.tables.transactions[place]

    @initialize()
    def begin(self) -> None:
        origin = Ref(0, bytes(32), 0)
        self.do(self.tables.store.commit(Progress(1, "writer", origin, origin)))

    @rule(target=mints)
    def accept(self) -> str:
        mint = make_mint(
            f"mint_{len(self.tables.mints)}",
            to=SENDER.address,
            sender=SENDER,
            token_id=len(self.tables.mints) + 1,
            at=self.time,
        )
        self.do(self.tables.api_mints.create(mint, Authorization(metadata="{}")))
        return mint.mint_id

    @rule(mint_id=mints, stale=st.booleans(), renewing=st.booleans())
    def reserve(self, *, mint_id: str, stale: bool, renewing: bool) -> None:
        following = max(self.tables.builder.nonces(SENDER.address), default=-1) + 1
        if stale and following:
            following -= 1
        mint = self.mint(mint_id)
        if not renewing and mint.nonce is None:
            # As it was when it was accepted, whatever has become of it.
            mint = mint.evolve(status=MintStatus.ACCEPTED)
        claim = OperationClaim(mint, 10**6, 90_000, FEES, self.time)
        self.do(self.accounts.commit([Advance(SENDER.address, following, (claim,))]))

    @rule(target=submitted, mint_id=mints, price=st.integers(1, 3), fills=st.booleans())
    def submit(self, *, mint_id: str, price: int, fills: bool) -> tuple[str, bytes]:
        carried = self.carried(mint_id)
        nonce = None if carried is None else carried.nonce
        tx_hash = hashlib.sha256(f"{mint_id} {nonce} {price} {fills}".encode()).digest()
        attempt = Attempt(
            tx_hash=tx_hash,
            max_fee_per_gas=price,
            max_priority_fee_per_gas=price,
            at=self.time,
            nonce=nonce,
            fills=True if fills else None,
        )
        if carried is not None:
            if not fills:
                self.do(self.tables.ledger.enter(sign_mint(self.mint(mint_id)), attempt))
                carried = self.tables.transactions[carried.key]
            if all(known.tx_hash != tx_hash for known in carried.attempts):
                self.do(self.tables.ledger.add_attempt(carried, attempt))
        return mint_id, tx_hash

    @rule(mint_id=mints)
    def reject(self, mint_id: str) -> None:
        mint, carried = self.mint(mint_id), self.carried(mint_id)
        self.do(self.tables.ledger.reject(mint, PROBLEM, at=self.time, carried=carried))

    @rule(mint_id=mints)
    def refuse(self, mint_id: str) -> None:
        self.do(self.builder.reject(mint_id, PROBLEM, at=self.time))

    @rule(mint_id=mints)
    def cancel(self, mint_id: str) -> None:
        self.do(self.tables.api_mints.cancel(self.mint(mint_id), CANCELLED, at=self.time))

    @rule(mint_id=mints)
    def close(self, mint_id: str) -> None:
        """Note that another transaction has the nonce, once the mint depends on it no more."""
        for transaction in list(self.tables.transactions.values()):
            let_go = carried_by(self.mint(mint_id)) != transaction.key
            rejected = self.mint(mint_id).status is MintStatus.REJECTED
            if transaction.operations == (mint_id,) and (let_go or rejected):
                self.do(self.tables.ledger.close(transaction, "filled", at=self.time))

    @rule(target=mined, sent=submitted, failed=st.booleans())
    def mine(self, *, sent: tuple[str, bytes], failed: bool) -> tuple[str, UndoRecord]:
        mint_id, tx_hash = sent
        self.blocks += 1
        block_hash = self.blocks.to_bytes(32, "big")
        carried = self.carried(mint_id)
        done = () if carried is None else (carried.key,)
        undo_record = UndoRecord(
            position=f"{self.blocks:012}",
            number=self.blocks,
            hash=block_hash,
            timestamp=0,
            parent=(0, bytes(32), 0),
            first=0,
            complete=True,
            transactions=tuple(
                EndedTransaction(sender_id=place.sender_id, nonce=place.nonce) for place in done
            ),
        )
        results = tuple(
            TransactionResult(
                place,
                "failed" if failed else "succeeded",
                tx_hash,
                self.blocks,
                block_hash,
                problem=PROBLEM if failed else None,
            )
            for place in done
            if any(attempt.tx_hash == tx_hash for attempt in self.tables.transactions[place].own_attempts)
        )
        self.do(self.tables.store.keep_undo([undo_record]))
        self.do(self.tables.store.write(Write(results=results), fence=self.fence(), at=self.time))
        return mint_id, undo_record

    @rule(mined_block=mined)
    def undo(self, mined_block: tuple[str, UndoRecord]) -> None:
        _, undo_record = mined_block
        if undo_record.position in self.tables.store.block_rows:
            reopened_transactions = tuple(
                ReopenedTransaction(transaction.key, undo_record.hash)
                for transaction in undo_record.transactions
            )
            undo = TakeBack(undo_record.number, transactions=reopened_transactions)
            self.do(self.tables.store.take_back(undo, fence=self.fence(), at=self.time))
            self.do(self.tables.store.prune([undo_record.position]))

    @rule(mined_block=consumes(mined))
    def finalize(self, mined_block: tuple[str, UndoRecord]) -> None:
        places = [transaction.key for transaction in mined_block[1].transactions]
        self.do(self.tables.store.finalize_transactions(places, at=self.time))

    def fence(self) -> int:
        """Move the checkpoint, as before each block that is written or undone."""
        progress = self.tables.store.progress
        assert progress is not None
        following = Progress(
            progress.revision + 1, progress.writer, progress.head, progress.finalized, at=self.time
        )
        self.do(self.tables.store.commit(following))
        return following.revision

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
            assert self.mint(mint_id).evolve(**dict.fromkeys(READ_OFF)) == mint
        ends = (MintStatus.FINALIZED, MintStatus.REJECTED)
        self.final |= {
            operation.operation_id: operation.evolve(**dict.fromkeys(READ_OFF))
            for operation in self.tables.standing()
            if operation.status in ends
        }

    @invariant()
    def a_record_says_what_its_status_means(self) -> None:
        for mint in self.tables.standing():
            in_a_block = mint.status in (MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REVERTED)
            assert in_a_block == (mint.tx_hash is not None) == (mint.block_hash is not None)
            assert (mint.problem is not None) == (mint.status in (MintStatus.REJECTED, MintStatus.REVERTED))
            if mint.status is MintStatus.SUBMITTED or in_a_block:
                assert mint.attempts
                assert mint.nonce is not None

    @invariant()
    def what_was_stopped_is_kept_for_a_noop(self) -> None:
        for mint in self.tables.standing():
            carried = self.carried(mint.mint_id)
            if carried is None or carried.state in (TransactionState.MINED, TransactionState.FINAL):
                continue
            stopped = mint.status is MintStatus.REJECTED or mint.cancel_requested_at is not None
            assert not stopped or carried.filling_at is not None


MintRules.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestMintRules = MintRules.TestCase
