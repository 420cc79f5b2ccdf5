"""What was sent is watched until its nonce is used: sent again, replaced, filled, or left to a no-op."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from mintline.errors import Rejected
from mintline.eth import GWEI
from mintline.messages.intents import AnyIntent, SignMint, SignNoop, SignTopUp
from mintline.messages.work import FundWallet, RenewNonce, ReviewMint
from mintline.records.problems import Problem
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus, TransactionState
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent, noop_intent, sign, top_up_intent


async def sent(harness: Harness, *intents: Any) -> None:
    """Have mints of this moment on record, and their transactions in the node's pool."""
    for intent in intents:
        harness.built(intent, created_at=harness.now, updated_at=harness.now)
        await harness.broadcast(intent)


def blocks(harness: Harness, count: int, seconds: int = 12) -> None:
    """Let blocks come in which nothing of ours is mined."""
    for _ in range(count):
        harness.now += seconds * 1000
        harness.chain.mine(pending=False)


# Sent again


async def test_watch__when_the_node_lost_its_pool__then_the_same_bytes_go_out_in_order(
    harness: Harness,
) -> None:
    intents = [mint_intent(nonce) for nonce in range(4)]
    await sent(harness, *intents)
    harness.chain.pool.clear()
    harness.chain.sends.clear()
    await harness.sweep(after=20)
    assert harness.chain.sends == [sign(intent).raw for intent in intents]
    assert harness.counted("resends_total") == 4
    harness.chain.mine()
    assert set(harness.chain.receipts) == {sign(intent).tx_hash for intent in intents}
    assert await harness.sent_to(SIGN) == []


async def test_watch__when_a_transaction_is_young__then_it_is_left_alone(harness: Harness) -> None:
    await sent(harness, mint_intent())
    await harness.sweep(after=19)
    assert len(harness.chain.sends) == 1


async def test_watch__when_the_pool_has_it__then_nothing_changes(harness: Harness) -> None:
    await sent(harness, mint_intent())
    before = harness.mint(mint_intent())
    for _ in range(5):
        await harness.sweep(after=20)
    assert harness.counted("resends_total") == 0
    assert harness.mint(mint_intent()) == before
    assert await harness.sent_to(SIGN) == []


async def test_watch__when_top_ups_and_noops_were_lost__then_they_go_out_again_too(harness: Harness) -> None:
    intents: list[AnyIntent] = [top_up_intent(), noop_intent()]
    for intent in intents:
        await harness.broadcast(intent)
    harness.chain.pool.clear()
    await harness.sweep(after=20)
    assert {tx_hash for tx_hash, _ in harness.chain.pool.values()} == {
        sign(intent).tx_hash for intent in intents
    }


async def test_watch__when_the_nonce_of_a_top_up_is_final__then_it_is_watched_no_more(
    harness: Harness,
) -> None:
    await harness.broadcast(top_up_intent())
    harness.chain.mine()
    assert await harness.sweep(after=20)
    assert len(harness.open()) == 1
    harness.finalize()
    await harness.sweep(after=20)
    assert harness.open() == []
    assert not await harness.sweep(after=20)


async def test_watch__when_the_index_has_not_read_the_final_block__then_a_top_up_stays_watched(
    harness: Harness,
) -> None:
    harness.finalize()
    await harness.broadcast(top_up_intent())
    harness.chain.mine()
    harness.chain.finalize()
    await harness.sweep(after=20)
    assert len(harness.open()) == 1


async def test_watch__when_no_node_has_the_final_block__then_nothing_is_watched_no_more(
    harness: Harness,
) -> None:
    await harness.broadcast(top_up_intent())
    harness.built(mint_intent(0), created_at=0, updated_at=harness.now)
    await harness.refuse(mint_intent(0))
    [noop] = await harness.sent_to(SIGN)
    await harness.broadcast(noop)
    harness.chain.mine()
    final = harness.chain.finalize()
    harness.store.indexed = replace(final, hash=b"\x0a" * 32)
    await harness.sweep(after=301)
    assert len(harness.open()) == 2
    harness.store.indexed = final
    await harness.sweep(after=20)
    assert harness.open() == []


async def test_watch__when_the_node_is_behind_the_final_block__then_what_is_final_counts_as_used(
    harness: Harness,
) -> None:
    await sent(harness, mint_intent())
    harness.chain.mine()
    harness.finalize()
    harness.chain.counts.clear()
    sends = len(harness.chain.sends)
    await harness.sweep(after=20)
    assert len(harness.chain.sends) == sends


async def test_watch__when_a_reorg_dropped_a_mint__then_the_same_bytes_go_out_at_once(
    harness: Harness,
) -> None:
    await sent(harness, mint_intent())
    harness.chain.pool.clear()
    harness.now += 1
    await harness.handle(ReviewMint(mint_id=mint_intent().mint_id))
    assert harness.chain.sends == [sign(mint_intent()).raw] * 2
    assert [tx_hash for tx_hash, _ in harness.chain.pool.values()] == [sign(mint_intent()).tx_hash]


async def test_watch__when_the_bytes_were_never_written_down__then_they_are_signed_once_more(
    harness: Harness,
) -> None:
    intent = mint_intent()
    await sent(harness, intent)
    harness.store.signed.clear()
    await harness.sweep(after=20)
    [again] = await harness.sent_to(SIGN)
    assert sign(again).tx_hash == harness.mint(intent).attempts[0].tx_hash
    await harness.broadcast(again)
    assert len(harness.mint(intent).attempts) == 1
    assert len(harness.store.signed) == 1


# Replaced


async def test_watch__when_the_first_is_too_old_in_blocks__then_it_is_replaced_with_fees_an_eighth_higher(
    harness: Harness,
) -> None:
    await sent(harness, mint_intent(0), mint_intent(1))
    blocks(harness, 5)
    await harness.sweep()
    assert await harness.sent_to(SIGN) == []
    blocks(harness, 1)
    await harness.sweep()
    # The second cannot be mined before the first, so its age says nothing.
    [replacement] = await harness.sent_to(SIGN)
    assert isinstance(replacement, SignMint)
    assert (replacement.nonce, replacement.attempt) == (0, 1)
    assert replacement.fees.max_fee_per_gas == 11_250_000_000
    assert replacement.fees.max_priority_fee_per_gas == 1_125_000_000
    assert replacement.model_copy(update={"fees": mint_intent(0).fees, "attempt": 0}) == mint_intent(0)
    assert harness.counted("replacements_total", cause="age") == 1


async def test_watch__when_the_market_rose_above_the_fee_cap__then_all_that_wait_are_replaced(
    harness: Harness,
) -> None:
    await sent(harness, mint_intent(0), mint_intent(1), mint_intent(2, fees=40 * GWEI))
    harness.chain.base_fee = 20 * GWEI
    await harness.sweep(after=20)
    replacements = await harness.sent_to(SIGN)
    assert [replacement.nonce for replacement in replacements] == [0, 1]
    assert all(replacement.fees.max_fee_per_gas >= 40 * GWEI for replacement in replacements)
    assert harness.counted("replacements_total", cause="market") == 2


async def test_watch__when_a_replacement_is_under_way__then_no_second_one_is_asked_for(
    harness: Harness,
) -> None:
    await sent(harness, mint_intent())
    blocks(harness, 6)
    await asyncio.gather(*(harness.sweeper().sweep() for _ in range(4)))
    await harness.sweep(after=1)
    assert len(await harness.sent_to(SIGN)) == 1


async def test_watch__when_replacements_go_unmined__then_each_has_higher_fees_and_all_are_kept_until_one_ends(
    harness: Harness,
) -> None:
    intent = mint_intent()
    await sent(harness, intent)
    harness.chain.base_fee = 11 * GWEI
    for _ in range(5):
        blocks(harness, 6)
        await harness.sweep()
        for message in await harness.sent_to(SIGN):
            await harness.broadcast(message)
    fees = [attempt.max_fee_per_gas for attempt in harness.mint(intent).attempts]
    assert len(fees) == 6
    assert all(later * 8 >= earlier * 9 for earlier, later in itertools.pairwise(fees))
    harness.chain.mine()
    [mined] = harness.chain.receipts
    assert mined in [attempt.tx_hash for attempt in harness.mint(intent).attempts]
    await harness.sweep(after=100)
    assert await harness.sent_to(SIGN) == []


async def test_watch__when_the_cap_is_reached__then_it_waits_and_lives(harness: Harness) -> None:
    await sent(harness, mint_intent(fees=95 * GWEI))
    blocks(harness, 10)
    await harness.sweep()
    assert await harness.sent_to(SIGN) == []
    assert harness.mint(mint_intent()).status is MintStatus.SUBMITTED


async def test_watch__when_a_top_up_is_stuck__then_it_is_replaced_like_any_other(harness: Harness) -> None:
    await harness.broadcast(top_up_intent())
    blocks(harness, 6)
    await harness.sweep()
    [replacement] = await harness.sent_to(SIGN)
    assert isinstance(replacement, SignTopUp)
    assert (replacement.attempt, replacement.value) == (1, top_up_intent().value)
    await harness.broadcast(replacement)
    blocks(harness, 6)
    await harness.sweep()
    [second] = await harness.sent_to(SIGN)
    assert second.attempt == 2


async def test_watch__when_a_noop_took_the_place_of_a_top_up__then_the_noop_is_watched(
    harness: Harness,
) -> None:
    top_up = top_up_intent()
    noop = SignNoop(
        signer=top_up.signer,
        chain_id=31337,
        nonce=0,
        gas=21_000,
        fees=top_up.fees.model_copy(update={"max_fee_per_gas": 20 * GWEI}),
        attempt=1,
    )
    await harness.broadcast(top_up)
    await harness.broadcast(noop)
    harness.chain.pool.clear()
    await harness.sweep(after=20)
    assert [tx_hash for tx_hash, _ in harness.chain.pool.values()] == [sign(noop).tx_hash]


# Gaps


async def test_gap__when_nothing_is_on_its_way_for_a_nonce__then_a_noop_fills_it_once_others_waited(
    harness: Harness,
) -> None:
    await sent(harness, mint_intent(2))
    await harness.sweep(after=59)
    assert await harness.sent_to(SIGN) == []
    await harness.sweep(after=1)
    noops = await harness.sent_to(SIGN)
    assert [(type(noop), noop.nonce, noop.mint_id) for noop in noops] == [
        (SignNoop, 0, None),
        (SignNoop, 1, None),
    ]
    assert {noop.signer for noop in noops} == {mint_intent().signer}
    assert harness.counted("nonce_gaps_total") == 2
    for noop in noops:
        await harness.broadcast(noop)
    harness.chain.mine()
    assert harness.chain.counts[mint_intent().signer.address] == 3


@pytest.mark.parametrize("status", [MintStatus.BUILT, MintStatus.SUBMITTED])
async def test_gap__when_a_mint_has_the_nonce__then_it_is_none(harness: Harness, status: MintStatus) -> None:
    await sent(harness, mint_intent(1))
    if status is MintStatus.BUILT:
        harness.built(mint_intent(0), created_at=0, updated_at=harness.now)
    else:
        await sent(harness, mint_intent(0))
    harness.chain.pool.clear()
    await harness.sweep(after=120)
    assert [message for message in await harness.sent_to(SIGN) if isinstance(message, SignNoop)] == []


async def test_gap__when_a_pass_does_not_read_everything__then_what_is_on_record_is_none(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mintline_broadcaster import sweep as sweeping

    monkeypatch.setattr(sweeping, "PAGE", 1)
    monkeypatch.setattr(sweeping, "MAX_PAGES", 1)
    for nonce in (1, 0):
        await sent(harness, mint_intent(nonce))
        harness.change(mint_intent(nonce), reserved_at=harness.now - nonce)
    sweeper = harness.sweeper()
    harness.now += 120_000
    await sweeper.sweep()
    assert await harness.sent_to(SIGN) == []


@pytest.mark.parametrize("missing", [0, 4, 9, 18])
async def test_gap__when_many_are_open__then_it_is_filled_wherever_it_is(
    harness: Harness, missing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mintline_broadcaster import monitor

    monkeypatch.setattr(monitor, "CHECK_AHEAD", 4)
    for nonce in range(20):
        if nonce != missing:
            await harness.broadcast(top_up_intent(nonce))
    await harness.sweep(after=60)
    assert [noop.nonce for noop in await harness.sent_to(SIGN)] == [missing]


async def test_gap__when_its_record_was_closed_by_mistake__then_it_is_open_again_and_filled(
    harness: Harness,
) -> None:
    await sent(harness, mint_intent(0), mint_intent(1))
    harness.change(mint_intent(0), state=TransactionState.FINAL, outcome="filled")
    harness.chain.pool.clear()
    await harness.sweep(after=60)
    [noop] = await harness.sent_to(SIGN)
    assert (type(noop), noop.nonce) == (SignNoop, 0)
    assert harness.transaction(mint_intent(0)).state is TransactionState.SUBMITTED
    await harness.broadcast(noop)
    harness.chain.mine()
    harness.finalize()
    await harness.sweep(after=60)
    assert await harness.sent_to(BUILD) == [
        RenewNonce(trace=mint_intent().trace, mint_id=mint_intent().mint_id, nonce=0)
    ]


async def test_look__when_many_wait__then_the_first_ones_alone_are_looked_after(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mintline_broadcaster import monitor

    monkeypatch.setattr(monitor, "CHECK_AHEAD", 4)
    for nonce in range(20):
        await harness.broadcast(top_up_intent(nonce))
    harness.chain.pool.clear()
    await harness.sweep(after=20)
    assert sorted(decoded.nonce for _, decoded in harness.chain.pool.values()) == [0, 1, 2, 3]


async def test_look__when_many_are_mined_and_not_final__then_those_behind_are_sent_again_all_the_same(
    harness: Harness,
) -> None:
    for nonce in range(10):
        await harness.broadcast(top_up_intent(nonce))
    harness.chain.mine()
    for nonce in range(10, 14):
        await harness.broadcast(top_up_intent(nonce))
    harness.chain.pool.clear()
    await harness.sweep(after=20)
    assert sorted(decoded.nonce for _, decoded in harness.chain.pool.values()) == [10, 11, 12, 13]
    harness.finalize()
    await harness.sweep(after=20)
    assert len(harness.open()) == 4


async def test_gap__when_a_dead_mint_left_it_and_its_noop_was_lost__then_it_is_filled(
    harness: Harness,
) -> None:
    harness.built(
        mint_intent(0), status=MintStatus.REJECTED, problem=Problem(code="intrinsic_gas", reason="…")
    )
    await sent(harness, mint_intent(1))
    await harness.sweep(after=60)
    [noop] = await harness.sent_to(SIGN)
    assert noop.nonce == 0


async def test_gap__when_a_dead_mint_left_it_with_nothing_behind__then_it_is_filled_all_the_same(
    harness: Harness,
) -> None:
    harness.built(mint_intent(0), created_at=0, updated_at=harness.now)
    await harness.refuse(mint_intent(0))
    assert len(await harness.sent_to(SIGN)) == 1  # and lost
    harness.now += 301_000
    await harness.sweep()
    [noop] = await harness.sent_to(SIGN)
    assert (type(noop), noop.nonce, noop.mint_id) == (SignNoop, 0, mint_intent(0).mint_id)
    await harness.broadcast(noop)
    harness.chain.mine()
    await harness.sweep(after=300)
    assert await harness.sent_to(SIGN) == []
    assert harness.open()
    harness.finalize()
    await harness.sweep(after=20)
    assert not harness.open()


async def test_gap__when_a_dead_mints_noop_is_on_its_way__then_no_other_is_asked_for(
    harness: Harness,
) -> None:
    harness.built(mint_intent(0), created_at=0, updated_at=harness.now)
    await harness.refuse(mint_intent(0))
    [noop] = await harness.sent_to(SIGN)
    await harness.broadcast(noop)
    harness.now += 301_000
    await harness.sweep()
    assert await harness.sent_to(SIGN) == []


async def test_gap__when_a_lost_top_up_left_it__then_the_treasury_goes_on(harness: Harness) -> None:
    await harness.broadcast(top_up_intent(nonce=1))
    await harness.sweep(after=60)
    [noop] = await harness.sent_to(SIGN)
    assert (noop.nonce, noop.signer) == (0, top_up_intent().signer)


# A nonce that a stranger used


async def test_taken_nonce__when_not_final__then_nothing_yet(harness: Harness) -> None:
    await sent(harness, mint_intent())
    harness.chain.pool.clear()
    harness.chain.use_nonce(mint_intent().signer.address)
    await harness.sweep(after=20)
    assert await harness.sent_to(BUILD) == await harness.sent_to(SIGN) == []


async def test_taken_nonce__when_final__then_another_one_is_asked_for(harness: Harness) -> None:
    await sent(harness, mint_intent())
    harness.chain.pool.clear()
    harness.chain.use_nonce(mint_intent().signer.address)
    harness.finalize()
    await harness.sweep(after=20)
    assert await harness.sent_to(BUILD) == [
        RenewNonce(trace=mint_intent().trace, mint_id=mint_intent().mint_id, nonce=0)
    ]


async def test_taken_nonce__when_any_attempt_of_ours_was_mined__then_nothing_is_asked(
    harness: Harness,
) -> None:
    await sent(harness, mint_intent())
    harness.chain.mine()
    await harness.broadcast(mint_intent(attempt=1, fees=20 * GWEI, tip=2 * GWEI))
    harness.finalize()
    await harness.sweep(after=20)
    assert await harness.sent_to(BUILD) == []


async def test_renewed_nonce__when_signed__then_its_attempt_joins_the_earlier_ones(harness: Harness) -> None:
    await sent(harness, mint_intent())
    harness.chain.pool.clear()
    harness.chain.use_nonce(mint_intent().signer.address)
    harness.finalize()
    again = mint_intent(5, attempt=1, fees=GWEI * 9).evolve(
        mint_id=mint_intent().mint_id, voucher=mint_intent().voucher
    )
    harness.renewed(again)
    await harness.broadcast(again)
    mint = harness.mint(again)
    assert mint.status is MintStatus.SUBMITTED
    assert [(attempt.nonce, attempt.max_fee_per_gas) for attempt in mint.attempts] == [
        (0, 10 * GWEI),
        (5, 9 * GWEI),
    ]
    # A late copy of the first attempt, which can never be mined, changes nothing.
    await harness.sweep(after=20)
    assert harness.transaction(mint_intent()).outcome == "filled"
    harness.chain.sends.clear()
    await harness.broadcast(mint_intent())
    assert harness.chain.sends == []
    assert harness.mint(again) == mint


async def test_renewed_nonce__when_its_signing_is_refused__then_the_mint_ends(harness: Harness) -> None:
    await sent(harness, mint_intent())
    again = mint_intent(5, attempt=1).evolve(
        mint_id=mint_intent().mint_id,
        voucher=mint_intent().voucher,
        authorization=mint_intent().authorization,
    )
    harness.renewed(again)
    await harness.refuse(again, "token_expired")
    assert harness.mint(again).status is MintStatus.REJECTED
    [noop] = await harness.sent_to(SIGN)
    assert noop.nonce == 5


# Stopped by its user


async def test_cancel__when_submitted__then_a_noop_asks_for_its_nonce_at_once(harness: Harness) -> None:
    await sent(harness, mint_intent())
    harness.stop(mint_intent())
    await harness.handle(ReviewMint(mint_id=mint_intent().mint_id))
    [noop] = await harness.sent_to(SIGN)
    assert isinstance(noop, SignNoop)
    assert (noop.nonce, noop.mint_id) == (0, mint_intent().mint_id)
    assert noop.fees.max_fee_per_gas == 11_250_000_000


async def test_cancel__when_the_review_was_lost__then_the_sweep_asks(harness: Harness) -> None:
    await sent(harness, mint_intent())
    harness.stop(mint_intent())
    await harness.sweep(after=20)
    assert [type(message) for message in await harness.sent_to(SIGN)] == [SignNoop]


async def test_cancel__when_the_noop_wins_finally__then_the_mint_is_cancelled(harness: Harness) -> None:
    await sent(harness, mint_intent())
    harness.stop(mint_intent())
    await harness.handle(ReviewMint(mint_id=mint_intent().mint_id))
    for noop in await harness.sent_to(SIGN):
        await harness.broadcast(noop)
    harness.chain.mine()
    await harness.sweep(after=20)
    assert harness.mint(mint_intent()).status is MintStatus.SUBMITTED
    harness.finalize()
    await harness.sweep(after=20)
    mint = harness.mint(mint_intent())
    assert mint.status is MintStatus.REJECTED
    assert mint.problem is not None
    assert mint.problem.code == "cancelled"
    assert await harness.sent_to(BUILD) == []


async def test_cancel__when_the_mint_wins__then_it_is_left_to_the_indexer(harness: Harness) -> None:
    await sent(harness, mint_intent())
    harness.stop(mint_intent())
    await harness.handle(ReviewMint(mint_id=mint_intent().mint_id))
    harness.chain.mine()
    for noop in await harness.sent_to(SIGN):
        await harness.broadcast(noop)
    harness.finalize()
    await harness.sweep(after=20)
    assert harness.mint(mint_intent()).status is MintStatus.SUBMITTED
    assert await harness.sent_to(BUILD) == []


async def test_cancel__when_asked_for__then_the_mints_own_bytes_are_sent_no_more(harness: Harness) -> None:
    await sent(harness, mint_intent())
    harness.stop(mint_intent())
    harness.chain.pool.clear()
    harness.chain.sends.clear()
    await harness.broadcast(mint_intent())
    await harness.broadcast(mint_intent(attempt=1, fees=20 * GWEI, tip=2 * GWEI))
    await harness.sweep(after=40)
    assert harness.chain.sends == []


async def test_cancel__when_a_built_mint_was_rejected_for_it__then_its_nonce_is_filled(
    harness: Harness,
) -> None:
    harness.built(mint_intent(3), status=MintStatus.REJECTED, problem=Problem(code="cancelled", reason="…"))
    await harness.handle(ReviewMint(mint_id=mint_intent(3).mint_id))
    [noop] = await harness.sent_to(SIGN)
    assert (noop.nonce, noop.mint_id) == (3, mint_intent(3).mint_id)
    for _ in range(4):
        harness.chain.use_nonce(mint_intent(3).signer.address)
    harness.now += 301_000
    await harness.handle(ReviewMint(mint_id=mint_intent(3).mint_id))
    assert await harness.sent_to(SIGN) == []


# Money


async def test_watch__when_the_wallet_has_no_money__then_it_asks_for_it_and_keeps_the_nonce(
    harness: Harness,
) -> None:
    await sent(harness, mint_intent())
    harness.chain.pool.clear()
    harness.chain.balances[mint_intent().signer.address] = 0
    await harness.sweep(after=20)
    [fund] = await harness.sent_to(BUILD)
    assert fund == FundWallet(
        wallet=mint_intent().signer.address, required=120_000 * 10 * GWEI, balance=0, trace=fund.trace
    )
    assert harness.mint(mint_intent()).status is MintStatus.SUBMITTED
    del harness.chain.balances[mint_intent().signer.address]
    await harness.sweep(after=20)
    assert len(harness.chain.pool) == 1


async def test_watch__when_the_treasury_has_no_money__then_its_top_up_waits_and_is_counted(
    harness: Harness,
) -> None:
    await harness.broadcast(top_up_intent())
    harness.chain.pool.clear()
    harness.chain.balances[top_up_intent().signer.address] = 0
    for _ in range(3):
        await harness.sweep(after=20)
    assert harness.counted("treasury_low_total") == 3
    assert await harness.sent_to(BUILD) == await harness.sent_to(SIGN) == []
    del harness.chain.balances[top_up_intent().signer.address]
    await harness.sweep(after=20)
    assert len(harness.chain.pool) == 1


# A voucher that ran out


async def test_watch__when_the_voucher_ran_out__then_a_noop_frees_the_mint_for_another_nonce(
    harness: Harness,
) -> None:
    await sent(harness, mint_intent(fees=95 * GWEI))
    harness.now = mint_intent().voucher.deadline * 1000
    harness.chain.sends.clear()
    await harness.sweep()
    [noop] = await harness.sent_to(SIGN)
    assert (type(noop), noop.nonce) == (SignNoop, 0)
    assert harness.chain.sends == []
    harness.chain.pool.clear()
    await harness.broadcast(noop)
    harness.chain.mine()
    harness.finalize()
    await harness.sweep(after=20)
    assert [type(message) for message in await harness.sent_to(BUILD)] == [RenewNonce]
    assert harness.mint(mint_intent()).status is MintStatus.SUBMITTED


async def test_refused__when_a_noop_was_signed_before__then_it_came_late_and_nobody_is_called(
    harness: Harness,
) -> None:
    await sent(harness, mint_intent())
    await harness.refuse(mint_intent().evolve(attempt=1), "memory_nonce_filled")
    assert await harness.sent_to(SIGN) == await harness.sent_to(BUILD) == []


async def test_refused__when_a_noop_was_signed_before_a_top_up__then_the_noop_is_asked_for_again(
    harness: Harness,
) -> None:
    intent = top_up_intent(nonce=3)
    harness.reserved(intent)
    await harness.refuse(intent, "memory_nonce_filled")
    [noop] = await harness.sent_to(SIGN)
    assert (type(noop), noop.nonce, noop.signer) == (SignNoop, 3, intent.signer)
    assert harness.transaction(intent).filling_at == harness.now


@pytest.mark.parametrize("code", ["memory_nonce_filled", "policy_fee"])
async def test_refused__when_a_top_up_names_the_nonce_of_a_mint__then_the_mint_keeps_it(
    harness: Harness, code: str
) -> None:
    """A queue writer can make up the refusal of what nobody asked for."""
    await sent(harness, mint_intent())
    forged = top_up_intent(nonce=0).evolve(signer=mint_intent().signer)
    with suppress(Rejected):
        await harness.refuse(forged, code)
    assert harness.transaction(mint_intent()).filling_at is None
    assert await harness.sent_to(SIGN) == []


# What the index could not use


@pytest.mark.parametrize("recorded", [True, False], ids=["attempt-on-record", "attempt-unrecorded"])
async def test_used_nonce__when_the_index_passed_over_its_transaction__then_its_mint_ends_by_its_token(
    harness: Harness, *, recorded: bool
) -> None:
    await sent(harness, mint_intent())
    if not recorded:
        harness.change(mint_intent(), attempts=())
    harness.chain.mine()
    transfer = harness.redeemed(mint_intent(), block=harness.chain.number)
    harness.finalize()
    await harness.sweep(after=20)
    mint = harness.mint(mint_intent())
    assert (mint.status, mint.tx_hash) == (MintStatus.FINALIZED, transfer.tx_hash)
    await harness.sweep(after=20)
    assert harness.open() == []
    assert await harness.sent_to(BUILD) == []


async def test_used_nonce__when_our_attempt_failed_and_the_index_passed_over_it__then_the_mint_gets_another(
    harness: Harness,
) -> None:
    await sent(harness, mint_intent())
    harness.chain.mine()
    [receipt] = harness.chain.receipts.values()
    harness.chain.receipts[receipt.tx_hash] = replace(receipt, status=False)
    harness.finalize()
    await harness.sweep(after=20)
    assert [type(message) for message in await harness.sent_to(BUILD)] == [RenewNonce]
