"""Whatever the notifier suffers, the logs are what the records went through: no gap, no double, in order.

A seeded run moves mints along, one by one and in batches, with reorgs, cancellations and split shards, while
readers are cut off before or after any of their writes, replaced, or read at the same time.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest

from mintline.aws.records import to_item
from mintline.errors import Unavailable
from mintline.events import Event, Marks, Placed
from mintline.messages.parts import Fees, KeyRef
from mintline.records.operations import Attempt, Mint
from mintline.records.problems import CANCELLED, Problem
from mintline.records.transactions import Transaction, transaction_key_of
from mintline.resources import MINTS, TRANSACTIONS
from mintline.states import MintStatus, TransactionState
from mintline_notifier.cursors import Cursor
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notifier.followers import follower
from mintline_testkit.notifier.tables import MemoryCursors, MemoryTables
from mintline_testkit.records import make_mint, make_transaction

ADDRESS = "0x" + "2" * 40
RELAYER = KeyRef(address="0x" + "3" * 40, subject="relayer", chain_id=1, secret_id="relayer")
FEES = Fees(max_fee_per_gas=10, max_priority_fee_per_gas=1)
CLIENTS = ("client-a", "client-b")


class Killed(BaseException):
    """The process died."""


class Faults:
    """Decides before and after each write whether the process dies, or the write seems to fail."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.on = True

    def strike(self) -> None:
        chance = self._rng.random() if self.on else 1.0
        if chance < 0.03:
            raise Killed
        if chance < 0.06:
            raise Unavailable("a dependency did not answer")


class FaultyLog:
    def __init__(self, behind: MemoryEventLog, faults: Faults) -> None:
        self._behind, self._faults = behind, faults
        self.read, self.tail = behind.read, behind.tail

    async def append(
        self,
        principal: str,
        events: Sequence[Event],
        *,
        marks: Marks | None = None,
        known_since: int | None = None,
    ) -> tuple[Placed, ...]:
        self._faults.strike()
        # Of many events, the first may be there, and the others not.
        if self._faults.on and len(events) > 1 and random.Random(len(events)).random() < 0.2:
            part = Marks(marks.shard, marks.of[:1]) if marks else None
            await self._behind.append(principal, events[:1], marks=part, known_since=known_since)
            self._faults.strike()
        placed = await self._behind.append(principal, events, marks=marks, known_since=known_since)
        self._faults.strike()
        return placed


class FaultyCursors(MemoryCursors):
    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults

    async def save(self, shard: str, cursor: Cursor) -> None:
        self._faults.strike()
        await super().save(shard, cursor)
        self._faults.strike()


class History:
    """Mints and transactions as the services write them, with the events that are due for each."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.tables = MemoryTables()
        self.due: dict[str, list[str]] = defaultdict(list)
        self.mints: dict[str, Mint] = {}
        self.transactions: dict[int, Transaction] = {}
        self._block = 0

    def accept(self) -> None:
        name = f"mint_{len(self.mints)}"
        client = self.rng.choice(CLIENTS)
        mint = make_mint(
            name,
            sub=client,
            client_id=client,
            chain_id=1,
            contract=ADDRESS,
            to=ADDRESS,
            custody="sponsored",
            token_id=len(self.mints),
            at=self.tables.now,
        )
        self._put(mint)
        self.due[name].append("mint.accepted")

    def reserve(self) -> None:
        waiting = [mint for mint in self.mints.values() if mint.status is MintStatus.ACCEPTED]
        batch = self.rng.sample(waiting, min(len(waiting), self.rng.randint(1, 12)))
        if not batch:
            return
        place = transaction_key_of(RELAYER, len(self.transactions))
        transaction = make_transaction(
            RELAYER,
            place.nonce,
            kind="batch",
            operations=tuple(mint.mint_id for mint in batch),
            claiming=True,
            gas=1,
            fees=FEES,
            at=self.tables.now,
        )
        self._keep(transaction)
        claimed = [mint for mint in batch if self.rng.random() < 0.9]
        for mint in claimed:
            self._put(
                mint.evolve(
                    status=MintStatus.BUILT, sender=RELAYER, nonce=place.nonce, built_at=self.tables.now
                )
            )
        names = tuple(mint.mint_id for mint in claimed)
        self._keep(transaction.evolve(claiming=None, operations=names, updated_at=self.tables.now))

    def move(self) -> None:
        if not self.transactions:
            return
        transaction = self.rng.choice(list(self.transactions.values()))
        now, state = self.tables.now, transaction.state
        if state is TransactionState.RESERVED:
            attempt = Attempt(
                tx_hash=self.rng.randbytes(32), max_fee_per_gas=10, max_priority_fee_per_gas=1, at=now
            )
            sent = {"state": TransactionState.SUBMITTED, "attempts": (attempt,), "submitted_at": now}
            self._step(transaction.evolve(**sent, updated_at=now), "mint.submitted")
        elif state is TransactionState.SUBMITTED:
            self._mine(transaction)
        elif state is TransactionState.MINED and self.rng.random() < 0.3:
            back = dict.fromkeys(("outcome", "tx_hash", "block_number", "block_hash", "mined_at"))
            self._step(
                transaction.evolve(**back, state=TransactionState.SUBMITTED, updated_at=now), "mint.reorged"
            )
        elif state is TransactionState.MINED:
            final = {"state": TransactionState.FINAL, "finalized_at": now, "updated_at": now}
            self._step(transaction.evolve(**final), "mint.finalized")

    def reject(self) -> None:
        waiting = [mint for mint in self.mints.values() if mint.status is MintStatus.ACCEPTED]
        if waiting:
            mint = self.rng.choice(waiting)
            cancelled = self.rng.random() < 0.5
            problem = CANCELLED if cancelled else Problem(code="too_bad", reason="Too bad.")
            self._put(mint.evolve(status=MintStatus.REJECTED, problem=problem, updated_at=self.tables.now))
            self.due[mint.mint_id].append("mint.cancelled" if cancelled else "mint.rejected")

    def _mine(self, transaction: Transaction) -> None:
        self._block += 1
        mined = {
            "state": TransactionState.MINED,
            "outcome": "succeeded",
            "tx_hash": transaction.attempts[-1].tx_hash,
            "block_number": self._block,
            "block_hash": self._block.to_bytes(32, "big"),
            "mined_at": self.tables.now,
            "updated_at": self.tables.now,
        }
        self._step(transaction.evolve(**mined), "mint.mined")

    def _step(self, transaction: Transaction, kind: str) -> None:
        self._keep(transaction)
        for name in transaction.operations:
            self.due[name].append(kind)

    def _put(self, mint: Mint) -> None:
        self.mints[mint.mint_id] = mint
        self.tables.put(MINTS, to_item(mint))

    def _keep(self, transaction: Transaction) -> None:
        self.transactions[transaction.nonce] = transaction
        self.tables.put(TRANSACTIONS, to_item(transaction))

    def anything(self) -> None:
        self.tables.now += self.rng.randint(1, 400)
        act = self.rng.choices(
            (self.accept, self.reserve, self.move, self.reject, self.split), (6, 2, 12, 1, 0.3)
        )[0]
        act()

    def split(self) -> None:
        self.tables.split(self.rng.choice((MINTS, TRANSACTIONS)))


def logged(log: MemoryEventLog, *, late: bool = False) -> dict[str, list[str]]:
    types_by_id: dict[str, list[str]] = defaultdict(list)
    for client in CLIENTS:
        events = log.all(client)
        assert len({event.id for event in events}) == len(events)
        for event in events:
            types_by_id[event.resource.id].append(event.type)
            assert event.data["mint_id"] == event.resource.id
            assert (
                late
                or event.type == "mint.reorged"
                or event.data["status"]
                in {
                    *(event.type.removeprefix("mint."), "rejected"),
                }
            )
    return types_by_id


@pytest.mark.parametrize("seed", range(12))
async def test_logs__when_readers_fail__then_they_equal_what_the_records_went_through(seed: int) -> None:
    history, kept = History(seed), MemoryEventLog()
    faults = Faults(random.Random(seed + 1000))
    cursors, log = FaultyCursors(faults), FaultyLog(kept, faults)
    readers = [follower(history.tables, log, cursors, owner=f"reader-{number}") for number in range(2)]
    # The first reader starts before anything happens.
    faults.on = False
    await readers[0].poll()
    faults.on = True
    for _ in range(600):
        history.anything()
        if history.rng.random() < 0.4:
            number = history.rng.randrange(2)
            try:
                await readers[number].poll()
            except Unavailable:
                continue
            except Killed:
                owner = f"reader-{number}-{history.rng.random()}"
                readers[number] = follower(history.tables, log, cursors, owner=owner)
    faults.on = False
    for _ in range(60):
        history.tables.now += 1_000
        for reader in readers:
            await reader.poll()
    assert logged(kept) == dict(history.due)


async def test_logs__when_changes_were_gone_before_they_were_read__get_the_events_late() -> None:
    history, log, cursors = History(7), MemoryEventLog(), MemoryCursors()
    reader = follower(history.tables, log, cursors, owner="first")
    await reader.poll()
    for _ in range(150):
        history.anything()
        await reader.poll()
    await reader.step_down()
    before: Any = logged(log)
    # For more than a day nobody reads.
    history.tables.now += 25 * 3_600_000
    for _ in range(150):
        history.anything()
    history.tables.lose_streams()
    reader = follower(history.tables, log, cursors, owner="second")
    for _ in range(60):
        await reader.poll()
        history.anything()
    for _ in range(80):
        history.tables.now += 1_000
        await reader.poll()
    types_by_id = logged(log, late=True)
    for name, due in history.due.items():
        # What a reorg undid while nobody read is the one thing that no record says.
        assert types_by_id[name][0] == due[0]
        assert types_by_id[name][-1] == due[-1], name
        assert set(types_by_id[name]) >= set(due) - {"mint.reorged"}
        assert types_by_id[name][: len(before[name])] == before[name]
