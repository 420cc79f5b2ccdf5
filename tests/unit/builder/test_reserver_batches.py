"""How claims share transactions, and what becomes of each when one of them fails."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from mintline.errors import Conflict, Unavailable, Unreadable, Unwritable
from mintline.messages.parts import Fees
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_builder.claims import Advance, OperationClaim, TopUpClaim
from mintline_builder.ports import NotCommitted
from mintline_builder.reserver import MAX_TRIES, STEPS, Reserver
from mintline_testkit.builder.harness import Harness

FEES = Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1)


def claim(mint: Mint) -> OperationClaim[Mint]:
    return OperationClaim(mint, deadline=1, gas=1, fees=FEES, at=1)


class Pipeline:
    """A reserver over memory, whose sleeps are recorded."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.sleeps: list[float] = []
        self.refusals = 0
        self.reserver = Reserver(
            accounts=harness.accounts,
            sleep=self._sleep,
            rng=random.Random(1),
            conflicts=self._refused,
        )

    async def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        await asyncio.sleep(0)

    def _refused(self) -> None:
        self.refusals += 1

    async def reserve(self, mint_id: str, sender: str = "alice") -> int:
        if mint_id not in self.harness.tables.mints:
            self.harness.accept(mint_id, sender=sender)
        accepted = self.harness.mint(mint_id).evolve(status=MintStatus.ACCEPTED, nonce=None)
        return await self.reserver.reserve(self.harness.address(sender), claim(accepted))

    async def together(self, *mint_ids: str, sender: str = "alice") -> list[int | BaseException]:
        reserving = (self.reserve(mint_id, sender) for mint_id in mint_ids)
        return list(await asyncio.gather(*reserving, return_exceptions=True))

    def sizes(self) -> list[int]:
        return [sum(len(advance.claims) for advance in each) for each in self.harness.accounts.commits]


@pytest.fixture
def line(harness: Harness) -> Pipeline:
    return Pipeline(harness)


async def test_reserve__when_a_claim_comes_alone__then_it_goes_at_once(line: Pipeline) -> None:
    assert await line.reserve("m1") == 0
    assert await line.reserve("m2") == 1

    assert line.sleeps == []
    assert line.sizes() == [1, 1]


async def test_reserve__when_none_joins_those_that_came_together__then_they_wait_for_a_part_of_the_linger(
    line: Pipeline,
) -> None:
    await line.together("m1", "m2")

    assert line.sleeps == [0.02 / STEPS]
    assert line.sizes() == [2]


async def test_reserve__when_others_keep_joining__then_they_wait_for_the_linger_at_most(
    line: Pipeline,
) -> None:
    joining: list[asyncio.Task[int]] = []

    async def sleep(seconds: float) -> None:
        line.sleeps.append(seconds)
        joining.append(asyncio.create_task(line.reserve(f"joins{len(joining)}")))
        for _ in range(3):
            await asyncio.sleep(0)

    line.reserver._sleep = sleep
    await line.together("m1", "m2")
    await asyncio.gather(*joining)

    assert line.sleeps[:STEPS] == [0.02 / STEPS] * STEPS
    assert line.sizes()[0] == 2 + STEPS


async def test_reserve__when_claims_come_together__then_they_share_a_transaction_in_their_order(
    line: Pipeline,
) -> None:
    assert await line.together("m1", "m2", "m3") == [0, 1, 2]

    assert line.sizes() == [3]


async def test_reserve__when_senders_come_together__then_they_share_a_transaction(line: Pipeline) -> None:
    nonces = await asyncio.gather(
        line.reserve("m1", "alice"), line.reserve("m2", "bob"), line.reserve("m3", "alice")
    )

    assert tuple(nonces) == (0, 0, 1)
    assert line.sizes() == [3]


async def test_reserve__when_there_are_more_claims_than_fit__then_no_transaction_exceeds_its_limit(
    line: Pipeline, harness: Harness
) -> None:
    nonces = await line.together(*(f"m{i}" for i in range(150)))

    assert nonces == list(range(150))
    assert line.sizes() == [50, 50, 50]


async def test_reserve__when_nonces_were_spent__then_what_is_checked_takes_room_too(
    line: Pipeline, harness: Harness
) -> None:
    await line.together(*(f"m{i}" for i in range(50)))
    spent = [claim(harness.mint(f"m{i}")) for i in range(40)]
    reserving = [line.reserver.reserve(harness.address("alice"), each) for each in spent]

    assert await asyncio.gather(*reserving) == list(range(50, 90))
    assert line.sizes() == [50, 33, 7]
    assert {each.writes for each in spent} == {3}


async def test_reserve__when_a_nonce_has_a_transaction_already__then_it_is_not_given_out_again(
    line: Pipeline, harness: Harness
) -> None:
    await line.reserve("m1")
    await Pipeline(harness).reserve("m2")

    assert [harness.mint(mint_id).nonce for mint_id in ("m1", "m2")] == [0, 1]
    assert [harness.transaction("alice", nonce).operations for nonce in (0, 1)] == [("m1",), ("m2",)]
    assert harness.next_nonce("alice") == 2


async def test_reserve__when_a_sender_is_under_way__then_its_later_claims_wait_for_the_next_transaction(
    line: Pipeline, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()
    commit = harness.accounts.commit
    under_way: list[list[str]] = []

    async def slow(advances: Sequence[Advance]) -> None:
        under_way.append([advance.sender for advance in advances])
        await gate.wait()
        await commit(advances)

    monkeypatch.setattr(harness.accounts, "commit", slow)
    first = asyncio.create_task(line.reserve("m1"))
    for _ in range(5):
        await asyncio.sleep(0)
    later = [asyncio.create_task(line.reserve(f"m{i}")) for i in range(2, 6)]
    other = asyncio.create_task(line.reserve("m6", "bob"))
    for _ in range(10):
        await asyncio.sleep(0)

    assert under_way == [[harness.address("alice")], [harness.address("bob")]]
    gate.set()
    assert await asyncio.gather(first, *later, other) == [0, 1, 2, 3, 4, 0]
    assert sorted(line.sizes()) == [1, 1, 4]


async def test_reserve__when_one_claim_is_taken__then_it_alone_conflicts_and_the_others_go_again(
    line: Pipeline, harness: Harness
) -> None:
    harness.accept("m2", status=MintStatus.BUILT)

    first, taken, third = await line.together("m1", "m2", "m3")

    assert (first, third) == (0, 1)
    assert isinstance(taken, Conflict)
    assert harness.next_nonce("alice") == 2


async def test_reserve__when_another_copy_has_reserved_since__then_it_counts_from_there(
    line: Pipeline, harness: Harness
) -> None:
    await line.reserve("m1")
    await Pipeline(harness).together(*(f"other-{number}" for number in range(39)))

    assert await line.reserve("m2") == 40
    assert line.refusals == 1


async def test_reserve__when_the_answer_is_lost__then_trying_again_is_a_conflict_and_takes_no_nonce(
    line: Pipeline, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = harness.accounts.commit

    async def lose_answer(advances: Sequence[Advance]) -> None:
        await commit(advances)
        raise Unavailable("the answer was lost")

    with monkeypatch.context() as patched:
        patched.setattr(harness.accounts, "commit", lose_answer)
        with pytest.raises(Unavailable):
            await line.reserve("m1")

    with pytest.raises(Conflict):
        await line.reserve("m1")
    assert harness.mint("m1").nonce == 0
    assert await line.reserve("m2") == 1


async def test_reserve__when_the_same_mint_comes_twice_at_once__then_one_of_them_conflicts(
    line: Pipeline, harness: Harness
) -> None:
    outcomes = await line.together("m1", "m1")

    assert outcomes[0] == 0
    assert isinstance(outcomes[1], Conflict)
    assert harness.next_nonce("alice") == 1


async def test_reserve__when_a_wallet_mints_and_is_topped_up_at_once__then_both_share_a_transaction(
    line: Pipeline, harness: Harness
) -> None:
    alice, treasury = harness.address("alice"), harness.key("treasury")
    top_up = TopUpClaim(treasury, alice, replaces=None, value=1, gas=1, fees=FEES, at=1)

    nonces = await asyncio.gather(line.reserve("m1"), line.reserver.reserve(treasury.address, top_up))

    assert tuple(nonces) == (0, 0)
    assert line.sizes() == [2]
    assert harness.account("alice").top_up_nonce == 0


async def test_reserve__when_a_wallet_is_topped_up_twice_at_once__then_no_transaction_writes_it_twice(
    line: Pipeline, harness: Harness
) -> None:
    alice, treasury = harness.address("alice"), harness.key("treasury")
    top_up = TopUpClaim(treasury, alice, replaces=None, value=1, gas=1, fees=FEES, at=1)

    outcomes = await asyncio.gather(
        *(line.reserver.reserve(treasury.address, top_up) for _ in range(2)), return_exceptions=True
    )

    assert outcomes[0] == 0
    assert isinstance(outcomes[1], Conflict)
    assert line.sizes() == [1]


async def test_reserve__when_transactions_keep_colliding__then_it_backs_off_and_gives_the_message_back(
    line: Pipeline, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def collide(_: Sequence[Advance]) -> None:
        raise NotCommitted(busy=True)

    monkeypatch.setattr(harness.accounts, "commit", collide)

    with pytest.raises(Unavailable, match="contention"):
        await line.reserve("m1")

    assert line.refusals == len(line.sleeps) == MAX_TRIES
    assert 0 < max(line.sleeps) <= 0.2


async def test_reserve__when_a_caller_gives_up_before_its_turn__then_it_takes_no_nonce(
    line: Pipeline, harness: Harness
) -> None:
    waiting = asyncio.create_task(line.reserve("m1"))
    other = asyncio.create_task(line.reserve("m2"))
    await asyncio.sleep(0)
    waiting.cancel()

    assert await other == 0
    assert harness.mint("m1").status is MintStatus.ACCEPTED


async def test_reserve__when_the_store_breaks__then_every_caller_hears_and_later_ones_are_served(
    line: Pipeline, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Sequence[Advance]) -> None:
        raise KeyError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(harness.accounts, "commit", broken)
        outcomes = await line.together("m1", "m2")

    assert [type(outcome) for outcome in outcomes] == [KeyError, KeyError]
    assert await line.together("m1", "m2") == [0, 1]


async def test_aclose__when_claims_are_under_way__then_it_waits_for_them(line: Pipeline) -> None:
    waiting = asyncio.create_task(line.together("m1", "m2"))
    for _ in range(2):
        await asyncio.sleep(0)

    await line.reserver.aclose()

    assert line.sizes() == [2]
    assert await waiting == [0, 1]


async def test_batch__when_one_claim_cannot_be_written__then_it_alone_fails(harness: Harness) -> None:
    line, commit = Pipeline(harness), harness.accounts.commit

    async def refusing(advances: Sequence[Advance]) -> None:
        if any(claim.item.endswith("m2") for advance in advances for claim in advance.claims):
            raise Unwritable("TransactWriteItems: Item size to update has exceeded the maximum allowed size")
        await commit(advances)

    harness.accounts.commit = refusing  # type: ignore[method-assign]
    mine, others = await asyncio.gather(
        line.together("m1", "m2", "m3"), line.together("n1", "n2x", sender="bob")
    )
    assert isinstance(mine[1], Unwritable)
    assert sorted(nonce for nonce in (mine[0], mine[2]) if isinstance(nonce, int)) == [0, 1]
    assert sorted(nonce for nonce in others if isinstance(nonce, int)) == [0, 1]


async def test_batch__when_one_sender_s_nonces_are_unreadable__then_the_other_senders_get_theirs(
    harness: Harness,
) -> None:
    line, next_nonce = Pipeline(harness), harness.accounts.next_nonce

    async def unreadable(sender: str, mined: int) -> int:
        if sender == harness.address("alice"):
            raise Unreadable("Transaction: nonce: int_type")
        return await next_nonce(sender, mined)

    harness.accounts.next_nonce = unreadable  # type: ignore[method-assign]
    mine, others = await asyncio.gather(line.together("m1", "m2"), line.together("n1", sender="bob"))
    assert [type(outcome) for outcome in mine] == [Unreadable, Unreadable]
    assert others == [0]
