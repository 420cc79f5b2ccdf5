"""What was sent is watched until its nonce is used: sent again, replaced, filled, or given up to a no-op."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from mintline.errors import Rejected
from mintline.messages import FundWallet, RenewNonce, ReviewMint, SignMint, SignNoop, SignTopUp
from mintline.records import Problem
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus, TransactionState
from mintline_testkit.constants import GWEI


async def sent(world: Any, *intents: Any) -> None:
    """Have mints of this moment on record, and their transactions in the node's pool."""
    for intent in intents:
        world.built(intent, created_at=world.now, updated_at=world.now)
        await world.broadcast(intent)


def blocks(world: Any, count: int, seconds: int = 12) -> None:
    """Let blocks come in which nothing of ours is mined."""
    for _ in range(count):
        world.now += seconds * 1000
        world.chain.stamps.append(world.now // 1000)


# Sent again


async def test_watch__when_the_node_lost_its_pool__then_the_same_bytes_go_out_in_order(
    world: Any, make: Any, signed: Any
) -> None:
    intents = [make(nonce) for nonce in range(4)]
    await sent(world, *intents)
    world.chain.pool.clear()
    world.chain.sends.clear()
    await world.sweep(after=20)
    assert world.chain.sends == [signed(intent).raw for intent in intents]
    assert world.counted("resends_total") == 4
    world.chain.mine()
    assert set(world.chain.receipts) == {signed(intent).tx_hash for intent in intents}
    assert await world.sent_to(SIGN) == []


async def test_watch__when_a_transaction_is_young__then_it_is_left_alone(world: Any, make: Any) -> None:
    await sent(world, make())
    await world.sweep(after=19)
    assert len(world.chain.sends) == 1


async def test_watch__when_the_pool_has_it__then_nothing_changes(world: Any, make: Any) -> None:
    await sent(world, make())
    before = world.mint(make())
    for _ in range(5):
        await world.sweep(after=20)
    assert world.counted("resends_total") == 0
    assert world.mint(make()) == before
    assert await world.sent_to(SIGN) == []


async def test_watch__when_top_ups_and_noops_were_lost__then_they_go_out_again_too(
    world: Any, make_top_up: Any, make_noop: Any, signed: Any
) -> None:
    intents = [make_top_up(), make_noop()]
    for intent in intents:
        await world.broadcast(intent)
    world.chain.pool.clear()
    await world.sweep(after=20)
    assert {tx_hash for tx_hash, _ in world.chain.pool.values()} == {
        signed(intent).tx_hash for intent in intents
    }


async def test_watch__when_the_nonce_of_a_top_up_is_final__then_it_is_watched_no_more(
    world: Any, make_top_up: Any
) -> None:
    await world.broadcast(make_top_up())
    world.chain.mine()
    assert await world.sweep(after=20)
    assert len(world.open()) == 1
    world.finalize()
    await world.sweep(after=20)
    assert world.open() == []
    assert not await world.sweep(after=20)


async def test_watch__when_the_index_has_not_read_the_final_block__then_a_top_up_stays_watched(
    world: Any, make_top_up: Any
) -> None:
    world.finalize()
    await world.broadcast(make_top_up())
    world.chain.mine()
    world.chain.finalize()
    await world.sweep(after=20)
    assert len(world.open()) == 1


async def test_watch__when_no_node_has_the_final_block__then_nothing_is_watched_no_more(
    world: Any, make: Any, make_top_up: Any
) -> None:
    await world.broadcast(make_top_up())
    world.built(make(0), created_at=0, updated_at=world.now)
    await world.refuse(make(0))
    [noop] = await world.sent_to(SIGN)
    await world.broadcast(noop)
    world.chain.mine()
    final = world.chain.finalize()
    world.store.indexed = replace(final, hash=b"\x0a" * 32)
    await world.sweep(after=301)
    assert len(world.open()) == 2
    world.store.indexed = final
    await world.sweep(after=20)
    assert world.open() == []


async def test_watch__when_the_node_is_behind_the_final_block__then_what_is_final_counts_as_used(
    world: Any, make: Any
) -> None:
    await sent(world, make())
    world.chain.mine()
    world.finalize()
    world.chain.nonces.clear()
    sends = len(world.chain.sends)
    await world.sweep(after=20)
    assert len(world.chain.sends) == sends


async def test_watch__when_a_reorg_dropped_a_mint__then_the_same_bytes_go_out_at_once(
    world: Any, make: Any, signed: Any
) -> None:
    await sent(world, make())
    world.chain.pool.clear()
    world.now += 1
    await world.handle(ReviewMint(mint_id=make().mint_id))
    assert world.chain.sends == [signed(make()).raw] * 2
    assert [tx_hash for tx_hash, _ in world.chain.pool.values()] == [signed(make()).tx_hash]


async def test_watch__when_the_bytes_were_never_written_down__then_they_are_signed_once_more(
    world: Any, make: Any, signed: Any
) -> None:
    intent = make()
    await sent(world, intent)
    world.store.signed.clear()
    await world.sweep(after=20)
    [again] = await world.sent_to(SIGN)
    assert signed(again).tx_hash == world.mint(intent).attempts[0].tx_hash
    await world.broadcast(again)
    assert len(world.mint(intent).attempts) == 1
    assert len(world.store.signed) == 1


# Replaced


async def test_watch__when_the_first_is_too_old_in_blocks__then_it_is_replaced_an_eighth_dearer(
    world: Any, make: Any
) -> None:
    await sent(world, make(0), make(1))
    blocks(world, 5)
    await world.sweep()
    assert await world.sent_to(SIGN) == []
    blocks(world, 1)
    await world.sweep()
    # The second cannot be mined before the first, so its age says nothing.
    [replacement] = await world.sent_to(SIGN)
    assert isinstance(replacement, SignMint)
    assert (replacement.nonce, replacement.attempt) == (0, 1)
    assert replacement.fees.max_fee_per_gas == 11_250_000_000
    assert replacement.fees.max_priority_fee_per_gas == 1_125_000_000
    assert replacement.model_copy(update={"fees": make(0).fees, "attempt": 0}) == make(0)
    assert world.counted("replacements_total", cause="age") == 1


async def test_watch__when_the_market_rose_above_the_fee_cap__then_all_that_wait_are_replaced(
    world: Any, make: Any
) -> None:
    await sent(world, make(0), make(1), make(2, fees=40 * GWEI))
    world.chain.base_fee = 20 * GWEI
    await world.sweep(after=20)
    replacements = await world.sent_to(SIGN)
    assert [one.nonce for one in replacements] == [0, 1]
    assert all(one.fees.max_fee_per_gas >= 40 * GWEI for one in replacements)
    assert world.counted("replacements_total", cause="market") == 2


async def test_watch__when_a_replacement_is_under_way__then_no_second_one_is_asked_for(
    world: Any, make: Any
) -> None:
    await sent(world, make())
    blocks(world, 6)
    await asyncio.gather(*(world.sweeper().sweep() for _ in range(4)))
    await world.sweep(after=1)
    assert len(await world.sent_to(SIGN)) == 1


async def test_watch__when_replacements_go_unmined__then_each_is_dearer_and_all_are_kept_until_one_is_mined(
    world: Any, make: Any
) -> None:
    intent = make()
    await sent(world, intent)
    world.chain.base_fee = 11 * GWEI
    for _ in range(5):
        blocks(world, 6)
        await world.sweep()
        for message in await world.sent_to(SIGN):
            await world.broadcast(message)
    fees = [attempt.max_fee_per_gas for attempt in world.mint(intent).attempts]
    assert len(fees) == 6
    assert all(later * 8 >= earlier * 9 for earlier, later in itertools.pairwise(fees))
    world.chain.mine()
    [mined] = world.chain.receipts
    assert mined in [attempt.tx_hash for attempt in world.mint(intent).attempts]
    await world.sweep(after=100)
    assert await world.sent_to(SIGN) == []


async def test_watch__when_the_cap_is_reached__then_it_waits_and_lives(world: Any, make: Any) -> None:
    await sent(world, make(fees=95 * GWEI))
    blocks(world, 10)
    await world.sweep()
    assert await world.sent_to(SIGN) == []
    assert world.mint(make()).status is MintStatus.SUBMITTED


async def test_watch__when_a_top_up_is_stuck__then_it_is_replaced_like_any_other(
    world: Any, make_top_up: Any
) -> None:
    await world.broadcast(make_top_up())
    blocks(world, 6)
    await world.sweep()
    [replacement] = await world.sent_to(SIGN)
    assert isinstance(replacement, SignTopUp)
    assert (replacement.attempt, replacement.value) == (1, make_top_up().value)
    await world.broadcast(replacement)
    blocks(world, 6)
    await world.sweep()
    [second] = await world.sent_to(SIGN)
    assert second.attempt == 2


async def test_watch__when_a_noop_took_the_place_of_a_top_up__then_the_noop_is_watched(
    world: Any, make_top_up: Any, signed: Any
) -> None:
    top_up = make_top_up()
    noop = SignNoop(
        signer=top_up.signer,
        chain_id=31337,
        nonce=0,
        gas=21_000,
        fees=top_up.fees.model_copy(update={"max_fee_per_gas": 20 * GWEI}),
        attempt=1,
    )
    await world.broadcast(top_up)
    await world.broadcast(noop)
    world.chain.pool.clear()
    await world.sweep(after=20)
    assert [tx_hash for tx_hash, _ in world.chain.pool.values()] == [signed(noop).tx_hash]


# Gaps


async def test_gap__when_nothing_is_on_its_way_for_a_nonce__then_a_noop_fills_it_once_others_waited(
    world: Any, make: Any
) -> None:
    await sent(world, make(2))
    await world.sweep(after=59)
    assert await world.sent_to(SIGN) == []
    await world.sweep(after=1)
    noops = await world.sent_to(SIGN)
    assert [(type(noop), noop.nonce, noop.mint_id) for noop in noops] == [
        (SignNoop, 0, None),
        (SignNoop, 1, None),
    ]
    assert {noop.signer for noop in noops} == {make().signer}
    assert world.counted("nonce_gaps_total") == 2
    for noop in noops:
        await world.broadcast(noop)
    world.chain.mine()
    assert world.chain.nonces[make().signer.address] == 3


@pytest.mark.parametrize("status", [MintStatus.BUILT, MintStatus.SUBMITTED])
async def test_gap__when_a_mint_has_the_nonce__then_it_is_none(
    world: Any, make: Any, status: MintStatus
) -> None:
    await sent(world, make(1))
    if status is MintStatus.BUILT:
        world.built(make(0), created_at=0, updated_at=world.now)
    else:
        await sent(world, make(0))
    world.chain.pool.clear()
    await world.sweep(after=120)
    assert [message for message in await world.sent_to(SIGN) if isinstance(message, SignNoop)] == []


async def test_gap__when_a_pass_does_not_read_everything__then_what_is_on_record_is_none(
    world: Any, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mintline_broadcaster import sweep as sweeping

    monkeypatch.setattr(sweeping, "PAGE", 1)
    monkeypatch.setattr(sweeping, "MAX_PAGES", 1)
    for nonce in (1, 0):
        await sent(world, make(nonce))
        world.change(make(nonce), reserved_at=world.now - nonce)
    sweeper = world.sweeper()
    world.now += 120_000
    await sweeper.sweep()
    assert await world.sent_to(SIGN) == []


@pytest.mark.parametrize("missing", [0, 4, 9, 18])
async def test_gap__when_many_are_open__then_it_is_filled_wherever_it_is(
    world: Any, make_top_up: Any, missing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mintline_broadcaster import monitor

    monkeypatch.setattr(monitor, "CHECK_AHEAD", 4)
    for nonce in range(20):
        if nonce != missing:
            await world.broadcast(make_top_up(nonce))
    await world.sweep(after=60)
    assert [noop.nonce for noop in await world.sent_to(SIGN)] == [missing]


async def test_gap__when_its_record_was_closed_by_mistake__then_it_is_open_again_and_filled(
    world: Any, make: Any
) -> None:
    await sent(world, make(0), make(1))
    world.change(make(0), state=TransactionState.FINAL, outcome="filled")
    world.chain.pool.clear()
    await world.sweep(after=60)
    [noop] = await world.sent_to(SIGN)
    assert (type(noop), noop.nonce) == (SignNoop, 0)
    assert world.transaction(make(0)).state is TransactionState.SUBMITTED
    await world.broadcast(noop)
    world.chain.mine()
    world.finalize()
    await world.sweep(after=60)
    assert await world.sent_to(BUILD) == [RenewNonce(trace=make().trace, mint_id=make().mint_id, nonce=0)]


async def test_look__when_many_wait__then_the_first_ones_alone_are_looked_after(
    world: Any, make_top_up: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mintline_broadcaster import monitor

    monkeypatch.setattr(monitor, "CHECK_AHEAD", 4)
    for nonce in range(20):
        await world.broadcast(make_top_up(nonce))
    world.chain.pool.clear()
    await world.sweep(after=20)
    assert sorted(decoded.nonce for _, decoded in world.chain.pool.values()) == [0, 1, 2, 3]


async def test_look__when_many_are_mined_and_not_final__then_those_behind_are_sent_again_all_the_same(
    world: Any, make_top_up: Any
) -> None:
    for nonce in range(10):
        await world.broadcast(make_top_up(nonce))
    world.chain.mine()
    for nonce in range(10, 14):
        await world.broadcast(make_top_up(nonce))
    world.chain.pool.clear()
    await world.sweep(after=20)
    assert sorted(decoded.nonce for _, decoded in world.chain.pool.values()) == [10, 11, 12, 13]
    world.finalize()
    await world.sweep(after=20)
    assert len(world.open()) == 4


async def test_gap__when_a_dead_mint_left_it_and_its_noop_was_lost__then_it_is_filled(
    world: Any, make: Any
) -> None:
    world.built(make(0), status=MintStatus.REJECTED, problem=Problem(code="intrinsic_gas", reason="…"))
    await sent(world, make(1))
    await world.sweep(after=60)
    [noop] = await world.sent_to(SIGN)
    assert noop.nonce == 0


async def test_gap__when_a_dead_mint_left_it_with_nothing_behind__then_it_is_filled_all_the_same(
    world: Any, make: Any
) -> None:
    world.built(make(0), created_at=0, updated_at=world.now)
    await world.refuse(make(0))
    assert len(await world.sent_to(SIGN)) == 1  # and lost
    world.now += 301_000
    await world.sweep()
    [noop] = await world.sent_to(SIGN)
    assert (type(noop), noop.nonce, noop.mint_id) == (SignNoop, 0, make(0).mint_id)
    await world.broadcast(noop)
    world.chain.mine()
    await world.sweep(after=300)
    assert await world.sent_to(SIGN) == []
    assert world.open()
    world.finalize()
    await world.sweep(after=20)
    assert not world.open()


async def test_gap__when_a_dead_mints_noop_is_on_its_way__then_no_other_is_asked_for(
    world: Any, make: Any
) -> None:
    world.built(make(0), created_at=0, updated_at=world.now)
    await world.refuse(make(0))
    [noop] = await world.sent_to(SIGN)
    await world.broadcast(noop)
    world.now += 301_000
    await world.sweep()
    assert await world.sent_to(SIGN) == []


async def test_gap__when_a_lost_top_up_left_it__then_the_treasury_goes_on(
    world: Any, make_top_up: Any
) -> None:
    await world.broadcast(make_top_up(nonce=1))
    await world.sweep(after=60)
    [noop] = await world.sent_to(SIGN)
    assert (noop.nonce, noop.signer) == (0, make_top_up().signer)


# A nonce that a stranger used


async def test_taken_nonce__when_not_final__then_nothing_yet(world: Any, make: Any) -> None:
    await sent(world, make())
    world.chain.pool.clear()
    world.chain.use_nonce(make().signer.address)
    await world.sweep(after=20)
    assert await world.sent_to(BUILD) == await world.sent_to(SIGN) == []


async def test_taken_nonce__when_final__then_another_one_is_asked_for(world: Any, make: Any) -> None:
    await sent(world, make())
    world.chain.pool.clear()
    world.chain.use_nonce(make().signer.address)
    world.finalize()
    await world.sweep(after=20)
    assert await world.sent_to(BUILD) == [RenewNonce(trace=make().trace, mint_id=make().mint_id, nonce=0)]


async def test_taken_nonce__when_any_attempt_of_ours_was_mined__then_nothing_is_asked(
    world: Any, make: Any
) -> None:
    await sent(world, make())
    world.chain.mine()
    await world.broadcast(make(attempt=1, fees=20 * GWEI, tip=2 * GWEI))
    world.finalize()
    await world.sweep(after=20)
    assert await world.sent_to(BUILD) == []


async def test_renewed_nonce__when_signed__then_its_attempt_joins_the_earlier_ones(
    world: Any, make: Any
) -> None:
    await sent(world, make())
    world.chain.pool.clear()
    world.chain.use_nonce(make().signer.address)
    world.finalize()
    again = make(5, attempt=1, fees=GWEI * 9).evolve(mint_id=make().mint_id, voucher=make().voucher)
    world.renewed(again)
    await world.broadcast(again)
    mint = world.mint(again)
    assert mint.status is MintStatus.SUBMITTED
    assert [(attempt.nonce, attempt.max_fee_per_gas) for attempt in mint.attempts] == [
        (0, 10 * GWEI),
        (5, 9 * GWEI),
    ]
    # A late copy of the first attempt, which can never be mined, changes nothing.
    await world.sweep(after=20)
    assert world.transaction(make()).outcome == "filled"
    world.chain.sends.clear()
    await world.broadcast(make())
    assert world.chain.sends == []
    assert world.mint(again) == mint


async def test_renewed_nonce__when_its_signing_is_refused__then_the_mint_ends(world: Any, make: Any) -> None:
    await sent(world, make())
    again = make(5, attempt=1).evolve(
        mint_id=make().mint_id, voucher=make().voucher, authorization=make().authorization
    )
    world.renewed(again)
    await world.refuse(again, "token_expired")
    assert world.mint(again).status is MintStatus.REJECTED
    [noop] = await world.sent_to(SIGN)
    assert noop.nonce == 5


# Stopped by its user


async def test_cancel__when_submitted__then_a_noop_asks_for_its_nonce_at_once(world: Any, make: Any) -> None:
    await sent(world, make())
    world.stop(make())
    await world.handle(ReviewMint(mint_id=make().mint_id))
    [noop] = await world.sent_to(SIGN)
    assert isinstance(noop, SignNoop)
    assert (noop.nonce, noop.mint_id) == (0, make().mint_id)
    assert noop.fees.max_fee_per_gas == 11_250_000_000


async def test_cancel__when_the_review_was_lost__then_the_sweep_asks(world: Any, make: Any) -> None:
    await sent(world, make())
    world.stop(make())
    await world.sweep(after=20)
    assert [type(message) for message in await world.sent_to(SIGN)] == [SignNoop]


async def test_cancel__when_the_noop_wins_finally__then_the_mint_is_cancelled(world: Any, make: Any) -> None:
    await sent(world, make())
    world.stop(make())
    await world.handle(ReviewMint(mint_id=make().mint_id))
    for noop in await world.sent_to(SIGN):
        await world.broadcast(noop)
    world.chain.mine()
    await world.sweep(after=20)
    assert world.mint(make()).status is MintStatus.SUBMITTED
    world.finalize()
    await world.sweep(after=20)
    mint = world.mint(make())
    assert mint.status is MintStatus.REJECTED
    assert mint.problem is not None
    assert mint.problem.code == "cancelled"
    assert await world.sent_to(BUILD) == []


async def test_cancel__when_the_mint_wins__then_it_is_left_to_the_indexer(world: Any, make: Any) -> None:
    await sent(world, make())
    world.stop(make())
    await world.handle(ReviewMint(mint_id=make().mint_id))
    world.chain.mine()
    for noop in await world.sent_to(SIGN):
        await world.broadcast(noop)
    world.finalize()
    await world.sweep(after=20)
    assert world.mint(make()).status is MintStatus.SUBMITTED
    assert await world.sent_to(BUILD) == []


async def test_cancel__when_asked_for__then_the_mints_own_bytes_are_sent_no_more(
    world: Any, make: Any
) -> None:
    await sent(world, make())
    world.stop(make())
    world.chain.pool.clear()
    world.chain.sends.clear()
    await world.broadcast(make())
    await world.broadcast(make(attempt=1, fees=20 * GWEI, tip=2 * GWEI))
    await world.sweep(after=40)
    assert world.chain.sends == []


async def test_cancel__when_a_built_mint_was_rejected_for_it__then_its_nonce_is_filled(
    world: Any, make: Any
) -> None:
    world.built(make(3), status=MintStatus.REJECTED, problem=Problem(code="cancelled", reason="…"))
    await world.handle(ReviewMint(mint_id=make(3).mint_id))
    [noop] = await world.sent_to(SIGN)
    assert (noop.nonce, noop.mint_id) == (3, make(3).mint_id)
    for _ in range(4):
        world.chain.use_nonce(make(3).signer.address)
    world.now += 301_000
    await world.handle(ReviewMint(mint_id=make(3).mint_id))
    assert await world.sent_to(SIGN) == []


# Money


async def test_watch__when_the_wallet_has_no_money__then_it_asks_for_it_and_keeps_the_nonce(
    world: Any, make: Any
) -> None:
    await sent(world, make())
    world.chain.pool.clear()
    world.chain.balances[make().signer.address] = 0
    await world.sweep(after=20)
    [fund] = await world.sent_to(BUILD)
    assert fund == FundWallet(
        wallet=make().signer.address, required=120_000 * 10 * GWEI, balance=0, trace=fund.trace
    )
    assert world.mint(make()).status is MintStatus.SUBMITTED
    del world.chain.balances[make().signer.address]
    await world.sweep(after=20)
    assert len(world.chain.pool) == 1


async def test_watch__when_the_treasury_has_no_money__then_its_top_up_waits_and_is_counted(
    world: Any, make_top_up: Any
) -> None:
    await world.broadcast(make_top_up())
    world.chain.pool.clear()
    world.chain.balances[make_top_up().signer.address] = 0
    for _ in range(3):
        await world.sweep(after=20)
    assert world.counted("treasury_low_total") == 3
    assert await world.sent_to(BUILD) == await world.sent_to(SIGN) == []
    del world.chain.balances[make_top_up().signer.address]
    await world.sweep(after=20)
    assert len(world.chain.pool) == 1


# A voucher that ran out


async def test_watch__when_the_voucher_ran_out__then_a_noop_frees_the_mint_for_another_nonce(
    world: Any, make: Any
) -> None:
    await sent(world, make(fees=95 * GWEI))
    world.now = make().voucher.deadline * 1000
    world.chain.sends.clear()
    await world.sweep()
    [noop] = await world.sent_to(SIGN)
    assert (type(noop), noop.nonce) == (SignNoop, 0)
    assert world.chain.sends == []
    world.chain.pool.clear()
    await world.broadcast(noop)
    world.chain.mine()
    world.finalize()
    await world.sweep(after=20)
    assert [type(message) for message in await world.sent_to(BUILD)] == [RenewNonce]
    assert world.mint(make()).status is MintStatus.SUBMITTED


async def test_refused__when_a_noop_was_signed_before__then_it_came_late_and_nobody_is_called(
    world: Any, make: Any
) -> None:
    await sent(world, make())
    await world.refuse(make().evolve(attempt=1), "memory_nonce_filled")
    assert await world.sent_to(SIGN) == await world.sent_to(BUILD) == []


async def test_refused__when_a_noop_was_signed_before_a_top_up__then_the_noop_is_asked_for_again(
    world: Any, make_top_up: Any
) -> None:
    intent = make_top_up(nonce=3)
    world.reserved(intent)
    await world.refuse(intent, "memory_nonce_filled")
    [noop] = await world.sent_to(SIGN)
    assert (type(noop), noop.nonce, noop.signer) == (SignNoop, 3, intent.signer)
    assert world.transaction(intent).filling_at == world.now


@pytest.mark.parametrize("code", ["memory_nonce_filled", "policy_fee"])
async def test_refused__when_a_top_up_names_the_nonce_of_a_mint__then_the_mint_keeps_it(
    world: Any, make: Any, make_top_up: Any, code: str
) -> None:
    """A queue writer can make up the refusal of what nobody asked for."""
    await sent(world, make())
    forged = make_top_up(nonce=0).evolve(signer=make().signer)
    with suppress(Rejected):
        await world.refuse(forged, code)
    assert world.transaction(make()).filling_at is None
    assert await world.sent_to(SIGN) == []


# What the index could not use


@pytest.mark.parametrize("recorded", [True, False], ids=["attempt-on-record", "attempt-unrecorded"])
async def test_used_nonce__when_the_index_passed_over_its_transaction__then_its_mint_ends_by_its_token(
    world: Any, make: Any, *, recorded: bool
) -> None:
    await sent(world, make())
    if not recorded:
        world.change(make(), attempts=())
    world.chain.mine()
    made = world.redeemed(make(), block=world.chain.number)
    world.finalize()
    await world.sweep(after=20)
    mint = world.mint(make())
    assert (mint.status, mint.tx_hash) == (MintStatus.FINALIZED, made.tx_hash)
    await world.sweep(after=20)
    assert world.open() == []
    assert await world.sent_to(BUILD) == []


async def test_used_nonce__when_our_attempt_failed_and_the_index_passed_over_it__then_the_mint_gets_another(
    world: Any, make: Any
) -> None:
    await sent(world, make())
    world.chain.mine()
    [receipt] = world.chain.receipts.values()
    world.chain.receipts[receipt.tx_hash] = replace(receipt, status=False)
    world.finalize()
    await world.sweep(after=20)
    assert [type(message) for message in await world.sent_to(BUILD)] == [RenewNonce]
