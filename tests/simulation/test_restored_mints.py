"""A `mints` table that was restored from an older backup, while chain, index and transactions went on."""

from __future__ import annotations

import asyncio
from collections.abc import Container

import pytest

from mintline.records.operations import Mint
from mintline.records.reopening import is_left, reopened, unclaimed
from mintline.records.transactions import TransactionKey, carried_by
from mintline.states import MintStatus
from mintline_harness.simulation.lagging import LaggingTable
from mintline_harness.simulation.loop import VirtualLoop
from mintline_harness.simulation.parts import Parts
from mintline_harness.simulation.schedule import Schedule

SEEDS = range(20)
"""In seeds 4, 5 and 13 batches fail after the backup: their mints are in others since."""
BACKED_UP = (3.0, 8.0, 20.0)
"""Seconds after which the backup is taken, by seed."""


async def restored(seed: int) -> Schedule:
    """Run a schedule to its rest, restore the mints that were on record early in it, and let all rest again.

    As `mintline restore` does, transactions are opened again that were closed since, and did nothing for a
    mint whose record says again that they carry it.

    No stranger redeems a voucher in it: that a mint had its token by another transaction than its own stands
    on the mint's record alone, so it is lost with that; `mintline reconcile` lists these. Nor is there any
    request for many mints.
    """
    schedule = Schedule(seed, Parts(), lambda _: None)
    schedule.preying = schedule.requesting = False
    backup: dict[str, Mint] = {}

    async def back_up() -> None:
        await asyncio.sleep(BACKED_UP[seed % len(BACKED_UP)])
        backup.update({mint_id: schedule.tables.mints[mint_id] for mint_id in schedule.tables.mints})

    backing_up = asyncio.create_task(back_up())
    await schedule.play()
    await backing_up
    mining = asyncio.create_task(schedule.mining.run(schedule.kinds))
    for mint_id, mint in backup.items():
        LaggingTable.__setitem__(schedule.tables.mints, mint_id, mint)
    transactions = schedule.tables.transactions
    for transaction in [transactions[place] for place in transactions]:
        if any(is_left(mint, transaction) for mint in backup.values()):
            opened = reopened(transaction, at=transaction.updated_at + 1)
            LaggingTable.__setitem__(transactions, transaction.key, opened)
    await schedule._rest()
    mining.cancel()
    return schedule


async def without_transactions(seed: int) -> int:
    """Run a schedule to its rest, lose the transactions of its mints, and let all rest again.

    As `mintline restore` does, mints that say that one of these carries them are to be built again. Returns
    how many these are.
    """
    schedule = Schedule(seed, Parts(), lambda _: None)
    schedule.preying = schedule.requesting = False
    await schedule.play()
    mining = asyncio.create_task(schedule.mining.run(schedule.kinds))
    mints, transactions = schedule.tables.mints, schedule.tables.transactions
    for place in [place for place in transactions if transactions[place].kind in ("mint", "batch")]:
        del transactions[place]
    left = [mint for mint in map(mints.__getitem__, mints) if _is_without(mint, transactions)]
    for mint in left:
        LaggingTable.__setitem__(mints, mint.mint_id, unclaimed(mint, at=mint.updated_at + 1))
    await schedule._rest()
    mining.cancel()
    schedule.checker.end()
    return len(left)


def _is_without(mint: Mint, transactions: Container[TransactionKey]) -> bool:
    place = carried_by(mint)
    return mint.status is MintStatus.BUILT and place is not None and place not in transactions


@pytest.mark.parametrize("seed", [0, 2, 3, 6])  # with mints under way at the end
def test_mints__when_the_records_of_their_transactions_are_lost__then_each_ends_by_its_own_token(
    seed: int,
) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(without_transactions(seed)) > 0


def run(seed: int) -> Schedule:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(restored(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_mints__when_they_are_restored_from_an_older_backup__then_each_ends_by_its_own_token(
    seed: int,
) -> None:
    run(seed).checker.end()


def test_mint__when_it_is_accepted_again_and_has_its_token__then_it_is_finalized_by_that() -> None:
    assert any(run(seed).checker.reached.edges["accepted→mined"] for seed in (6, 7))
