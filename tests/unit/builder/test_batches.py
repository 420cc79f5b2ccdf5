"""Sponsored mints: gathered, simulated together, reserved first and claimed after."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from unittest.mock import patch

import pytest

from mintline.chain.answers import FeeMarket
from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.errors import Conflict, Deferred, Rejected, Unavailable
from mintline.eth import mint_batch_calldata
from mintline.kinds import meaning_of
from mintline.messages.intents import SignBatch
from mintline.messages.parts import Message
from mintline.records.operations import Attempt
from mintline.records.problems import TOKEN_ON_CHAIN
from mintline.records.transactions import Transaction, carried_by
from mintline.resource_types import Queue
from mintline.resources import SIGN
from mintline.states import MintStatus, TransactionState
from mintline_builder.batch_claims import LineClaim
from mintline_builder.gatherer import LINE_BYTES, ROOM
from mintline_builder.ports import MetadataTaken
from mintline_builder.waiting import (
    BATCH_REFUSED,
    COLLECTION_PAUSED,
    GAS_ABOVE_BOUND,
    NO_RELAYER,
    RELAYER_EMPTY,
    RELAYER_NOT_ALLOWED,
    Waiting,
)
from mintline_testkit.builder.harness import Builder, Harness, address, key
from mintline_testkit.constants import CONTRACT

SENT = Attempt(tx_hash=b"\x01" * 32, max_fee_per_gas=3, max_priority_fee_per_gas=1, at=1, nonce=0)


def accept(harness: Harness, count: int, *, first: int = 0, contract: str = CONTRACT) -> list[str]:
    """Put sponsored mints on record: token ids count from one."""
    names = [f"m{number}" for number in range(first, first + count)]
    for number, name in enumerate(names, first + 1):
        user = f"user{number % 7}"
        harness.accept(name, sender=user, custody="sponsored", token_id=number, contract=contract)
    return names


async def build(builder: Builder, names: Iterable[str]) -> list[BaseException | None]:
    """Deliver all at once, as the consumer does."""
    return await asyncio.gather(*map(builder.build, names), return_exceptions=True)


def batches(harness: Harness) -> list[Transaction]:
    return sorted(
        (transaction for transaction in harness.tables.transactions.values() if transaction.kind == "batch"),
        key=lambda batch: batch.nonce,
    )


def intents(harness: Harness) -> list[SignBatch]:
    messages = harness.messages()
    assert all(isinstance(message, SignBatch) for message in messages)
    return [message for message in messages if isinstance(message, SignBatch)]


def check_each_is_in_one(harness: Harness, names: Sequence[str]) -> None:
    """Every mint is in just one batch, whose list says so, whose claims are done, and which was sent."""
    in_batches = Counter(name for batch in batches(harness) for name in batch.operations)
    assert in_batches == dict.fromkeys(names, 1)
    sent = {(intent.nonce, meaning_of(intent)) for intent in intents(harness)}
    for batch in batches(harness):
        assert batch.claiming is None
        assert bool(batch.operations) == (batch.filling_at is None)
        if batch.operations:
            assert (batch.nonce, batch.meaning) in sent
        for name in batch.operations:
            assert (harness.mint(name).status, carried_by(harness.mint(name))) == (
                MintStatus.BUILT,
                batch.key,
            )


async def test_batch__when_mints_arrive_together__then_one_transaction_of_the_relayer_carries_them(
    harness: Harness, builder: Builder
) -> None:
    names = accept(harness, 3)

    assert await build(builder, names) == [None] * 3

    [batch] = batches(harness)
    assert (batch.signer, batch.nonce, batch.operations) == (key("relayer"), 0, tuple(names))
    assert (batch.state, batch.claiming, batch.deadline) == (TransactionState.RESERVED, None, None)
    [(queue, intent, group)] = harness.outbox.sent
    assert (queue, group) == (SIGN, address("relayer"))
    assert isinstance(intent, SignBatch)
    assert (intent.contract, intent.gas, intent.fees) == (CONTRACT, batch.gas, batch.fees)
    assert [(line.mint_id, line.token_id, line.subject) for line in intent.mints] == [
        ("m0", 1, "user1"),
        ("m1", 2, "user2"),
        ("m2", 3, "user3"),
    ]
    assert meaning_of(intent) == batch.meaning
    for name in names:
        mint = harness.mint(name)
        assert (mint.status, mint.sender, mint.nonce) == (MintStatus.BUILT, key("relayer"), 0)
        assert (mint.deadline, mint.gas) == (None, batch.gas)
    assert set(harness.metadata.objects) == {(CONTRACT, token_id) for token_id in (1, 2, 3)}
    assert builder.count("built") == 3
    check_each_is_in_one(harness, names)


async def test_batch__when_simulated__then_the_relayer_calls_with_the_very_lines(
    harness: Harness, builder: Builder
) -> None:
    names = accept(harness, 2)

    await build(builder, names)

    [(call, overrides)] = harness.chain.estimates
    mints = [harness.mint(name) for name in names]
    lines = [(mint.token_id or 0, mint.to, mint.metadata_digest) for mint in mints]
    assert (call.sender, call.to, call.data) == (address("relayer"), CONTRACT, mint_batch_calldata(lines))
    assert overrides[address("relayer")].balance is not None


async def test_batch__when_mints_are_of_two_collections__then_each_has_its_own(
    harness: Harness, builder: Builder
) -> None:
    other = address("other contract")
    harness.chain.codes[other] = b"\x01"
    names = accept(harness, 3)
    others = accept(harness, 2, first=3, contract=other)

    await build(builder, [*names, *others])

    assert {batch.operations for batch in batches(harness)} == {tuple(names), tuple(others)}
    check_each_is_in_one(harness, [*names, *others])


async def test_batch__when_more_arrive_than_one_takes__then_several_go(harness: Harness) -> None:
    harness.max_batch = 10
    names = accept(harness, 25)

    await build(harness.builder(), names)

    assert [len(batch.operations) for batch in batches(harness)] == [10, 10, 5]
    check_each_is_in_one(harness, names)


async def test_batch__when_there_are_five_hundred__then_one_carries_them_all(harness: Harness) -> None:
    harness.max_batch = 500
    names = accept(harness, 500)
    builder = harness.builder()

    assert await build(builder, names) == [None] * 500

    [batch] = batches(harness)
    assert batch.operations == tuple(names)
    assert len(harness.accounts.commits) == 1
    check_each_is_in_one(harness, names)


async def test_batch__when_its_gas_would_exceed_the_cap__then_it_is_split_evenly(harness: Harness) -> None:
    harness.chain.line_gas = 50_000
    harness.batch_gas = 1_000_000
    names = accept(harness, 40)

    await build(harness.builder(), names)

    assert all(batch.gas <= harness.batch_gas for batch in batches(harness))
    assert len(batches(harness)) <= 5
    check_each_is_in_one(harness, names)


async def test_batch__when_its_cost_would_exceed_the_cap__then_it_is_split(harness: Harness) -> None:
    harness.chain.line_gas = 50_000
    harness.max_cost = 1_000_000 * 3 * 10**9
    names = accept(harness, 40)

    await build(harness.builder(), names)

    assert len(batches(harness)) > 1
    assert all(batch.gas * batch.fees.max_fee_per_gas <= harness.max_cost for batch in batches(harness))
    check_each_is_in_one(harness, names)


async def test_batch__when_the_node_says_that_no_gas_would_do__then_it_is_split(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimate = harness.chain.estimate_gas

    async def bounded(call: Any, overrides: Any = None, *, most: int | None = None) -> int:
        if len(call.data) > 4 + 64 + 10 * 96:
            raise Rejected("simulation_out_of_gas", "No gas limit would do: gas required exceeds allowance")
        return await estimate(call, overrides, most=most)

    monkeypatch.setattr(harness.chain, "estimate_gas", bounded)
    names = accept(harness, 30)

    await build(harness.builder(), names)

    assert all(len(batch.operations) <= 10 for batch in batches(harness))
    check_each_is_in_one(harness, names)


async def test_batch__when_one_mint_needs_more_gas_than_the_cap__then_it_waits(harness: Harness) -> None:
    harness.batch_gas = 50_000
    [name] = accept(harness, 1)

    await build(harness.builder(), [name])

    assert (harness.mint(name).status, harness.mint(name).waiting) == (MintStatus.ACCEPTED, GAS_ABOVE_BOUND)


@pytest.mark.parametrize("bad", [{0}, {99}, {3, 50, 51, 98}, set(range(0, 100, 2)), set(range(100))])
async def test_batch__when_some_are_bad__then_they_wait_alone_and_the_good_ones_go_together(
    harness: Harness, builder: Builder, bad: set[int]
) -> None:
    names = accept(harness, 100)
    harness.chain.minted = {number + 1 for number in bad}

    await build(builder, names)

    good = [name for number, name in enumerate(names) if number not in bad]
    for number in bad:
        mint = harness.mint(names[number])
        assert (mint.status, mint.waiting) == (MintStatus.ACCEPTED, TOKEN_ON_CHAIN)
    assert [batch.operations for batch in batches(harness)] == ([tuple(good)] if good else [])
    check_each_is_in_one(harness, good)
    assert builder.count("waiting", code="token_on_chain") == len(bad)


async def test_batch__when_one_is_bad__then_few_simulations_find_it(
    harness: Harness, builder: Builder
) -> None:
    names = accept(harness, 100)
    harness.chain.minted = {37}

    await build(builder, names)

    assert len(harness.chain.estimates) < 25


async def test_batch__when_two_mints_have_one_token__then_neither_stops_the_others(
    harness: Harness, builder: Builder
) -> None:
    names = accept(harness, 4)
    twin = harness.accept("twin", sender="user1", custody="sponsored", token_id=1)

    await build(builder, [*names, twin.mint_id])

    check_each_is_in_one(harness, [*names, "twin"])
    assert len(batches(harness)) == 2


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("EnforcedPause", COLLECTION_PAUSED),
        ("AccessControlUnauthorizedAccount", RELAYER_NOT_ALLOWED),
        ("Error", BATCH_REFUSED),
    ],
)
async def test_batch__when_the_collection_refuses_any_line__then_all_wait_and_none_is_rejected(
    harness: Harness, builder: Builder, name: str, problem: object
) -> None:
    names = accept(harness, 8)
    harness.chain.reverts[CONTRACT] = CallReverted(Revert(name, {"message": "no"}), "no")

    await build(builder, names)

    for each in names:
        assert (harness.mint(each).status, harness.mint(each).waiting) == (MintStatus.ACCEPTED, problem)
    assert harness.accounts.commits == []

    harness.chain.reverts.clear()
    await build(builder, names)
    check_each_is_in_one(harness, names)


async def test_batch__when_there_is_no_relayer__then_its_mints_wait(harness: Harness) -> None:
    harness.relayers = ()
    names = accept(harness, 2)

    await build(harness.builder(), names)
    assert [harness.mint(name).waiting for name in names] == [NO_RELAYER] * 2

    harness.relayers = (key("relayer"),)
    await build(harness.builder(), names)
    check_each_is_in_one(harness, names)


async def test_batch__when_the_relayer_cannot_pay__then_its_mints_wait_and_no_nonce_is_taken(
    harness: Harness, builder: Builder
) -> None:
    names = accept(harness, 2)
    harness.chain.balances[address("relayer")] = 5

    await build(builder, names)
    assert [harness.mint(name).waiting for name in names] == [RELAYER_EMPTY] * 2
    assert harness.accounts.commits == []
    assert builder.metrics.relayer_balance.labels(address("relayer"))._value.get() == 5

    harness.chain.balances[address("relayer")] = 10**21
    await build(builder, names)
    check_each_is_in_one(harness, names)


async def test_batch__when_a_node_refuses_the_relayer_for_funds__then_the_treasury_pays_nothing(
    harness: Harness, builder: Builder
) -> None:
    await build(builder, accept(harness, 1))
    harness.outbox.sent.clear()
    harness.chain.balances[address("relayer")] = 0

    await builder.fund(address("relayer"), 10**15)

    assert harness.messages() == []


async def test_batch__when_the_relayer_was_used_elsewhere__then_the_chains_count_is_its_nonce(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.counts[address("relayer")] = 9

    await build(builder, accept(harness, 1))

    assert batches(harness)[0].nonce == 9


async def test_batch__when_fees_are_over_the_cap__then_all_wait_on_the_queue(
    harness: Harness, builder: Builder
) -> None:
    names = accept(harness, 3)
    harness.chain.market = FeeMarket(base_fee=300 * 10**9, priority_fee=1)

    outcomes = await build(builder, names)

    assert all(isinstance(outcome, Deferred) for outcome in outcomes)
    assert harness.accounts.commits == []


async def test_batch__when_the_node_lacks_the_contract__then_nothing_is_decided(
    harness: Harness, builder: Builder
) -> None:
    names = accept(harness, 2)
    del harness.chain.codes[CONTRACT]

    outcomes = await build(builder, names)

    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert harness.accounts.commits == []


async def test_batch__when_other_metadata_is_in_the_place_of_ones__then_that_one_waits_alone(
    harness: Harness, builder: Builder
) -> None:
    names = accept(harness, 3)
    harness.metadata.objects[CONTRACT, 2] = '{"name":"forged"}'

    outcomes = await build(builder, names)

    assert [type(outcome) for outcome in outcomes] == [type(None), MetadataTaken, type(None)]
    check_each_is_in_one(harness, ["m0", "m2"])
    assert harness.mint("m1").status is MintStatus.ACCEPTED


async def test_batch__when_one_delivery_comes_twice_at_once__then_it_has_one_line(
    harness: Harness, builder: Builder
) -> None:
    names = accept(harness, 3)

    assert await build(builder, [*names, *names]) == [None] * 6

    check_each_is_in_one(harness, names)
    assert len(intents(harness)) == 1


async def test_batch__when_a_waiting_delivery_is_cancelled__then_the_batch_goes_all_the_same(
    harness: Harness, builder: Builder
) -> None:
    names = accept(harness, 3)
    first = asyncio.create_task(builder.build(names[0]))
    await asyncio.sleep(0)
    first.cancel()

    await build(builder, names[1:])
    await builder.aclose()

    assert first.cancelled()
    check_each_is_in_one(harness, names)


async def test_batch__when_delivered_again__then_it_is_sent_again_once_and_is_the_same(
    harness: Harness, builder: Builder
) -> None:
    names = accept(harness, 20)
    await build(builder, names)
    harness.outbox.seen.clear()

    again = harness.builder()
    await build(again, names)
    await build(again, names)

    first, second = intents(harness)
    assert first == second
    assert len(harness.accounts.commits) == 1


async def test_batch__when_a_mint_was_stopped_while_it_was_simulated__then_the_batch_goes_without_it(
    harness: Harness, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = accept(harness, 3)
    estimate = harness.chain.estimate_gas

    async def stopping(call: Any, overrides: Any = None, *, most: int | None = None) -> int:
        harness.tables.mints["m1"] = harness.tables.mints["m1"].evolve(status=MintStatus.REJECTED)
        return await estimate(call, overrides, most=most)

    monkeypatch.setattr(harness.chain, "estimate_gas", stopping)
    await build(builder, names)

    check_each_is_in_one(harness, ["m0", "m2"])
    assert harness.mint("m1").status is MintStatus.REJECTED
    assert (builder.count("batch_lines"), builder.count("batch_lines_lost")) == (2, 1)


async def test_batch__when_all_its_mints_were_stopped__then_its_nonce_is_for_a_noop(
    harness: Harness, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    [name] = accept(harness, 1)
    commit = harness.accounts.commit

    async def late(advances: Any) -> None:
        harness.tables.mints[name] = harness.tables.mints[name].evolve(status=MintStatus.REJECTED)
        await commit(advances)

    monkeypatch.setattr(harness.accounts, "commit", late)
    await build(builder, [name])

    [batch] = batches(harness)
    assert (batch.operations, batch.claiming, batch.filling_at) == ((), None, int(harness.now * 1000))
    assert harness.messages() == []


async def test_batch__when_builders_race_for_the_same_mints__then_each_is_in_just_one(
    harness: Harness,
) -> None:
    names = accept(harness, 60)
    builders = [harness.builder() for _ in range(3)]

    await asyncio.gather(*(build(builder, names[skip:]) for skip, builder in enumerate(builders)))
    for builder in builders:
        await build(builder, names)
    for batch in batches(harness):
        if batch.operations == ():
            assert batch.filling_at is not None

    check_each_is_in_one(harness, names)


class Crashing:
    """Lets a number of writes through, and then none: as if the process died between two."""

    def __init__(self, inner: Any, budget: list[int], writes: frozenset[str], *, after: bool) -> None:
        self._inner = inner
        self._budget = budget
        self._writes = writes
        self._after = after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name not in self._writes:
            return method

        async def write(*args: Any, **named: Any) -> Any:
            if self._budget[0] <= 0:
                raise Unavailable("the process is gone")
            self._budget[0] -= 1
            dies = self._budget[0] == 0
            if dies and not self._after:
                raise Unavailable("the process is gone, before the write")
            result = await method(*args, **named)
            if dies:
                raise Unavailable("the process is gone, after the write")
            return result

        return write


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("writes", range(1, 7))
@pytest.mark.parametrize("by_message", [False, True], ids=["redelivered", "finished from the record"])
async def test_batch__when_the_builder_dies_at_any_write__then_the_next_one_finishes_it(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, writes: int, *, after: bool, by_message: bool
) -> None:
    names = accept(harness, 60)
    accounts, outbox = harness.accounts, harness.outbox
    budget = [writes]
    crashing: Any = Crashing(accounts, budget, frozenset({"commit", "claim", "seal"}), after=after)
    sending: Any = Crashing(outbox, budget, frozenset({"send"}), after=after)
    with monkeypatch.context() as patched:
        patched.setattr(harness, "accounts", crashing)
        patched.setattr(harness, "outbox", sending)
        first = harness.builder()
        await build(first, names)
        await first.aclose()

    second = harness.builder()
    if by_message:
        for batch in batches(harness):
            await second.finish("relayer", batch.nonce)
    harness.outbox.seen.clear()
    for outcome in await build(second, names):
        assert outcome is None or isinstance(outcome, Conflict)
    await build(second, names)
    for batch in batches(harness):
        await second.finish("relayer", batch.nonce)

    check_each_is_in_one(harness, names)


async def test_finish__when_there_is_no_such_batch__then_the_message_is_refused(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1")
    await builder.build("m1")

    for sender, nonce in (("relayer", 0), ("alice", 0)):
        with pytest.raises(Rejected, match="batch_unknown"):
            await builder.finish(sender, nonce)


@pytest.mark.parametrize(
    "changes",
    [
        {"state": TransactionState.FINAL, "outcome": "filled"},
        {"state": TransactionState.SUBMITTED, "claiming": None, "filling_at": 5},
    ],
    ids=["used by another", "a no-op is sent"],
)
async def test_finish__when_the_nonce_went_to_another_before_it_was_sealed__then_it_claims_nothing(
    harness: Harness, builder: Builder, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    names = accept(harness, 2)
    commit = harness.accounts.commit

    async def late(advances: Any) -> None:
        await commit(advances)
        harness.move("relayer", 0, **changes)

    with monkeypatch.context() as patched:
        patched.setattr(harness.accounts, "commit", late)
        outcomes = await build(builder, names)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    await builder.finish("relayer", 0)
    assert [harness.mint(name).status for name in names] == [MintStatus.ACCEPTED] * 2

    harness.chain.counts[address("relayer")] = 1
    await build(builder, names)
    assert [harness.mint(name).nonce for name in names] == [1, 1]


async def spent(harness: Harness, builder: Builder, count: int, **changes: Any) -> list[str]:
    """Have a batch of mints whose nonce is used, by another transaction unless it is said."""
    names = accept(harness, count)
    await build(builder, names)
    fields = {"state": TransactionState.SUBMITTED, "attempts": (SENT,), "submitted_at": 1}
    harness.move("relayer", 0, **fields | changes)
    harness.chain.counts[address("relayer")] = 1
    harness.outbox.sent.clear()
    return names


FAILED = {"state": TransactionState.FINAL, "outcome": "failed", "block_number": 5, "mined_at": 9}


@pytest.mark.parametrize("changes", [{}, FAILED], ids=["used by another", "failed"])
async def test_renew__when_a_batch_came_to_nothing__then_its_mints_are_in_another(
    harness: Harness, builder: Builder, changes: dict[str, Any]
) -> None:
    names = await spent(harness, builder, 30, **changes)
    assert {harness.mint(name).status for name in names} == {MintStatus.SUBMITTED}

    await asyncio.gather(*(builder.renew(name, spent=0) for name in names))

    old, new = batches(harness)
    assert (old.operations, new.operations) == (tuple(names), tuple(names))
    assert old.filling_at is None
    for name in names:
        mint = harness.mint(name)
        assert (mint.status, mint.nonce, mint.attempts) == (MintStatus.BUILT, 1, (SENT,))
    [intent] = intents(harness)
    assert (intent.nonce, intent.attempt, meaning_of(intent)) == (1, 0, new.meaning)
    assert builder.count("renewed") == 30


async def test_renew__when_redelivered__then_each_mint_keeps_its_new_place(
    harness: Harness, builder: Builder
) -> None:
    names = await spent(harness, builder, 10)
    copies = [harness.builder() for _ in range(3)]

    await asyncio.gather(
        *(copy.renew(name, spent=0) for copy in copies for name in names), return_exceptions=True
    )
    await asyncio.gather(*(builder.renew(name, spent=0) for name in names))

    later = [batch for batch in batches(harness) if batch.nonce]
    assert Counter(name for batch in later for name in batch.operations) == dict.fromkeys(names, 1)
    assert all(batch.claiming is None for batch in later)


async def test_renew__when_new_mints_arrive_too__then_one_batch_has_both(
    harness: Harness, builder: Builder
) -> None:
    old = await spent(harness, builder, 3)
    new = accept(harness, 2, first=3)

    await asyncio.gather(*(builder.renew(name, spent=0) for name in old), *map(builder.build, new))

    assert batches(harness)[-1].operations == (*old, *new)


async def test_renew__when_the_token_is_on_chain__then_that_mint_waits_for_the_index_and_the_others_go(
    harness: Harness, builder: Builder
) -> None:
    names = await spent(harness, builder, 4, **FAILED)
    harness.chain.minted = {2}

    outcomes = await asyncio.gather(*(builder.renew(name, spent=0) for name in names), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [type(None), Deferred, type(None), type(None)]
    assert (harness.mint("m1").status, harness.mint("m1").nonce) == (MintStatus.SUBMITTED, 0)
    assert batches(harness)[-1].operations == ("m0", "m2", "m3")


async def test_renew__when_a_line_can_never_succeed__then_it_is_rejected_and_all_leave_the_old_batch(
    harness: Harness, builder: Builder
) -> None:
    names = await spent(harness, builder, 4, **FAILED)
    before = batches(harness)[0]
    bad = harness.mint("m2").to
    harness.chain.refusing[bad] = CallReverted(Revert("ERC721InvalidReceiver", {"receiver": bad}), "no")

    await asyncio.gather(*(builder.renew(name, spent=0) for name in names))

    problem = harness.mint("m2").problem
    assert (harness.mint("m2").status, problem and problem.code) == (MintStatus.REJECTED, "recipient_refused")
    old, new = batches(harness)
    assert old == before.evolve(left=("m2", "m0", "m1", "m3"))
    assert new.operations == ("m0", "m1", "m3")


async def test_renew__when_the_batch_succeeded_after_all__then_nothing_happens(
    harness: Harness, builder: Builder
) -> None:
    names = await spent(harness, builder, 2, state=TransactionState.MINED, outcome="succeeded")
    before = [harness.mint(name) for name in names]

    await asyncio.gather(*(builder.renew(name, spent=0) for name in names))

    assert [harness.mint(name) for name in names] == before
    assert harness.messages() == []


async def test_renew__when_the_batch_is_mined_while_another_is_reserved__then_it_keeps_its_mints(
    harness: Harness, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = await spent(harness, builder, 2)
    commit = harness.accounts.commit

    async def late(advances: Any) -> None:
        harness.move("relayer", 0, state=TransactionState.MINED, outcome="succeeded")
        await commit(advances)

    monkeypatch.setattr(harness.accounts, "commit", late)
    await asyncio.gather(*(builder.renew(name, spent=0) for name in names))

    assert [(harness.mint(name).status, harness.mint(name).nonce) for name in names] == [
        (MintStatus.MINED, 0)
    ] * 2
    assert (batches(harness)[1].operations, batches(harness)[1].claiming) == ((), None)
    assert harness.messages() == []


async def test_renew__when_the_node_lags__then_the_mint_waits(harness: Harness, builder: Builder) -> None:
    [name] = await spent(harness, builder, 1)
    harness.chain.counts[address("relayer")] = 0

    with pytest.raises(Deferred):
        await builder.renew(name, spent=0)

    assert len(batches(harness)) == 1


async def test_renew__when_the_collection_is_paused__then_the_message_waits(
    harness: Harness, builder: Builder
) -> None:
    [name] = await spent(harness, builder, 1)
    harness.chain.reverts[CONTRACT] = CallReverted(Revert("EnforcedPause", {}), "paused")

    with pytest.raises(Waiting, match="collection_paused"):
        await builder.renew(name, spent=0)

    assert harness.mint(name).nonce == 0


async def test_batch__when_another_seals_it_first__then_that_list_holds(
    harness: Harness, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = accept(harness, 30)
    claim = harness.accounts.claim
    other = harness.builder()

    async def overtaken(batch: Transaction, claims: Sequence[LineClaim]) -> frozenset[str]:
        if not batch.claiming or harness.transaction("relayer", 0).claiming is None:
            return await claim(batch, claims)
        with monkeypatch.context() as patched:
            patched.setattr(harness.accounts, "claim", claim)
            await other.finish("relayer", 0)
        return await claim(batch, claims)

    monkeypatch.setattr(harness.accounts, "claim", overtaken)
    assert await build(builder, names) == [None] * 30

    check_each_is_in_one(harness, names)
    assert len(batches(harness)) == 1


async def test_batch__when_it_cannot_be_sent__then_its_mints_come_back_and_it_is_sent(
    harness: Harness, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = accept(harness, 3)

    async def refuse(queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        raise Unavailable("SQS")

    with monkeypatch.context() as patched:
        patched.setattr(harness.outbox, "send", refuse)
        outcomes = await build(builder, names)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)

    await build(builder, names)

    check_each_is_in_one(harness, names)
    assert len(intents(harness)) == 1


async def test_batch__when_its_authorizations_would_not_fit_a_frame__then_it_is_sent_before(
    harness: Harness, builder: Builder
) -> None:
    names = accept(harness, 9)
    for under, authorization in harness.tables.authorizations.items():
        harness.tables.authorizations[under] = authorization.evolve(envelope=bytes(8192))
    size = LINE_BYTES + 8192

    with patch("mintline_builder.gatherer.ROOM", 4 * size):
        await build(builder, names)

    assert [len(batch.operations) for batch in batches(harness)] == [4, 4, 1]
    check_each_is_in_one(harness, names)
    assert 100 * size < ROOM
