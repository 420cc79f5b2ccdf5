"""What may heal makes a mint wait, tells its user why, and ends nothing before its time."""

from __future__ import annotations

import pytest

from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.clock import DAY
from mintline.errors import Conflict
from mintline.messages.intents import SignMint
from mintline.states import MintStatus
from mintline_builder.simulation import ROLE_AGE
from mintline_builder.waiting import CHAIN_TIME_SKEWED, COLLECTION_PAUSED, ISSUER_REVOKED
from mintline_testkit.builder.harness import Builder, Harness

PAUSED = CallReverted(Revert("EnforcedPause", {}), "EnforcedPause()")
TTL = 3600


async def test_build__when_the_collection_is_paused__then_the_mint_waits_and_nothing_is_reserved(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1")
    harness.chain.reverts[harness.contract] = PAUSED

    await builder.build("m1")

    assert (harness.mint("m1").status, harness.mint("m1").waiting) == (MintStatus.ACCEPTED, COLLECTION_PAUSED)
    assert harness.accounts.commits == []
    assert harness.messages() == []
    assert builder.count("waiting", code="collection_paused") == 1


async def test_build__when_the_issuer_has_no_role__then_the_mint_waits_until_it_has_one(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1")
    harness.chain.issues = False
    await builder.build("m1")
    assert (harness.mint("m1").status, harness.mint("m1").waiting) == (MintStatus.ACCEPTED, ISSUER_REVOKED)

    harness.chain.issues = True
    harness.now += ROLE_AGE
    await builder.build("m1")

    assert (harness.mint("m1").status, harness.mint("m1").waiting) == (MintStatus.BUILT, None)
    assert [type(message) for message in harness.messages()] == [SignMint]


async def test_build__when_the_reason_to_wait_is_the_same__then_the_record_is_not_written_again(
    harness: Harness, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.accept("m1", waiting=COLLECTION_PAUSED)
    harness.chain.reverts[harness.contract] = PAUSED
    monkeypatch.setattr(harness.mints, "wait", lambda *_: pytest.fail("the record is written again"))

    await builder.build("m1")

    assert harness.mint("m1").waiting == COLLECTION_PAUSED


async def test_build__when_a_mint_has_waited_for_its_time__then_it_is_rejected_with_the_reason(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1")
    harness.chain.reverts[harness.contract] = PAUSED
    await builder.build("m1")
    harness.now += DAY

    await builder.build("m1")

    problem = harness.mint("m1").problem
    assert harness.mint("m1").status is MintStatus.REJECTED
    assert problem is not None
    assert problem.code == "collection_paused"
    assert problem.reason == "The collection is paused, for 24 hours. Mint again later."


async def test_build__when_a_waiting_mint_is_cancelled_meanwhile__then_it_stays_cancelled(
    harness: Harness, builder: Builder
) -> None:
    mint = harness.accept("m1")
    harness.chain.reverts[harness.contract] = PAUSED
    get = harness.mints.get

    async def cancelled_after_the_read(mint_id: str) -> object:
        operation = await get(mint_id)
        harness.tables.mints["m1"] = mint.evolve(status=MintStatus.REJECTED)
        return operation

    harness.mints.get = cancelled_after_the_read  # type: ignore[method-assign,assignment]

    with pytest.raises(Conflict):
        await builder.build("m1")

    assert harness.mint("m1").status is MintStatus.REJECTED
    assert harness.mint("m1").waiting is None


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 11 * 3600.0])
async def test_deadline__when_the_chains_clock_is_another__then_it_counts_from_the_chains_time(
    harness: Harness, builder: Builder, ahead: float
) -> None:
    harness.accept("m1")
    harness.chain_ahead = ahead

    await builder.build("m1")

    assert harness.mint("m1").deadline == int(harness.now + ahead) + TTL


@pytest.mark.parametrize("ahead", [-DAY, DAY])
async def test_deadline__when_the_chains_clock_is_too_far_off__then_the_mint_waits(
    harness: Harness, builder: Builder, ahead: float
) -> None:
    harness.accept("m1")
    harness.chain_ahead = ahead

    await builder.build("m1")

    assert (harness.mint("m1").status, harness.mint("m1").waiting) == (MintStatus.ACCEPTED, CHAIN_TIME_SKEWED)
    assert builder.count("chain_time_skew") == ahead
