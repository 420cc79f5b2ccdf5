"""Several copies of the builder over one store that conflicts, loses answers, and sees copies die."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mintline.errors import Conflict, Retryable, Unavailable
from mintline.eth import keccak256, to_checksum_address
from mintline.messages.parts import Fees, KeyRef
from mintline.records.keys import scoped
from mintline.records.operations import Mint
from mintline.records.transactions import TransactionKey
from mintline.states import MintStatus
from mintline_builder.claims import Advance, Claim, OperationClaim, TopUpClaim
from mintline_builder.ports import Account, NotCommitted
from mintline_builder.reserver import Reserver
from mintline_testkit.builder.tables import MemoryAccounts, MemoryTables
from mintline_testkit.records import make_mint

FEES = Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1)


def address(name: str) -> str:
    return to_checksum_address(keccak256(name.encode())[12:])


TREASURY = KeyRef(address=address("treasury"), subject="treasury", chain_id=1, secret_id="secret")
FIRST_NONCES = {address("sender-0"): 7}
"""A key that was used before the line knew it."""


def accepted(mint_id: str, sender: str) -> Mint:
    return make_mint(
        mint_id,
        sub="sub",
        chain_id=1,
        contract=sender,
        to=sender,
        sender=KeyRef(address=sender, subject="sub", chain_id=1, secret_id="secret"),
        token_id=1,
        request_digest="00",
    )


@dataclass
class FaultyAccounts(MemoryAccounts):
    """Memory whose calls take their time and fail as a network does: before the write, or after it."""

    rng: random.Random = field(default_factory=random.Random)
    faults: float = 0.3
    injected: Counter[str] = field(default_factory=Counter)

    async def next_nonce(self, sender: str, mined: int) -> int:
        await self._linger()
        nonce = await super().next_nonce(sender, mined)
        await self._answer()
        return nonce

    async def last_nonce(self, sender: str) -> int | None:
        await self._linger()
        nonce = await super().last_nonce(sender)
        await self._answer()
        return nonce

    async def _answer(self) -> None:
        await self._linger()
        if self.rng.random() < self.faults / 4:
            raise Unavailable("read")

    async def commit(self, advances: Sequence[Advance]) -> None:
        claims = [claim for advance in advances for claim in advance.claims]
        assert len({claim.item for claim in claims}) == len(claims)
        assert len({advance.sender for advance in advances}) == len(advances)
        assert sum(claim.writes for claim in claims) <= 100
        await self._linger()
        fault = self.rng.random() / self.faults if self.faults else 1.0
        if fault < 0.4:
            self.injected["busy"] += 1
            raise NotCommitted(busy=True)
        if fault < 0.6:
            self.injected["not written"] += 1
            raise Unavailable("not written")
        try:
            await super().commit(advances)
        except NotCommitted:
            self.injected["refused"] += 1
            raise
        await self._linger()
        if fault < 1.0:
            self.injected["answer lost"] += 1
            raise Unavailable("answer lost")

    async def _linger(self) -> None:
        for _ in range(self.rng.randrange(4)):
            await asyncio.sleep(0)


@dataclass
class Copy:
    """One copy of the builder: a reserver and the handlers that wait for it."""

    accounts: FaultyAccounts
    rng: random.Random
    handlers: set[asyncio.Task[None]] = field(default_factory=set)
    errors: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reserver = self._fresh()

    def _fresh(self) -> Reserver:
        async def sleep(_: float) -> None:
            for _ in range(self.rng.randrange(5)):
                await asyncio.sleep(0)

        return Reserver(accounts=self.accounts, sleep=sleep, rng=self.rng)

    def handle(self, sender: str, claim: Claim) -> None:
        task = asyncio.create_task(self._handle(sender, claim))
        self.handlers.add(task)
        task.add_done_callback(self._handled)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self.handlers.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.errors.append(error)

    async def _handle(self, sender: str, claim: Claim) -> None:
        # As the consumer does: a Conflict is a duplicate, a Retryable comes back by itself.
        with suppress(Conflict, Retryable):
            nonce = await self.reserver.reserve(sender, claim, floor=FIRST_NONCES.get(sender, 0))
            if isinstance(claim, OperationClaim):
                assert self.accounts.tables.mints[claim.operation.operation_id].nonce == nonce

    async def crash(self) -> None:
        gathering = self.reserver._gathering
        tasks = {*self.handlers, *self.reserver._flights, *([gathering] if gathering else [])}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.reserver = self._fresh()


async def run_line(seed: int, *, mints: int, senders: int, copies: int, faults: float) -> FaultyAccounts:
    rng = random.Random(seed)
    sender_of = {f"m{i}": address(f"sender-{rng.randrange(senders)}") for i in range(mints)}
    begun = {mint_id: accepted(mint_id, sender) for mint_id, sender in sender_of.items()}
    accounts = FaultyAccounts(tables := MemoryTables(mints=dict(begun)), rng=rng, faults=faults)
    line = [Copy(accounts, rng) for _ in range(copies)]
    wallets = sorted(set(sender_of.values()))

    def undone() -> list[tuple[str, Claim]]:
        open_mints = [m for m, mint in tables.mints.items() if mint.status is MintStatus.ACCEPTED]
        claims: list[tuple[str, Claim]] = [
            (sender_of[mint_id], OperationClaim(begun[mint_id], 1, 1, FEES, 1)) for mint_id in open_mints
        ]
        poor = [w for w in wallets if tables.accounts.get(w, Account()).top_up_nonce is None]
        return claims + [(TREASURY.address, TopUpClaim(TREASURY, w, None, 1, 1, FEES, 1)) for w in poor]

    for _ in range(10_000):
        left = undone()
        if not left:
            break
        # Deliveries, with duplicates, to any copy; those of one sender often together.
        for sender, claim in rng.sample(left, k=min(len(left), rng.randrange(1, 30))):
            for _ in range(rng.choice([1, 1, 1, 2])):
                rng.choice(line).handle(sender, claim)
        for _ in range(rng.randrange(20)):
            await asyncio.sleep(0)
        if rng.random() < faults / 3:
            accounts.injected["crash"] += 1
            await rng.choice(line).crash()
    else:
        raise AssertionError("the line does not come to an end")
    for copy in line:
        await asyncio.gather(*copy.handlers)
        await asyncio.wait_for(copy.reserver.aclose(), 5)
        assert copy.errors == []
    return accounts


def check_nonces(accounts: FaultyAccounts) -> None:
    given_out: dict[str, list[int]] = {}
    served: Counter[str] = Counter()
    for transaction in accounts.commits:
        for advance in transaction:
            for index, claim in enumerate(advance.claims):
                given_out.setdefault(advance.sender, []).append(advance.first + index)
                served[claim.item] += 1
                nonce = advance.first + index
                if isinstance(claim, OperationClaim):
                    assert accounts.tables.mints[claim.operation.operation_id].nonce == nonce
                reserved = accounts.tables.transactions.pop(TransactionKey(scoped(1, advance.sender), nonce))
                assert reserved == claim.transaction(nonce)
    assert accounts.tables.transactions == {}, "nothing but a reservation creates a transaction"
    assert set(served.values()) <= {1}
    assert {mint.status for mint in accounts.tables.mints.values()} <= {MintStatus.BUILT}
    for sender, nonces in given_out.items():
        first = FIRST_NONCES.get(sender, 0)
        assert nonces == list(range(first, first + len(nonces)))


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@example(seed=3, mints=150, senders=2, copies=3, faults=0.4)
@given(
    seed=st.integers(0, 2**32),
    mints=st.integers(1, 120),
    senders=st.integers(1, 12),
    copies=st.integers(1, 4),
    faults=st.sampled_from([0.0, 0.2, 0.6]),
)
def test_reserve__when_copies_race_crash_and_lose_answers__then_each_sender_has_every_nonce_once(
    seed: int, mints: int, senders: int, copies: int, faults: float
) -> None:
    accounts = asyncio.run(run_line(seed, mints=mints, senders=senders, copies=copies, faults=faults))

    check_nonces(accounts)


def test_run_line__when_faults_are_many__then_every_kind_of_fault_was_injected() -> None:
    accounts = asyncio.run(run_line(1, mints=150, senders=5, copies=3, faults=0.6))

    assert set(accounts.injected) == {"busy", "not written", "refused", "answer lost", "crash"}
    check_nonces(accounts)
