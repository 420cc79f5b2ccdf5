"""Operators are told once a day that a relayer or the treasury runs low, whatever the number of copies."""

from __future__ import annotations

import pytest

from mintline.clock import DAY
from mintline.errors import Deferred, Unavailable
from mintline.eth import ETHER, GWEI
from mintline.notices import LOW_PAYMENTS, Notice, RelayerLow, TreasuryLow
from mintline_builder.funding_policy import Refill
from mintline_testkit.builder.harness import Harness, address


def notices_of(harness: Harness) -> list[Notice]:
    return list(harness.notices.by_id.values())


def accept(harness: Harness, name: str) -> str:
    harness.accept(name, custody="sponsored")
    return name


async def cost_of_a_batch(harness: Harness) -> int:
    await harness.builder().build(accept(harness, "measures"))
    [batch] = [
        transaction for transaction in harness.tables.transactions.values() if transaction.kind == "batch"
    ]
    return batch.gas * batch.fees.max_fee_per_gas


async def test_relayer__when_it_can_pay_for_few_batches__then_told_once_a_day_over_all_copies(
    harness: Harness,
) -> None:
    cost = await cost_of_a_batch(harness)
    assert notices_of(harness) == []
    harness.chain.balances[address("relayer")] = LOW_PAYMENTS * cost - 1
    at = int(harness.now) * 1000
    this, other = harness.builder(), harness.builder()
    for number, builder in enumerate((this, this, other)):
        await builder.build(accept(harness, f"m{number}"))
    low = RelayerLow(
        chain_id=harness.key("relayer").chain_id,
        address=address("relayer"),
        balance=LOW_PAYMENTS * cost - 1,
        batches_left=LOW_PAYMENTS - 1,
        at=at,
    )
    assert notices_of(harness) == [low]

    harness.now += DAY
    await this.build(accept(harness, "tomorrow"))
    assert notices_of(harness) == [low, low.evolve(at=at + DAY * 1000)]


async def test_relayer__when_it_can_pay_for_enough__then_nobody_is_told(harness: Harness) -> None:
    cost = await cost_of_a_batch(harness)
    harness.chain.balances[address("relayer")] = LOW_PAYMENTS * cost
    await harness.builder().build(accept(harness, "m0"))
    assert notices_of(harness) == []


async def test_relayer__when_the_treasury_sends_it_ether__then_nobody_is_told(harness: Harness) -> None:
    harness.refill = Refill(below=ETHER, target=2 * ETHER)
    harness.chain.balances[address("relayer")] = 0
    builder = harness.builder()
    with pytest.raises(Deferred):
        await builder.build(accept(harness, "m0"))
    assert notices_of(harness) == []

    # The treasury cannot: both run low.
    harness.now += 3600
    harness.chain.balances[address("treasury")] = 0
    harness.mine("treasury")
    await builder.build("m0")
    assert [notice.type for notice in notices_of(harness)] == ["treasury.low", "relayer.low"]


async def test_relayer__when_the_notice_cannot_be_written__then_batches_go_on_and_the_next_one_tells(
    harness: Harness,
) -> None:
    cost = await cost_of_a_batch(harness)
    harness.chain.balances[address("relayer")] = 50 * cost
    harness.notices.failure = Unavailable("no answer")
    builder = harness.builder()
    await builder.build(accept(harness, "m0"))
    assert harness.mint("m0").nonce is not None
    assert notices_of(harness) == []
    harness.notices.failure = None
    await builder.build(accept(harness, "m1"))
    assert [notice.type for notice in notices_of(harness)] == ["relayer.low"]


async def test_treasury__when_it_can_pay_for_few_top_ups__then_told_once_with_what_is_left(
    harness: Harness,
) -> None:
    balance = ETHER // 2
    harness.chain.balances[address("treasury")] = balance
    for name in ("alice", "bob"):
        harness.chain.balances[address(name)] = 0
        with pytest.raises(Deferred):
            await harness.builder().build(harness.accept(f"of-{name}", sender=name).mint_id)
    [low] = notices_of(harness)
    assert isinstance(low, TreasuryLow)
    assert (low.address, low.balance) == (address("treasury"), balance)
    sent = harness.top_up("alice")
    assert sent.top_up is not None
    cost = sent.top_up.value + sent.gas * sent.fees.max_fee_per_gas
    assert low.top_ups_left == balance // cost - 1 < LOW_PAYMENTS


@pytest.mark.parametrize("balance", [0, GWEI])
async def test_treasury__when_it_cannot_pay__then_told_that_nothing_is_left(
    harness: Harness, balance: int
) -> None:
    harness.chain.balances[address("treasury")] = balance
    harness.chain.balances[address("alice")] = 0
    builder = harness.builder()
    await builder.build(harness.accept("m0").mint_id)
    await builder.aclose()
    [low] = notices_of(harness)
    assert isinstance(low, TreasuryLow)
    assert (low.balance, low.top_ups_left) == (balance, 0)
