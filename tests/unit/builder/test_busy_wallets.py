"""Gas money of wallets that send many at once: top-ups for all that wait, and before money is lacking."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from mintline.clock import UnixSeconds
from mintline.errors import Deferred
from mintline.messages.intents import SignTopUp
from mintline.states import MintStatus
from mintline_builder.funding_policy import BUSY, RECENT, REMEMBERED, Demand, FundingCheck, TopUpPolicy
from mintline_builder.waiting import TREASURY_EMPTY
from mintline_testkit.builder.harness import Builder, Harness

COST = 120_000 * 3 * 10**9
"""Of one mint at the prices of the memory chain: gas limit times fee cap."""


def top_ups(harness: Harness) -> list[int]:
    return [message.value for message in harness.messages() if isinstance(message, SignTopUp)]


async def built_busy(harness: Harness, builder: Builder, count: int, *, balance: int) -> None:
    """Have a wallet send so many mints, none of which is mined, with the balance of so many in all."""
    harness.chain.balances[harness.address("bob")] = balance * COST
    for number in range(count):
        harness.accept(f"m{number}", sender="bob")
        await builder.build(f"m{number}")


async def test_build__when_more_mints_wait_than_a_top_up_pays_for__then_it_brings_gas_for_all(
    harness: Harness, builder: Builder
) -> None:
    for number in range(30):
        harness.accept(f"m{number}", sender="bob")
    harness.accept("other", sender="carol")

    calls = (builder.build(name) for name in ("other", *(f"m{number}" for number in range(30))))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(outcome, Deferred) for outcome in outcomes)
    assert sorted(top_ups(harness)) == [20 * COST, 30 * COST]


async def test_build__when_a_busy_wallet_can_pay_for_less_than_as_many_more__then_it_is_topped_up_ahead(
    harness: Harness, builder: Builder
) -> None:
    await built_busy(harness, builder, BUSY, balance=40)
    assert top_ups(harness) == []

    harness.accept("next", sender="bob")
    await builder.build("next")

    assert harness.mint("next").status is MintStatus.BUILT
    assert top_ups(harness) == [2 * (2 * (BUSY + 1) - 40) * COST]


async def test_build__when_a_top_up_ahead_is_under_way__then_no_second_one_is_made(
    harness: Harness, builder: Builder
) -> None:
    await built_busy(harness, builder, BUSY + 1, balance=40)
    harness.now += 1

    harness.accept("next", sender="bob")
    await builder.build("next")

    assert len(top_ups(harness)) == 1


async def test_build__when_a_busy_wallet_has_enough__then_it_is_not_topped_up(
    harness: Harness, builder: Builder
) -> None:
    await built_busy(harness, builder, BUSY + 2, balance=2 * BUSY + 4)

    assert top_ups(harness) == []


@pytest.mark.parametrize("treasury", [0, 10 * COST])
async def test_build__when_the_treasury_cannot_pay_ahead__then_the_mint_is_built_all_the_same(
    harness: Harness, builder: Builder, treasury: int
) -> None:
    harness.chain.balances[harness.address("treasury")] = treasury

    await built_busy(harness, builder, BUSY + 1, balance=40)

    assert harness.mint(f"m{BUSY}").status is MintStatus.BUILT
    assert top_ups(harness) == []


def test_demand__when_an_operation_waits_again__then_it_counts_once_and_no_longer_than_it_waits() -> None:
    now = 1000.0
    demand = Demand(clock=lambda: UnixSeconds(now))
    demand.note("bob", "m1")
    demand.note("bob", "m2")
    demand.note("carol", "m3")
    demand.note("bob", "m1")
    assert demand.of("bob") == 2

    now += RECENT / 2
    demand.note("bob", "m1")
    now += RECENT / 2 + 0.1
    assert (demand.of("bob"), demand.of("carol")) == (1, 0)


def test_demand__when_very_many_wait__then_the_oldest_are_forgotten() -> None:
    demand = Demand(clock=lambda: UnixSeconds(1000.0))
    for number in range(REMEMBERED + 5):
        demand.note("bob", f"m{number}")
    assert demand.of("bob") == REMEMBERED


async def build_at_once(harness: Harness, builder: Builder, sender: str, count: int) -> None:
    names = [harness.accept(f"{sender}-{number}", sender=sender).mint_id for number in range(count)]
    outcomes = await asyncio.gather(*map(builder.build, names), return_exceptions=True)
    assert all(outcome is None or isinstance(outcome, Deferred) for outcome in outcomes)


def test_value__when_very_many_wait__then_it_pays_for_no_more_than_the_most_mints() -> None:
    policy = TopUpPolicy(mints=20, max_mints=100, max_value=10**6, max_cost=10**6, day_budget=10**9)
    funding = FundingCheck(required=3 * 10, balance=0, cost=10, waiting=500)
    assert policy.value(funding, None, 1000.0) == (3 + 99) * 10


async def test_build__when_the_treasury_cannot_pay_for_all_that_wait__then_it_pays_for_as_many_as_usual(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.balances[harness.address("treasury")] = 50 * COST

    await build_at_once(harness, builder, "bob", 60)

    assert top_ups(harness) == [20 * COST]
    assert harness.account("bob").gas_given == 20 * COST
    assert builder.count("treasury_low") == 0
    assert {harness.mint(f"bob-{number}").waiting for number in range(60)} == {None}


async def test_build__when_small_top_ups_are_in_flight__then_a_large_one_takes_them_for_what_they_are(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.balances[harness.address("treasury")] = 300 * COST
    for number in range(10):
        await build_at_once(harness, builder, f"user{number}", 1)

    await build_at_once(harness, builder, "bob", 60)

    assert top_ups(harness) == [*[20 * COST] * 10, 60 * COST]


async def test_build__when_a_large_top_up_is_in_flight__then_a_small_one_takes_it_for_what_it_is(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.balances[harness.address("treasury")] = 70 * COST
    await build_at_once(harness, builder, "bob", 60)

    await build_at_once(harness, builder, "carol", 1)

    assert top_ups(harness) == [60 * COST]
    assert harness.mint("carol-0").waiting == TREASURY_EMPTY

    harness.mine("treasury")
    await build_at_once(harness, builder, "carol", 1)
    assert top_ups(harness) == [60 * COST, 20 * COST]


async def test_treasury__when_a_top_up_is_large__then_what_is_left_is_measured_by_the_usual_one(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.balances[harness.address("treasury")] = 2500 * COST

    await build_at_once(harness, builder, "bob", 60)

    assert top_ups(harness) == [60 * COST]
    assert harness.notices.by_id == {}


async def test_fund__when_a_node_refuses_one_of_many__then_what_is_left_is_measured_by_the_usual_one(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.balances[harness.address("treasury")] = 2500 * COST
    await build_at_once(harness, builder, "carol", 1)
    await built_busy(harness, builder, 60, balance=200)
    harness.chain.balances[harness.address("bob")] = 0

    await builder.fund(harness.address("bob"), required=COST)

    assert top_ups(harness) == [20 * COST, 120 * COST]
    assert harness.notices.by_id == {}


async def test_build__when_the_treasury_cannot_pay_ahead__then_nothing_is_reported(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.balances[harness.address("treasury")] = 0

    with capture_logs() as logs:
        await built_busy(harness, builder, BUSY + 1, balance=40)
    await builder.aclose()

    assert "top_up_not_ahead" in {entry["event"] for entry in logs}
    assert "treasury_low" not in {entry["event"] for entry in logs}
    assert builder.count("treasury_low") == 0
    assert harness.notices.by_id == {}
