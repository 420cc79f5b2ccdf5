"""Gas money: who waits, who is topped up, how often and by how much."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from mintline.chain.answers import FeeMarket
from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.clock import DAY
from mintline.errors import Conflict, Deferred, Rejected, Unavailable
from mintline.eth import ETHER
from mintline.kinds import meaning_of
from mintline.messages.intents import SignMint, SignTopUp
from mintline.messages.parts import Fees, KeyRef
from mintline.records.transactions import TopUpPayload, Transaction
from mintline.resources import SIGN
from mintline.states import MintStatus, TransactionState
from mintline_builder.claims import OperationClaim, TopUpClaim
from mintline_builder.funding_policy import FundingCheck, TopUpPolicy
from mintline_builder.ports import Account
from mintline_builder.waiting import COLLECTION_PAUSED, GAS_ABOVE_BOUND, TREASURY_EMPTY
from mintline_testkit.builder.harness import Builder, Harness, accepted_mint

COST = 120_000 * 3 * 10**9
"""Of one mint at the prices of the memory chain: gas limit times fee cap."""


async def build_deferred(builder: Builder, *mint_ids: str) -> None:
    for mint_id in mint_ids:
        with pytest.raises(Deferred):
            await builder.build(mint_id)


async def test_build__when_the_wallet_is_empty__then_it_is_topped_up_and_the_mint_waits(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="bob")

    with pytest.raises(Deferred) as deferred:
        await builder.build("m1")

    assert deferred.value.retry_after == 1
    assert harness.mint("m1").status is MintStatus.ACCEPTED
    [(queue, intent, group)] = harness.outbox.sent
    assert (queue, group) == (SIGN, harness.address("treasury"))
    assert isinstance(intent, SignTopUp)
    assert intent.signer == harness.key("treasury")
    assert intent.recipient == harness.address("bob")
    assert (intent.nonce, intent.gas, intent.value) == (0, 25_200, 20 * COST)
    recorded = harness.top_up("bob")
    assert (recorded.nonce, recorded.signer, recorded.gas) == (0, harness.key("treasury"), 25_200)
    assert recorded.top_up == TopUpPayload(recipient=harness.address("bob"), value=20 * COST)
    assert recorded.meaning == meaning_of(intent)
    assert harness.next_nonce("treasury") == 1
    assert builder.count("top_ups") == 1


async def test_top_up__when_the_chain_prices_new_accounts__then_a_new_wallets_top_up_gets_the_gas_for_it(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.new_account_gas = 183_600
    harness.chain.balances[harness.address("carol")] = 1
    for name in ("bob", "carol"):
        harness.accept(f"m-{name}", sender=name)
        await build_deferred(builder, f"m-{name}")

    limits = {m.recipient: m.gas for m in harness.messages() if isinstance(m, SignTopUp)}
    assert limits == {harness.address("bob"): 245_520, harness.address("carol"): 25_200}


async def test_top_up__when_it_needs_more_gas_than_allowed__then_the_mint_waits_until_the_bound_is_raised(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.transfer_gas = 500_000
    harness.accept("m1", sender="bob")

    await builder.build("m1")

    assert (harness.mint("m1").status, harness.mint("m1").waiting) == (MintStatus.ACCEPTED, GAS_ABOVE_BOUND)
    assert harness.messages() == []


async def test_top_up__when_the_node_refuses_to_estimate_it__then_the_mint_waits(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="bob")
    harness.chain.reverts[harness.address("bob")] = CallReverted(None, "no")

    with pytest.raises(Unavailable, match="cannot be estimated"):
        await builder.build("m1")

    assert harness.mint("m1").status is MintStatus.ACCEPTED


async def test_top_up__when_the_treasury_pays_for_its_gas__then_the_estimate_counts(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.new_account_gas = 183_600
    price = 3 * 10**9
    harness.chain.balances[harness.address("treasury")] = 20 * COST + 245_520 * price - 1
    harness.accept("m1", sender="bob")

    await builder.build("m1")
    assert harness.mint("m1").waiting == TREASURY_EMPTY
    harness.chain.balances[harness.address("treasury")] += 1
    await build_deferred(builder, "m1")

    assert len(harness.messages()) == 1


async def test_build__when_a_top_up_is_pending__then_no_second_one_is_made(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="bob")
    harness.accept("m2", sender="bob")

    await build_deferred(builder, "m1", "m2", "m1")
    await build_deferred(harness.builder(), "m1")

    assert harness.next_nonce("treasury") == 1
    assert len(harness.messages()) == 1


async def test_build__when_many_mints_of_one_wallet_wait__then_they_share_one_top_up(
    harness: Harness, builder: Builder
) -> None:
    for i in range(10):
        harness.accept(f"m{i}", sender="bob")

    outcomes = await asyncio.gather(*(builder.build(f"m{i}") for i in range(10)), return_exceptions=True)

    assert all(isinstance(outcome, Deferred) for outcome in outcomes)
    assert harness.next_nonce("treasury") == 1


async def test_build__when_many_wallets_are_empty__then_their_treasury_nonces_share_transactions(
    harness: Harness, builder: Builder
) -> None:
    for i in range(50):
        harness.accept(f"m{i}", sender=f"user-{i}")

    await asyncio.gather(*(builder.build(f"m{i}") for i in range(50)), return_exceptions=True)

    nonces = [message.nonce for message in harness.messages() if isinstance(message, SignTopUp)]
    assert sorted(nonces) == list(range(50))
    assert len(harness.accounts.commits) <= 3


async def test_build__when_the_top_up_has_arrived__then_the_mint_goes_on(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="bob")
    await build_deferred(builder, "m1")
    harness.mine("treasury")
    harness.chain.balances[harness.address("bob")] = 20 * COST

    await builder.build("m1")

    assert [type(message) for message in harness.messages()] == [SignTopUp, SignMint]
    assert harness.next_nonce("bob") == 1


async def test_build__when_a_settled_top_up_was_not_enough__then_another_replaces_it(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="bob")
    await build_deferred(builder, "m1")
    harness.mine("treasury")
    harness.chain.counts[harness.address("bob")] = 20  # and they have spent it

    await build_deferred(builder, "m1")

    recorded = harness.top_up("bob")
    payload = TopUpPayload(recipient=harness.address("bob"), value=40 * COST, recipient_count=20)
    assert (recorded.nonce, recorded.top_up) == (1, payload)
    assert [message.nonce for message in harness.messages() if isinstance(message, SignTopUp)] == [0, 1]


async def test_build__when_a_noop_took_the_top_ups_nonce__then_the_next_try_waits_a_minute(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="bob")
    await build_deferred(builder, "m1")
    harness.mine("treasury")
    harness.now += 59

    with pytest.raises(Deferred, match="never arrived"):
        await builder.build("m1")
    assert harness.next_nonce("treasury") == 1
    harness.now += 2
    await build_deferred(builder, "m1")

    assert [message.nonce for message in harness.messages() if isinstance(message, SignTopUp)] == [0, 1]


async def test_build__when_a_top_up_arrived_but_is_not_enough_any_more__then_another_follows_at_once(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="bob")
    await build_deferred(builder, "m1")
    harness.mine("treasury")
    harness.chain.balances[harness.address("bob")] = 20 * COST
    harness.chain.market = FeeMarket(base_fee=100 * 10**9, priority_fee=10**9)

    await build_deferred(builder, "m1")

    assert harness.next_nonce("treasury") == 2


async def test_top_up__when_the_money_arrived_after_the_need_was_read__then_no_more_is_sent(
    harness: Harness, builder: Builder
) -> None:
    bob = harness.address("bob")
    funding = await builder.funds.check(bob, COST)
    await builder.funds.top_up(bob, funding)
    harness.mine("treasury")
    harness.chain.balances[bob] = 20 * COST

    await builder.funds.top_up(bob, funding)

    assert harness.next_nonce("treasury") == 1


async def test_build__when_a_pending_top_up_is_old__then_the_same_one_is_sent_again(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="bob")
    await build_deferred(builder, "m1")
    harness.outbox.seen.clear()
    harness.now += 4
    await build_deferred(builder, "m1")
    assert len(harness.messages()) == 1
    harness.now += 2

    await build_deferred(builder, "m1", "m1")

    first, second = harness.messages()
    assert first == second


async def test_build__when_mints_in_flight_have_spent_the_balance__then_the_next_one_waits(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.balances[harness.address("bob")] = 3 * COST
    for i in range(4):
        harness.accept(f"m{i}", sender="bob")

    outcomes = await asyncio.gather(*(builder.build(f"m{i}") for i in range(4)), return_exceptions=True)

    assert sum(isinstance(outcome, Deferred) for outcome in outcomes) == 1
    assert harness.next_nonce("bob") == 3


async def test_build__when_mints_in_flight_are_mined__then_they_count_no_more(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.balances[harness.address("bob")] = COST
    harness.accept("m1", sender="bob")
    harness.accept("m2", sender="bob")
    await builder.build("m1")
    harness.mine("bob")

    await builder.build("m2")

    assert harness.next_nonce("bob") == 2


async def test_build__when_the_treasury_is_low__then_the_mint_waits_and_no_nonce_is_burned(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.balances[harness.address("treasury")] = COST
    harness.accept("m1", sender="bob")

    await builder.build("m1")

    assert (harness.mint("m1").status, harness.mint("m1").waiting) == (MintStatus.ACCEPTED, TREASURY_EMPTY)
    assert harness.tables.accounts == {}
    assert harness.messages() == []
    assert builder.count("treasury_low") == 1


async def test_treasury__when_it_pays_for_top_ups__then_the_log_says_once_a_minute_how_many_are_left(
    harness: Harness, builder: Builder
) -> None:
    left: list[int] = []
    with capture_logs() as logs:
        for name in ("bob", "carol"):
            harness.accept(f"m-{name}", sender=name)
            await build_deferred(builder, f"m-{name}")
        left += [entry["top_ups_left"] for entry in logs if entry["event"] == "treasury_balance"]
        harness.now += 60
        harness.accept("m-dave", sender="dave")
        await build_deferred(builder, "m-dave")
    entries = [entry for entry in logs if entry["event"] == "treasury_balance"]
    assert len(left) == 1
    assert [entry["top_ups_left"] for entry in entries] == [left[0], left[0] - 2]
    assert {entry["balance"] for entry in entries} == {
        str(harness.chain.balances[harness.address("treasury")])
    }


async def test_build__when_the_mint_has_to_wait_and_the_wallet_is_empty__then_no_money_is_sent(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="bob")
    await build_deferred(builder, "m1")
    harness.accept("m2", sender="carol")
    harness.chain.reverts[harness.contract] = CallReverted(Revert("EnforcedPause", {}), "EnforcedPause()")

    await builder.build("m2")

    assert harness.mint("m2").waiting == COLLECTION_PAUSED
    assert harness.address("carol") not in harness.tables.accounts


def put_on_record(harness: Harness, name: str, nonce: int) -> None:
    """Put a transaction of a sender on record."""
    fees = Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1)
    claim = OperationClaim(accepted_mint("m", sender=name), deadline=1, gas=1, fees=fees, at=1)
    transaction = claim.transaction(nonce)
    harness.tables.transactions[transaction.key] = transaction


def in_flight(harness: Harness, name: str, count: int = 1, *, mined: int = 0) -> None:
    """Put a wallet on record whose last `count` transactions are not mined."""
    for nonce in range(mined + count):
        put_on_record(harness, name, nonce)
    harness.chain.counts[harness.address(name)] = mined


async def test_fund__when_the_wallet_lacks_the_money__then_it_is_topped_up(
    harness: Harness, builder: Builder
) -> None:
    in_flight(harness, "bob")

    await builder.fund(harness.address("bob"), required=5 * COST)

    [intent] = harness.messages()
    assert isinstance(intent, SignTopUp)
    assert (intent.recipient, intent.value) == (harness.address("bob"), 10 * COST)


async def test_fund__when_later_nonces_are_in_flight_too__then_they_are_paid_for_as_well(
    harness: Harness, builder: Builder
) -> None:
    # A node counts all that waits in its pool: enough for the first nonce alone is not enough.
    in_flight(harness, "bob", 3, mined=4)
    harness.chain.balances[harness.address("bob")] = COST

    await builder.fund(harness.address("bob"), required=COST)

    [intent] = harness.messages()
    assert isinstance(intent, SignTopUp)
    assert intent.value == 2 * (3 * COST - COST)


async def test_fund__when_the_wallet_is_rich_by_now__then_nothing_happens(
    harness: Harness, builder: Builder
) -> None:
    in_flight(harness, "bob")
    harness.chain.balances[harness.address("bob")] = 5 * COST

    await builder.fund(harness.address("bob"), required=5 * COST)

    assert harness.messages() == []


async def test_fund__when_the_node_counts_what_nobody_knows_of__then_more_comes_until_it_is_enough(
    harness: Harness, builder: Builder
) -> None:
    # A replacement with higher fees in the node's pool, or a stranger's transaction with the same key.
    bob = harness.address("bob")
    in_flight(harness, "bob")
    harness.chain.balances[bob] = 3 * COST

    await builder.fund(bob, required=COST, balance=3 * COST)

    [intent] = harness.messages()
    assert isinstance(intent, SignTopUp)
    assert (intent.recipient, intent.value) == (bob, 2 * COST)


async def test_fund__when_the_top_up_came_after_the_refusal__then_nothing_happens(
    harness: Harness, builder: Builder
) -> None:
    in_flight(harness, "bob")
    harness.chain.balances[harness.address("bob")] = 5 * COST

    await builder.fund(harness.address("bob"), required=COST, balance=3 * COST)

    assert harness.messages() == []


async def test_fund__when_the_poor_wallet_is_the_treasury_itself__then_it_is_only_reported(
    harness: Harness, builder: Builder
) -> None:
    in_flight(harness, "treasury")
    harness.chain.balances[harness.address("treasury")] = 0

    await builder.fund(harness.address("treasury"), required=COST)

    assert harness.messages() == []
    assert builder.count("treasury_low") == 1


@pytest.mark.parametrize("account", [None, Account()], ids=["without a record", "without a nonce"])
async def test_fund__when_no_nonce_of_the_wallet_was_ever_reserved__then_it_is_refused(
    harness: Harness, builder: Builder, account: Account | None
) -> None:
    thief = harness.address("thief")
    if account is not None:
        harness.tables.accounts[thief] = account

    with pytest.raises(Rejected, match=f"wallet_unknown: Field wallet: {thief} is no wallet on record"):
        await builder.fund(thief, required=COST)

    assert harness.messages() == []


async def test_fund__when_all_of_the_wallets_transactions_are_mined__then_it_gets_nothing(
    harness: Harness, builder: Builder
) -> None:
    in_flight(harness, "bob", 0, mined=3)

    with pytest.raises(Conflict):
        await builder.fund(harness.address("bob"), required=COST)

    assert harness.messages() == []


async def test_fund__when_another_copy_has_reserved_since__then_its_reservations_count(
    harness: Harness, builder: Builder
) -> None:
    in_flight(harness, "bob", 0, mined=1)
    assert await builder.reserver.next_nonce(harness.address("bob"), mined=1) == 1
    in_flight(harness, "bob", 2, mined=1)

    await builder.fund(harness.address("bob"), required=COST)

    [intent] = harness.messages()
    assert isinstance(intent, SignTopUp)
    assert intent.value == 4 * COST


async def test_fund__when_it_asks_for_more_than_a_transaction_may_cost__then_it_is_refused(
    harness: Harness, builder: Builder
) -> None:
    in_flight(harness, "bob")
    await builder.fund(harness.address("bob"), required=ETHER)

    with pytest.raises(Rejected, match="funding_above_limit: Field required: 1000000000000000001 wei"):
        await builder.fund(harness.address("bob"), required=ETHER + 1)

    assert len(harness.messages()) == 1


async def test_fund__when_it_names_a_balance_that_the_wallet_has_not__then_that_does_not_count(
    harness: Harness, builder: Builder
) -> None:
    in_flight(harness, "bob")
    harness.chain.balances[harness.address("bob")] = COST

    await builder.fund(harness.address("bob"), required=COST, balance=ETHER)

    [intent] = harness.messages()
    assert isinstance(intent, SignTopUp)
    assert intent.value == 2 * COST


POLICY = TopUpPolicy(mints=20, max_mints=100, max_value=10**6, max_cost=10**6, day_budget=10**9)


def before(value: int, at: int) -> Transaction:
    treasury = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    signer = KeyRef(address=treasury, subject="treasury", chain_id=1, secret_id="s")
    fees = Fees(max_fee_per_gas=1, max_priority_fee_per_gas=1)
    claim = TopUpClaim(signer, treasury, None, value=value, gas=21_000, fees=fees, at=at * 1000)
    return claim.transaction(0)


@pytest.mark.parametrize(
    ("funding", "earlier", "value"),
    [
        pytest.param(FundingCheck(10, 0, 10), None, 200, id="the first brings the usual number of mints"),
        pytest.param(
            FundingCheck(10, 0, 10), before(200, at=1000), 400, id="soon after another it is doubled"
        ),
        pytest.param(
            FundingCheck(10, 0, 10), before(800, at=1000), 1000, id="up to the greatest number of mints"
        ),
        pytest.param(
            FundingCheck(10, 0, 10), before(200, at=939), 200, id="long after another it is not doubled"
        ),
        pytest.param(FundingCheck(500, 100, 10), None, 800, id="it brings twice what is missing"),
        pytest.param(
            FundingCheck(500, 100, 0), before(200, at=1000), 800, id="also where a mint's cost is unknown"
        ),
        pytest.param(FundingCheck(10**7, 0, 10), None, 10**6, id="it never exceeds its cap"),
    ],
)
def test_value__when_a_wallet_is_short__then_the_top_up_follows_its_need(
    funding: FundingCheck, earlier: Transaction | None, value: int
) -> None:
    assert POLICY.value(funding, earlier, now=1000.0) == value


async def test_build__when_a_top_up_was_reserved_and_never_sent__then_the_next_builder_sends_it(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="poor")
    send, harness.outbox.send = harness.outbox.send, failing  # type: ignore[method-assign] # a builder dies here
    with pytest.raises(Unavailable):
        await builder.build("m1")
    harness.outbox.send = send  # type: ignore[method-assign] # and another one starts
    successor = harness.builder()
    await build_deferred(successor, "m1")
    assert harness.messages() == []
    harness.now += 5
    await build_deferred(successor, "m1")
    [message] = harness.messages()
    assert isinstance(message, SignTopUp)
    assert (message.nonce, message.recipient) == (0, harness.address("poor"))
    assert meaning_of(message) == harness.top_up("poor").meaning


async def test_build__when_a_pending_top_up_is_on_its_way_to_the_chain__then_the_broadcaster_looks_after_it(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="bob")
    await build_deferred(builder, "m1")
    harness.move("treasury", 0, state=TransactionState.SUBMITTED)
    harness.outbox.seen.clear()
    harness.now += 60

    await build_deferred(builder, "m1")

    assert len(harness.messages()) == 1


async def test_top_up__when_the_account_is_of_an_earlier_version__then_its_latest_one_is_the_treasurys(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="bob")
    harness.tables.accounts[harness.address("bob")] = Account(top_up_nonce=0)
    fees = Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1)
    earlier = TopUpClaim(
        harness.key("treasury"), harness.address("bob"), replaces=None, value=1, gas=1, fees=fees, at=1
    ).transaction(0)
    harness.tables.transactions[earlier.key] = earlier.evolve(state=TransactionState.SUBMITTED)
    await build_deferred(builder, "m1")
    assert harness.messages() == []
    harness.mine("treasury")

    await build_deferred(builder, "m1")

    assert harness.top_up("bob").nonce == 1


async def failing(*_: object, **__: object) -> None:
    raise Unavailable("SQS")


async def spend(harness: Harness, name: str) -> None:
    """Let a wallet's top-up arrive and be spent by another transaction of the wallet."""
    harness.mine("treasury")
    harness.chain.counts[harness.address(name)] = harness.chain.counts.get(harness.address(name), 0) + 1
    harness.now += 61


async def test_top_up__when_it_is_reserved__then_the_wallets_gas_of_the_day_is_on_its_account(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="bob")
    await build_deferred(builder, "m1")
    await spend(harness, "bob")
    await build_deferred(builder, "m1")

    account = harness.account("bob")
    assert (account.gas_day, account.gas_given) == (int(harness.now) // DAY, 40 * COST)


async def test_top_up__when_the_days_budget_is_used_up__then_the_mint_waits_until_the_next_day(
    harness: Harness,
) -> None:
    harness.day_budget = 30 * COST
    builder = harness.builder()
    harness.accept("m1", sender="bob")
    await build_deferred(builder, "m1")
    await spend(harness, "bob")
    await build_deferred(builder, "m1")
    assert harness.account("bob").gas_given == 30 * COST
    await spend(harness, "bob")

    await builder.build("m1")

    waiting = harness.mint("m1").waiting
    assert waiting is not None
    assert waiting.code == "gas_budget_reached"
    assert harness.next_nonce("treasury") == 2
    harness.now += DAY
    await build_deferred(builder, "m1")
    assert harness.account("bob").gas_given == 20 * COST


async def test_top_up__when_another_wallets_budget_is_used_up__then_this_one_has_its_own(
    harness: Harness,
) -> None:
    harness.day_budget = 20 * COST
    builder = harness.builder()
    for name in ("bob", "carol"):
        harness.accept(f"m-{name}", sender=name)
        await build_deferred(builder, f"m-{name}")

    assert harness.next_nonce("treasury") == 2


async def test_top_up__when_the_one_before_never_arrived__then_it_does_not_count(harness: Harness) -> None:
    harness.day_budget = 20 * COST
    builder = harness.builder()
    harness.accept("m1", sender="bob")
    await build_deferred(builder, "m1")
    harness.mine("treasury")
    harness.now += 61

    await build_deferred(builder, "m1")

    assert harness.account("bob").gas_given == 20 * COST
    assert harness.next_nonce("treasury") == 2


async def test_fund__when_the_days_budget_is_used_up__then_the_message_is_done(harness: Harness) -> None:
    harness.day_budget = 0
    in_flight(harness, "bob")

    await harness.builder().fund(harness.address("bob"), required=COST)

    assert harness.messages() == []
