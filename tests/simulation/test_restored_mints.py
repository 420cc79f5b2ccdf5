"""A `mints` table that was restored from an older backup, while chain, index and transactions went on."""

from __future__ import annotations

import asyncio

import pytest

from mintline.records.operations import Mint
from mintline_harness.simulation.lagging import LaggingTable
from mintline_harness.simulation.loop import VirtualLoop
from mintline_harness.simulation.parts import Parts
from mintline_harness.simulation.schedule import Schedule

LOST = {4, 5, 13, 15}
"""In these, batches fail after the backup: their mints are in others since. See docs/restore.md."""
SEEDS = [seed for seed in range(20) if seed not in LOST]
BACKED_UP = (3.0, 8.0, 20.0)
"""Seconds after which the backup is taken, by seed."""


async def restored(seed: int) -> Schedule:
    """Run a schedule to its rest, restore the mints that were on record early in it, and let all rest again.

    No stranger redeems a voucher in it: that a mint had its token by another transaction than its own stands
    on the mint's record alone, so it is lost with that. So is the nonce that a mint got instead of another,
    or with another batch, which none of these seeds has (nor any
    request for many mints); `mintline reconcile` lists both.
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
    await schedule._rest()
    mining.cancel()
    return schedule


def run(seed: int) -> Schedule:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(restored(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_mints__when_they_are_restored_from_an_older_backup__then_each_ends_by_its_own_token(
    seed: int,
) -> None:
    run(seed).checker.end()


def test_mint__when_it_is_accepted_again_and_has_its_token__then_it_is_finalized_by_that() -> None:
    assert run(6).checker.reached.edges["accepted→mined"] == 2
