"""The pool of relayers: who sends the next batch, and what the treasury sends them."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from structlog.testing import capture_logs

from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.errors import Deferred
from mintline.eth import ETHER
from mintline.messages.intents import SignTopUp
from mintline.records.transactions import Transaction
from mintline.states import TransactionState
from mintline_builder.funding_policy import Refill
from mintline_builder.waiting import RELAYER_EMPTY, RELAYER_NOT_ALLOWED
from mintline_testkit.builder.harness import Builder, Harness, address, key

POOL = ("relayer", "relayer 2", "relayer 3")


@pytest.fixture
def pool(harness: Harness) -> Harness:
    """Three relayers that can all pay."""
    harness.relayers = tuple(map(key, POOL))
    for name in POOL:
        harness.chain.balances[address(name)] = 100 * ETHER
    return harness


def accept(harness: Harness, name: str) -> str:
    harness.accept(name, custody="sponsored")
    return name


def batches(harness: Harness) -> list[Transaction]:
    return [
        transaction for transaction in harness.tables.transactions.values() if transaction.kind == "batch"
    ]


def top_ups(harness: Harness) -> list[tuple[str, int]]:
    payloads = [
        transaction.top_up
        for transaction in harness.tables.transactions.values()
        if transaction.top_up is not None
    ]
    return [(payload.recipient, payload.value) for payload in payloads]


def senders(harness: Harness) -> Counter[str]:
    by_address = {address(name): name for name in POOL}
    return Counter(by_address[batch.signer.address] for batch in batches(harness))


async def build_one_by_one(builder: Builder, harness: Harness, count: int, *, first: int = 0) -> None:
    for number in range(first, first + count):
        await builder.build(accept(harness, f"m{number}"))


async def test_pool__when_batches_come_one_by_one__then_each_relayer_sends_as_many(pool: Harness) -> None:
    await build_one_by_one(pool.builder(), pool, 9)

    assert senders(pool) == dict.fromkeys(POOL, 3)
    nonces = {name: {batch.nonce for batch in batches(pool) if batch.signer == key(name)} for name in POOL}
    assert nonces == {name: {0, 1, 2} for name in POOL}


async def test_pool__when_one_has_transactions_open__then_those_with_fewer_come_first(pool: Harness) -> None:
    builder = pool.builder()
    await build_one_by_one(builder, pool, 6)
    pool.mine("relayer 2")
    pool.mine("relayer 3")

    await build_one_by_one(builder, pool, 4, first=6)

    assert senders(pool) == {"relayer": 2, "relayer 2": 4, "relayer 3": 4}


async def test_pool__when_batches_are_made_at_once__then_they_are_spread(pool: Harness) -> None:
    pool.max_batch = 1
    builder = pool.builder()
    names = [accept(pool, f"m{number}") for number in range(6)]

    await asyncio.gather(*map(builder.build, names))

    assert senders(pool) == dict.fromkeys(POOL, 2)


async def test_pool__when_one_cannot_pay__then_it_is_passed_over(pool: Harness) -> None:
    pool.chain.balances[address("relayer")] = 5

    await build_one_by_one(pool.builder(), pool, 4)

    assert senders(pool) == {"relayer 2": 2, "relayer 3": 2}


async def test_pool__when_none_can_pay__then_mints_wait_and_say_why(pool: Harness) -> None:
    for name in POOL:
        pool.chain.balances[address(name)] = 5

    with capture_logs() as logs:
        await build_one_by_one(pool.builder(), pool, 1)

    assert pool.mint("m0").waiting == RELAYER_EMPTY
    assert sum(entry["event"] == "relayer_low" for entry in logs) == len(POOL)
    assert top_ups(pool) == []


async def test_pool__when_all_their_ether_is_for_open_batches__then_the_next_is_deferred(
    pool: Harness,
) -> None:
    builder = pool.builder()
    await build_one_by_one(builder, pool, 3)
    [gas] = {batch.gas for batch in batches(pool)}
    for name in POOL:
        pool.chain.balances[address(name)] = gas * 3 * 10**9 * 3 // 2

    with pytest.raises(Deferred):
        await builder.build(accept(pool, "late"))

    assert pool.mint("late").waiting is None
    for name in POOL:
        pool.mine(name)
    await builder.build("late")
    assert len(batches(pool)) == 4


async def test_pool__when_a_collection_refuses_one_relayer__then_the_others_send(pool: Harness) -> None:
    refused = CallReverted(Revert("AccessControlUnauthorizedAccount", {}), "no role")
    pool.chain.barred = {address("relayer"): refused}
    builder = pool.builder()

    await build_one_by_one(builder, pool, 4)
    simulated = Counter(call.sender for call, _ in pool.chain.estimates)
    pool.chain.barred = {address(name): refused for name in POOL}
    await build_one_by_one(builder, pool, 1, first=4)

    assert senders(pool) == {"relayer 2": 2, "relayer 3": 2}
    assert simulated[address("relayer")] == 1
    assert pool.mint("m4").waiting == RELAYER_NOT_ALLOWED


async def test_pool__when_balances_are_read_often__then_each_is_logged_once_a_minute(pool: Harness) -> None:
    builder = pool.builder()
    pool.now += 60
    with capture_logs() as logs:
        for number in range(4):
            pool.now += 20
            await build_one_by_one(builder, pool, 1, first=number)

    logged = [(entry["address"], entry["balance"]) for entry in logs if entry["event"] == "relayer_balance"]
    assert Counter(logged) == {(address(name), str(100 * ETHER)): 2 for name in POOL}
    for name in POOL:
        gauges = (builder.metrics.relayer_balance, builder.metrics.relayer_batches_left)
        balance, left = (gauge.labels(address(name))._value.get() for gauge in gauges)
        assert balance == 100 * ETHER
        assert left > 1000


async def test_refill__when_a_relayer_is_below_its_threshold__then_the_treasury_tops_it_up_once(
    pool: Harness,
) -> None:
    pool.refill = Refill(below=10 * ETHER, target=10 * ETHER + ETHER // 2)
    pool.chain.balances[address("relayer 2")] = 10 * ETHER - 1
    builder, other = pool.builder(), pool.builder()

    await build_one_by_one(builder, pool, 2)
    await build_one_by_one(other, pool, 2, first=2)

    assert top_ups(pool) == [(address("relayer 2"), ETHER // 2 + 1)]
    assert pool.top_up("relayer 2").signer == key("treasury")
    assert pool.account("relayer 2").gas_given == 0


async def test_refill__when_its_top_up_is_lost__then_it_is_sent_again_from_the_record(pool: Harness) -> None:
    pool.refill = Refill(below=100 * ETHER + 1, target=101 * ETHER)
    pool.relayers = (key("relayer"),)
    await build_one_by_one(pool.builder(), pool, 1)
    [before] = [message for message in pool.messages() if isinstance(message, SignTopUp)]
    pool.outbox.sent.clear()
    pool.outbox.seen.clear()

    pool.now += 10
    await build_one_by_one(pool.builder(), pool, 1, first=1)

    assert [message for message in pool.messages() if isinstance(message, SignTopUp)] == [before]
    assert len(top_ups(pool)) == 1


async def test_refill__when_the_last_one_did_not_arrive__then_the_next_is_a_minute_later(
    pool: Harness,
) -> None:
    pool.refill = Refill(below=ETHER, target=2 * ETHER)
    pool.relayers = (key("relayer"),)
    pool.chain.balances[address("relayer")] = 0
    builder = pool.builder()
    with pytest.raises(Deferred):
        await builder.build(accept(pool, "m0"))
    pool.mine("treasury")
    pool.move("treasury", 0, state=TransactionState.FINAL, outcome="used")

    pool.now += 30
    await builder.build("m0")
    assert (len(top_ups(pool)), pool.mint("m0").waiting) == (1, RELAYER_EMPTY)

    pool.now += 31
    with pytest.raises(Deferred):
        await builder.build("m0")
    assert top_ups(pool) == [(address("relayer"), ETHER)] * 2


async def test_refill__when_the_treasury_is_empty__then_batches_of_those_that_can_pay_go_on(
    pool: Harness,
) -> None:
    pool.refill = Refill(below=200 * ETHER, target=300 * ETHER)
    pool.chain.balances[address("treasury")] = 0
    builder = pool.builder()

    await build_one_by_one(builder, pool, 3)

    assert senders(pool) == dict.fromkeys(POOL, 1)
    assert top_ups(pool) == []
    assert builder.count("treasury_low") > 0


async def test_refill__when_a_node_refuses_a_relayers_transaction__then_it_is_filled_to_its_target_at_most(
    pool: Harness,
) -> None:
    pool.refill = Refill(below=1, target=ETHER // 2)
    pool.chain.balances[address("relayer")] = ETHER // 4

    await pool.builder().fund(address("relayer"), 10**30)

    assert top_ups(pool) == [(address("relayer"), ETHER // 4)]
