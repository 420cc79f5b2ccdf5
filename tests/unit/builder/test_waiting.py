"""What may heal makes a mint wait, tells its user why, and ends nothing before its time."""

from __future__ import annotations

import pytest

from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.errors import Conflict
from mintline.messages import SignMint
from mintline.states import MintStatus
from mintline_builder.simulation import ROLE_AGE
from mintline_builder.waiting import CHAIN_TIME_SKEWED, COLLECTION_PAUSED, ISSUER_REVOKED
from tests.unit.builder.conftest import Builder, World

PAUSED = CallReverted(Revert("EnforcedPause", {}), "EnforcedPause()")
DAY = 24 * 3600
TTL = 3600


async def test_build__when_the_collection_is_paused__then_the_mint_waits_and_nothing_is_reserved(
    world: World, builder: Builder
) -> None:
    world.accept("m1")
    world.chain.reverts[world.contract] = PAUSED

    await builder.build("m1")

    assert (world.mint("m1").status, world.mint("m1").waiting) == (MintStatus.ACCEPTED, COLLECTION_PAUSED)
    assert world.accounts.commits == []
    assert world.messages() == []
    assert builder.count("waiting", code="collection_paused") == 1


async def test_build__when_the_issuer_has_no_role__then_the_mint_waits_until_it_has_one(
    world: World, builder: Builder
) -> None:
    world.accept("m1")
    world.chain.issues = False
    await builder.build("m1")
    assert (world.mint("m1").status, world.mint("m1").waiting) == (MintStatus.ACCEPTED, ISSUER_REVOKED)

    world.chain.issues = True
    world.now += ROLE_AGE
    await builder.build("m1")

    assert (world.mint("m1").status, world.mint("m1").waiting) == (MintStatus.BUILT, None)
    assert [type(message) for message in world.messages()] == [SignMint]


async def test_build__when_the_reason_to_wait_is_the_same__then_the_record_is_not_written_again(
    world: World, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.accept("m1", waiting=COLLECTION_PAUSED)
    world.chain.reverts[world.contract] = PAUSED
    monkeypatch.setattr(world.mints, "wait", lambda *_: pytest.fail("the record is written again"))

    await builder.build("m1")

    assert world.mint("m1").waiting == COLLECTION_PAUSED


async def test_build__when_a_mint_has_waited_for_its_time__then_it_is_rejected_with_the_reason(
    world: World, builder: Builder
) -> None:
    world.accept("m1")
    world.chain.reverts[world.contract] = PAUSED
    await builder.build("m1")
    world.now += DAY

    await builder.build("m1")

    problem = world.mint("m1").problem
    assert world.mint("m1").status is MintStatus.REJECTED
    assert problem is not None
    assert problem.code == "collection_paused"
    assert problem.reason == "The collection is paused, for 24 hours. Mint again later."


async def test_build__when_a_waiting_mint_is_cancelled_meanwhile__then_it_stays_cancelled(
    world: World, builder: Builder
) -> None:
    mint = world.accept("m1")
    world.chain.reverts[world.contract] = PAUSED
    get = world.mints.get

    async def cancelled_after_the_read(mint_id: str) -> object:
        found = await get(mint_id)
        world.tables.mints["m1"] = mint.evolve(status=MintStatus.REJECTED)
        return found

    world.mints.get = cancelled_after_the_read  # type: ignore[method-assign,assignment]

    with pytest.raises(Conflict):
        await builder.build("m1")

    assert world.mint("m1").status is MintStatus.REJECTED
    assert world.mint("m1").waiting is None


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 11 * 3600.0])
async def test_deadline__when_the_chains_clock_is_another__then_it_counts_from_the_chains_time(
    world: World, builder: Builder, ahead: float
) -> None:
    world.accept("m1")
    world.chain_ahead = ahead

    await builder.build("m1")

    assert world.mint("m1").deadline == int(world.now + ahead) + TTL


@pytest.mark.parametrize("ahead", [-DAY, DAY])
async def test_deadline__when_the_chains_clock_is_too_far_off__then_the_mint_waits(
    world: World, builder: Builder, ahead: float
) -> None:
    world.accept("m1")
    world.chain_ahead = ahead

    await builder.build("m1")

    assert (world.mint("m1").status, world.mint("m1").waiting) == (MintStatus.ACCEPTED, CHAIN_TIME_SKEWED)
    assert builder.count("chain_time_skew") == ahead
