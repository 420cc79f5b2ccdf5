"""A pass of the sweep holds a portion of the open operations' records, and still does all that is to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mintline.records.operations import Operation
from mintline.states import MintStatus
from mintline_broadcaster import sweep as sweeping
from mintline_broadcaster import sweep_operations
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent
from mintline_testkit.broadcaster.store import MemoryTransactionStore
from tests.unit.broadcaster.test_sweep import opened

VOUCHER: dict[str, Any] = {
    "status": MintStatus.ISSUED,
    "custody": "self",
    "nonce": None,
    "deadline": 1_900_000_000,
}
LONG = 60.0
"""Seconds, longer than a stage may take."""


@dataclass
class CountingStore(MemoryTransactionStore):
    """A store that notes how many records each read asked for."""

    reads: list[int] = field(default_factory=list)

    async def operations(self, ids: Iterable[str]) -> dict[str, Operation]:
        names = list(ids)
        self.reads.append(len(names))
        return await super().operations(names)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def harness(store: CountingStore) -> Harness:
    return Harness(store=store)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_operations, "PORTION", 3)


@pytest.mark.usefixtures("small")
async def test_sweep__when_more_is_open_than_a_portion__then_it_is_read_in_portions_and_all_sent_on(
    harness: Harness, store: CountingStore
) -> None:
    for nonce in range(10):
        opened(harness, mint_intent(nonce), status=MintStatus.ACCEPTED)
    await harness.sweep(after=LONG)
    assert store.reads == [3, 3, 3, 1]
    assert harness.counted("sweeps_total", status="accepted") == 10


@pytest.mark.usefixtures("small")
async def test_sweep__when_more_may_be_left_behind_than_a_portion__then_they_are_read_once_more(
    harness: Harness, store: CountingStore
) -> None:
    for nonce in range(4):
        opened(harness, mint_intent(nonce), **VOUCHER)
    await harness.sweep(after=sweep_operations.RESTING_SECONDS)
    assert store.reads == [3, 1, 3, 1]


async def test_sweep__when_a_portion_holds_all__then_each_record_is_read_once(
    harness: Harness, store: CountingStore
) -> None:
    for nonce in range(4):
        opened(harness, mint_intent(nonce), **VOUCHER)
    await harness.sweep(after=sweep_operations.RESTING_SECONDS)
    assert store.reads == [4]


async def test_sweep__when_a_pass_reads_a_part_of_what_is_open__then_what_rests_goes_on_resting(
    harness: Harness, store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PAGE", 1)
    monkeypatch.setattr(sweeping, "MAX_PAGES", 1)
    for nonce in range(40):
        opened(harness, mint_intent(nonce), **VOUCHER)
    sweeper = harness.sweeper()
    harness.now += int(LONG * 1000)
    for _ in range(60):
        await sweeper.sweep()
    assert sum(store.reads) == 40


async def test_sweep__when_what_rested_has_ended__then_nothing_is_kept_of_it(
    harness: Harness, store: CountingStore
) -> None:
    mint = opened(harness, mint_intent(0), **VOUCHER)
    sweeper = harness.sweeper()
    harness.now += int(LONG * 1000)
    await sweeper.sweep()
    kept = len(sweeper._resting)
    store.mints[mint.mint_id] = store.mints[mint.mint_id].evolve(status=MintStatus.FINALIZED)
    await sweeper.sweep()
    assert (kept, len(sweeper._resting)) == (1, 0)
