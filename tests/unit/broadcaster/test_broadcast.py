from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from mintline.chain.send_facts import SendAnswer, SendFact
from mintline.errors import Conflict, Deferred, Rejected, Retryable, Throttled, Unavailable
from mintline.eth import GWEI
from mintline.messages.intents import AnyIntent, SignMint, SignNoop
from mintline.messages.work import FundWallet
from mintline.records.problems import Problem
from mintline.refusals import UNKNOWN, problem_of
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus
from mintline_broadcaster.on_record import OutcomeRefused
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent, noop_intent, sign, top_up_intent

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def answering(harness: Harness, fact: SendFact, message: str = "") -> None:
    """Have the node answer one fact to everything."""

    async def send_raw(raw: bytes) -> SendAnswer:
        harness.chain.sends.append(raw)
        return SendAnswer(fact, message)

    harness.chain.send_raw = send_raw  # type: ignore[method-assign]


async def test_broadcast__when_the_mint_is_built__then_it_is_submitted_on_record_and_in_the_pool(
    harness: Harness,
) -> None:
    intent = mint_intent()
    harness.built(intent)
    await harness.broadcast(intent)
    mint = harness.mint(intent)
    message = sign(intent)
    assert (mint.status, mint.submitted_at) == (MintStatus.SUBMITTED, harness.now)
    [attempt] = mint.attempts
    assert (attempt.tx_hash, attempt.max_fee_per_gas, attempt.at) == (
        message.tx_hash,
        10 * GWEI,
        harness.now,
    )
    recorded = harness.store.signed[message.tx_hash]
    assert (recorded.raw, recorded.nonce, recorded.kind) == (message.raw, 0, "sign_mint")
    assert harness.store.mints[intent.mint_id].status is MintStatus.BUILT, "read off its transaction"
    assert [tx_hash for tx_hash, _ in harness.chain.pool.values()] == [message.tx_hash]


async def test_broadcast__when_either_write_fails__then_nothing_is_sent(harness: Harness) -> None:
    async def failing(*_: Any, **__: Any) -> None:
        await asyncio.sleep(0)
        raise Unavailable("DynamoDB")

    for method in ("record", "enter"):
        intent = mint_intent()
        harness.built(intent)
        setattr(harness.store, method, failing)
        with pytest.raises(Unavailable):
            await harness.broadcast(intent)
        delattr(harness.store, method)
        assert harness.chain.sends == []


async def test_broadcast__when_redelivered__then_the_attempt_is_on_record_once(harness: Harness) -> None:
    intent = mint_intent()
    harness.built(intent)
    for _ in range(3):
        await harness.broadcast(intent)
        harness.now += 1
    mint = harness.mint(intent)
    assert len(mint.attempts) == 1
    assert mint.attempts[0].at == mint.submitted_at
    assert len(harness.chain.pool) == 1


async def test_broadcast__when_duplicates_run_at_once__then_the_attempt_is_on_record_once(
    harness: Harness,
) -> None:
    first, second = mint_intent(), mint_intent(attempt=1, fees=20 * GWEI, tip=2 * GWEI)
    harness.built(first)
    await asyncio.gather(
        *(harness.broadcast(intent) for intent in (first, second) * 8), return_exceptions=True
    )
    hashes = [attempt.tx_hash for attempt in harness.mint(first).attempts]
    assert len(hashes) == 2
    assert len(set(hashes)) == 2


async def test_broadcast__when_a_replacement__then_it_is_appended_and_takes_the_place(
    harness: Harness,
) -> None:
    first, second = mint_intent(), mint_intent(attempt=1, fees=20 * GWEI, tip=2 * GWEI)
    harness.built(first)
    await harness.broadcast(first)
    submitted_at = harness.now
    harness.now += 5
    await harness.broadcast(second)
    mint = harness.mint(first)
    assert [attempt.max_fee_per_gas for attempt in mint.attempts] == [10 * GWEI, 20 * GWEI]
    assert (mint.submitted_at, mint.updated_at) == (submitted_at, harness.now)
    assert [tx_hash for tx_hash, _ in harness.chain.pool.values()] == [sign(second).tx_hash]


@pytest.mark.parametrize("status", [MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REVERTED])
async def test_broadcast__when_the_mint_is_mined__then_nothing_is_sent_or_changed(
    harness: Harness, status: MintStatus
) -> None:
    intent = mint_intent()
    before = harness.built(intent, status=status)
    await harness.broadcast(intent)
    assert harness.chain.sends == []
    assert harness.mint(intent) == before


async def test_broadcast__when_the_mint_is_rejected__then_its_nonce_is_filled_and_it_is_not_sent(
    harness: Harness,
) -> None:
    intent = mint_intent(nonce=4)
    harness.built(intent, status=MintStatus.REJECTED, problem=Problem(code="intrinsic_gas", reason="…"))
    await harness.broadcast(intent)
    assert harness.chain.sends == []
    [noop] = await harness.sent_to(SIGN)
    assert isinstance(noop, SignNoop)
    assert (noop.nonce, noop.signer, noop.mint_id, noop.gas) == (4, intent.signer, intent.mint_id, 25_200)


async def test_broadcast__when_the_nonce_of_a_rejected_mint_is_taken__then_no_noop(harness: Harness) -> None:
    intent = mint_intent()
    harness.built(intent, status=MintStatus.REJECTED, problem=Problem(code="cancelled", reason="…"))
    harness.chain.use_nonce(intent.signer.address)
    await harness.broadcast(intent)
    assert await harness.sent_to(SIGN) == []


@pytest.mark.parametrize("changes", [{"nonce": 5}, {"mint_id": "mint_other"}])
async def test_broadcast__when_no_mint_has_that_nonce__then_rejected_and_not_sent(
    harness: Harness, changes: dict[str, Any]
) -> None:
    intent = mint_intent()
    harness.built(intent, **changes)
    with pytest.raises(Rejected, match=r"(mint|transaction)_unknown"):
        await harness.broadcast(intent)
    assert harness.chain.sends == []


async def test_broadcast__when_the_hash_is_not_the_bytes__then_rejected_and_not_on_record(
    harness: Harness,
) -> None:
    intent = mint_intent()
    harness.built(intent)
    with pytest.raises(Rejected, match="hash_mismatch"):
        await harness.handle(sign(intent).model_copy(update={"tx_hash": bytes(32)}))
    assert harness.store.signed == {}
    assert harness.mint(intent).status is MintStatus.BUILT


@pytest.mark.parametrize("make", [top_up_intent, noop_intent])
async def test_broadcast__when_it_mints_nothing__then_on_record_without_a_mint_and_sent(
    harness: Harness, make: Callable[[], AnyIntent]
) -> None:
    intent = make()
    await harness.broadcast(intent)
    [recorded] = harness.store.signed.values()
    assert recorded.mint_id is None
    assert harness.transaction(intent).operations == ()
    assert len(harness.chain.pool) == 1


@pytest.mark.parametrize(
    ("fact", "error"),
    [
        (SendFact.POOL_FULL, Throttled),
        (SendFact.UNKNOWN, Unavailable),
        (SendFact.NONCE_TOO_HIGH, Deferred),
    ],
)
async def test_broadcast__when_the_node_cannot_take_it_now__then_retried_and_still_submitted(
    harness: Harness, fact: SendFact, error: type[Retryable]
) -> None:
    intent = mint_intent()
    harness.built(intent)
    answering(harness, fact, "words")
    with pytest.raises(error):
        await harness.broadcast(intent)
    assert harness.mint(intent).status is MintStatus.SUBMITTED
    assert await harness.sent_to(SIGN) == []


async def test_broadcast__when_no_node_can_read_it__then_dead_lettered_at_once(harness: Harness) -> None:
    intent = mint_intent()
    harness.built(intent)
    answering(harness, SendFact.MALFORMED, "rlp: expected input list")
    with pytest.raises(Rejected, match="rlp: expected"):
        await harness.broadcast(intent)


# Underpriced


@pytest.mark.parametrize(
    "fact", [SendFact.REPLACEMENT_UNDERPRICED, SendFact.UNDERPRICED, SendFact.FEE_CAP_BELOW_BASE_FEE]
)
async def test_underpriced__when_below_the_caps__then_signed_again_with_fees_an_eighth_higher(
    harness: Harness, fact: SendFact
) -> None:
    intent = mint_intent(nonce=3)
    harness.built(intent)
    answering(harness, fact)
    await harness.broadcast(intent)
    [again] = await harness.sent_to(SIGN)
    assert isinstance(again, SignMint)
    assert again.attempt == 1
    assert again.fees.max_fee_per_gas == 11_250_000_000
    assert again.fees.max_priority_fee_per_gas == 1_125_000_000
    assert again.model_copy(update={"fees": intent.fees, "attempt": 0}) == intent


async def test_underpriced__when_the_base_fee_ran_away__then_the_next_attempt_follows_it(
    harness: Harness,
) -> None:
    intent = mint_intent()
    harness.built(intent)
    harness.chain.base_fee = 30 * GWEI
    answering(harness, SendFact.FEE_CAP_BELOW_BASE_FEE)
    await harness.broadcast(intent)
    [again] = await harness.sent_to(SIGN)
    assert again.fees.max_fee_per_gas == 2 * 30 * GWEI + again.fees.max_priority_fee_per_gas


async def test_underpriced__when_at_the_cap__then_deferred_and_nothing_signed(harness: Harness) -> None:
    intent = mint_intent(fees=95 * GWEI)
    harness.built(intent)
    answering(harness, SendFact.UNDERPRICED)
    with pytest.raises(Deferred) as caught:
        await harness.broadcast(intent)
    assert caught.value.retry_after
    assert await harness.sent_to(SIGN) == []


async def test_underpriced__when_an_attempt_with_higher_fees_is_on_record__then_the_old_one_is_dropped(
    harness: Harness,
) -> None:
    first, second = mint_intent(), mint_intent(attempt=1, fees=20 * GWEI, tip=2 * GWEI)
    harness.built(first)
    await harness.broadcast(first)
    await harness.broadcast(second)
    await harness.broadcast(first)
    assert await harness.sent_to(SIGN) == []


async def test_underpriced__when_redelivered__then_one_replacement_is_asked_for(harness: Harness) -> None:
    intent = mint_intent()
    harness.built(intent)
    answering(harness, SendFact.REPLACEMENT_UNDERPRICED)
    await harness.broadcast(intent)
    await harness.broadcast(intent)
    assert len(await harness.sent_to(SIGN)) == 1


async def test_underpriced__when_the_message_carries_another_authorization__then_the_records_is_signed_by(
    harness: Harness,
) -> None:
    own = mint_intent()
    harness.built(own)
    answering(harness, SendFact.REPLACEMENT_UNDERPRICED)
    await harness.broadcast(own.evolve(authorization=b"another"))
    [replacement] = await harness.sent_to(SIGN)
    assert replacement.authorization == own.authorization


async def test_underpriced__when_a_top_up__then_its_replacement_is_no_duplicate_of_it(
    harness: Harness,
) -> None:
    intent = top_up_intent(nonce=7)
    await harness.queues.send(SIGN, intent, group=intent.signer.address, dedup=f"topup:{intent.recipient}:7")
    answering(harness, SendFact.UNDERPRICED)
    await harness.broadcast(intent)
    attempts = [message.attempt for message in await harness.sent_to(SIGN)]
    assert attempts == [0, 1]


# Funds


async def test_insufficient_funds__when_a_wallet__then_its_price_is_asked_for_once_a_minute(
    harness: Harness,
) -> None:
    intent = mint_intent(nonce=3)
    harness.built(intent)
    harness.chain.balances[intent.signer.address] = 1
    harness.chain.counts[intent.signer.address] = 1
    for _ in range(3):
        with pytest.raises(Deferred):
            await harness.broadcast(intent)
    [fund] = await harness.sent_to(BUILD)
    assert isinstance(fund, FundWallet)
    assert (fund.wallet, fund.required, fund.balance) == (intent.signer.address, 120_000 * 10 * GWEI, 1)
    harness.now += 60_000
    with pytest.raises(Deferred):
        await harness.broadcast(intent)
    assert len(await harness.sent_to(BUILD)) == 1


async def test_insufficient_funds__when_they_came__then_the_same_transaction_goes_out(
    harness: Harness,
) -> None:
    intent = mint_intent()
    harness.built(intent)
    harness.chain.balances[intent.signer.address] = 0
    with pytest.raises(Deferred):
        await harness.broadcast(intent)
    del harness.chain.balances[intent.signer.address]
    await harness.broadcast(intent)
    assert [tx_hash for tx_hash, _ in harness.chain.pool.values()] == [sign(intent).tx_hash]
    assert len(harness.mint(intent).attempts) == 1


async def test_insufficient_funds__when_the_treasury__then_it_waits_and_nobody_is_asked(
    harness: Harness,
) -> None:
    intent = top_up_intent()
    harness.chain.balances[intent.signer.address] = 0
    with pytest.raises(Deferred) as caught:
        await harness.broadcast(intent)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 10
    assert await harness.sent_to(BUILD) == []


# Gas


@pytest.mark.parametrize(("gas", "code"), [(100, "intrinsic_gas"), (10**9, "exceeds_block_gas")])
async def test_gas__when_it_can_never_do__then_the_mint_is_rejected_and_its_nonce_filled(
    harness: Harness, gas: int, code: str
) -> None:
    intent = mint_intent(nonce=2, gas=gas)
    harness.built(intent)
    await harness.broadcast(intent)
    mint = harness.mint(intent)
    assert mint.status is MintStatus.REJECTED
    assert mint.problem is not None
    assert mint.problem.code == code
    [noop] = await harness.sent_to(SIGN)
    assert isinstance(noop, SignNoop)
    assert (noop.nonce, noop.attempt) == (2, 1)


async def test_gas__when_the_noop_was_lost__then_redelivery_sends_it(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = mint_intent(gas=100)
    harness.built(intent)
    with monkeypatch.context() as lost:
        lost.setattr(harness.queues, "send", None)
        with pytest.raises(TypeError):
            await harness.broadcast(intent)
    assert harness.mint(intent).status is MintStatus.REJECTED
    await harness.broadcast(intent)
    assert [type(message) for message in await harness.sent_to(SIGN)] == [SignNoop]


async def test_gas__when_it_is_a_top_up__then_its_nonce_is_filled_and_an_operator_told(
    harness: Harness,
) -> None:
    answering(harness, SendFact.INTRINSIC_GAS)
    with pytest.raises(Rejected, match="intrinsic_gas"):
        await harness.broadcast(top_up_intent(nonce=3))
    [noop] = await harness.sent_to(SIGN)
    assert isinstance(noop, SignNoop)
    assert noop.nonce == 3


# Nonce too low


async def test_nonce_too_low__when_this_very_transaction_is_mined__then_done(harness: Harness) -> None:
    intent = mint_intent()
    harness.built(intent)
    await harness.broadcast(intent)
    harness.chain.mine()
    await harness.broadcast(intent)
    assert harness.mint(intent).status is MintStatus.SUBMITTED


async def test_nonce_too_low__when_another_attempt_is_mined__then_done(harness: Harness) -> None:
    first, second = mint_intent(), mint_intent(attempt=1, fees=20 * GWEI, tip=2 * GWEI)
    harness.built(first)
    await harness.broadcast(first)
    harness.chain.mine()
    harness.finalize()
    await harness.broadcast(second)
    assert harness.mint(first).status is MintStatus.SUBMITTED
    assert len(harness.mint(first).attempts) == 2


async def test_nonce_too_low__when_a_stranger_used_it_not_yet_finally__then_the_watch_decides_later(
    harness: Harness,
) -> None:
    intent = mint_intent()
    harness.built(intent)
    harness.chain.use_nonce(intent.signer.address)
    # Its message is done: left on the queue until finality, it would hold up the sender's later ones.
    await harness.broadcast(intent)
    assert harness.mint(intent).status is MintStatus.SUBMITTED
    assert await harness.sent_to(BUILD) == []


async def test_nonce_too_low__when_a_stranger_used_it_finally__then_the_mint_gets_another(
    harness: Harness,
) -> None:
    intent = mint_intent()
    harness.built(intent)
    harness.chain.use_nonce(intent.signer.address)
    harness.finalize()
    await harness.broadcast(intent)
    assert harness.mint(intent).status is MintStatus.SUBMITTED
    assert await harness.sent_to(SIGN) == []
    [renewal] = await harness.sent_to(BUILD)
    assert (renewal.type, renewal.mint_id, renewal.nonce) == ("renew_nonce", intent.mint_id, 0)


@pytest.mark.parametrize("make", [top_up_intent, noop_intent])
async def test_nonce_too_low__when_it_mints_nothing__then_done_whoever_used_it(
    harness: Harness, make: Callable[[], AnyIntent]
) -> None:
    intent = make()
    harness.chain.use_nonce(intent.signer.address)
    await harness.broadcast(intent)


# Refused signing


async def test_refused__when_a_built_mint__then_rejected_with_the_policys_reason_and_its_nonce_filled(
    harness: Harness,
) -> None:
    intent = mint_intent(nonce=6)
    harness.built(intent)
    await harness.refuse(intent, "policy_fee")
    mint = harness.mint(intent)
    assert (mint.status, mint.problem) == (
        MintStatus.REJECTED,
        Problem(code="policy_fee", reason="The fee per gas exceeds the signing policy's."),
    )
    [noop] = await harness.sent_to(SIGN)
    assert isinstance(noop, SignNoop)
    assert noop.nonce == 6


@pytest.mark.parametrize(
    ("code", "problem"), [("policy_gas", problem_of("policy_gas")), ("pay_us", UNKNOWN), ("signed", UNKNOWN)]
)
async def test_refused__when_the_message_brings_a_text_or_code_of_its_own__then_the_user_reads_ours(
    harness: Harness, code: str, problem: Problem
) -> None:
    intent = mint_intent()
    harness.built(intent)
    await harness.refuse(intent, code, "Your wallet is locked. Visit https://evil.example <script>")
    assert harness.mint(intent).problem == problem


async def test_refused__when_a_noops_refusal_brings_a_text_of_its_own__then_the_dead_letter_has_ours(
    harness: Harness,
) -> None:
    with pytest.raises(Rejected) as caught:
        await harness.refuse(noop_intent(), "pay_us", "Visit https://evil.example")
    assert (caught.value.code, caught.value.reason) == (UNKNOWN.code, UNKNOWN.reason)


async def test_refused__when_the_fee_was_above_the_caps__then_the_noops_is_not(harness: Harness) -> None:
    intent = mint_intent(fees=1000 * GWEI, tip=900 * GWEI)
    harness.built(intent)
    await harness.refuse(intent)
    [noop] = await harness.sent_to(SIGN)
    assert noop.fees.max_fee_per_gas == harness.caps.max_fee_per_gas
    assert noop.fees.max_priority_fee_per_gas == harness.caps.max_priority_fee_per_gas


async def test_refused__when_redelivered__then_the_noop_is_asked_for_again(harness: Harness) -> None:
    intent = mint_intent()
    harness.built(intent)
    await harness.refuse(intent)
    await harness.sent_to(SIGN)
    harness.now += 301_000
    await harness.refuse(intent)
    assert [type(message) for message in await harness.sent_to(SIGN)] == [SignNoop]


async def test_refused__when_a_noop_took_a_built_mints_nonce__then_the_mint_lives_and_asks_for_another(
    harness: Harness,
) -> None:
    intent = mint_intent(nonce=6)
    harness.built(intent)
    await harness.refuse(intent, "memory_nonce_filled")
    assert harness.mint(intent).status is MintStatus.BUILT
    [noop] = await harness.sent_to(SIGN)
    assert (type(noop), noop.nonce) == (SignNoop, 6)
    [renewal] = await harness.sent_to(BUILD)
    assert (renewal.type, renewal.mint_id, renewal.nonce) == ("renew_nonce", intent.mint_id, 6)


NOT_THE_MINTS = pytest.mark.parametrize(
    "changes", [{"nonce": 7}, {"sender": 1}, {}], ids=["nonce", "sender", "no-mint"]
)


def strange_intent(harness: Harness, changes: dict[str, int]) -> SignMint:
    """Return an intent that is not the built mint's own; without changes there is no such mint."""
    intent = mint_intent(nonce=6)
    if changes:
        harness.built(intent)
    strange: SignMint = mint_intent(**{"nonce": 6, **changes}).model_copy(update={"mint_id": intent.mint_id})
    return strange


@NOT_THE_MINTS
async def test_refused__when_a_noop_took_a_nonce_that_is_not_the_mints__then_nothing_is_done(
    harness: Harness, changes: dict[str, int]
) -> None:
    strange = strange_intent(harness, changes)
    with pytest.raises(OutcomeRefused) if changes else nullcontext():
        await harness.refuse(strange, "memory_nonce_filled")
    assert await harness.sent_to(SIGN) == await harness.sent_to(BUILD) == []


@NOT_THE_MINTS
async def test_refused__when_the_intent_is_not_the_mints_own__then_dead_lettered_and_nothing_done(
    harness: Harness, changes: dict[str, int]
) -> None:
    strange = strange_intent(harness, changes)
    with pytest.raises(Rejected, match="mint_unknown"):
        await harness.refuse(strange)
    assert [mint.status for mint in harness.store.mints.values()] == [MintStatus.BUILT] * bool(changes)
    assert await harness.sent_to(SIGN) == []


async def test_refused__when_the_mint_is_submitted_already__then_it_lives(harness: Harness) -> None:
    intent = mint_intent()
    harness.built(intent)
    await harness.broadcast(intent)
    with pytest.raises(Conflict):
        await harness.refuse(intent)
    assert harness.mint(intent).status is MintStatus.SUBMITTED
    assert await harness.sent_to(SIGN) == []


async def test_refused__when_a_replacement__then_the_earlier_attempt_stands(harness: Harness) -> None:
    intent = mint_intent()
    harness.built(intent)
    await harness.broadcast(intent)
    with pytest.raises(Rejected, match="fee"):
        await harness.refuse(mint_intent(attempt=1))
    assert harness.mint(intent).status is MintStatus.SUBMITTED


async def test_refused__when_a_noop__then_it_is_an_operators_business(harness: Harness) -> None:
    with pytest.raises(Rejected):
        await harness.refuse(noop_intent())
    assert await harness.sent_to(SIGN) == []


async def test_refused__when_a_top_up__then_its_nonce_is_filled_and_an_operator_told(
    harness: Harness,
) -> None:
    intent = top_up_intent(nonce=4)
    with pytest.raises(Rejected, match="fee"):
        await harness.refuse(intent)
    [noop] = await harness.sent_to(SIGN)
    assert isinstance(noop, SignNoop)
    assert (noop.signer, noop.nonce, noop.mint_id) == (intent.signer, 4, None)


async def test_refused__when_a_top_ups_replacement__then_the_earlier_attempt_stands(harness: Harness) -> None:
    with pytest.raises(Rejected):
        await harness.refuse(top_up_intent().model_copy(update={"attempt": 1}))
    assert await harness.sent_to(SIGN) == []


async def test_top_ups__when_one_is_refused__then_the_treasurys_later_ones_are_mined(
    harness: Harness,
) -> None:
    with pytest.raises(Rejected):
        await harness.refuse(top_up_intent(nonce=0))
    await harness.broadcast(top_up_intent(nonce=1))
    harness.chain.mine()
    [noop] = await harness.sent_to(SIGN)
    await harness.broadcast(noop)
    harness.chain.mine()
    assert harness.chain.counts[noop.signer.address] == 2


STRANGE: dict[str, Any] = {
    "token id": lambda i: i.evolve(voucher=i.voucher.evolve(token_id=i.voucher.token_id + 1)),
    "recipient": lambda i: i.evolve(voucher=i.voucher.evolve(to=OTHER)),
    "metadata": lambda i: i.evolve(voucher=i.voucher.evolve(metadata_digest=b"\x01" * 32)),
    "deadline": lambda i: i.evolve(voucher=i.voucher.evolve(deadline=1)),
    "contract": lambda i: i.evolve(contract=OTHER),
    "chain": lambda i: i.evolve(chain_id=1),
    "gas": lambda i: i.evolve(gas=i.gas + 1),
    "wallet": lambda i: i.evolve(signer=i.signer.evolve(subject="somebody-else")),
}


@pytest.mark.parametrize("attempt", [0, 1])
@pytest.mark.parametrize("what", STRANGE)
async def test_broadcast__when_the_record_says_otherwise__then_nothing_is_written_or_sent(
    harness: Harness, what: str, attempt: int
) -> None:
    own = mint_intent(nonce=6)
    before = harness.built(own)
    if attempt:
        await harness.broadcast(own)
        before = harness.mint(own)
    known = dict(harness.store.transactions)
    harness.chain.sends.clear()

    with pytest.raises(OutcomeRefused) as caught:
        await harness.broadcast(STRANGE[what](own).evolve(attempt=attempt))

    assert caught.value.mint_id == own.mint_id
    assert (harness.mint(own), harness.store.transactions, harness.chain.sends) == (before, known, [])


@pytest.mark.parametrize("what", [*STRANGE, "authorization", "fees"])
async def test_refused__when_the_enclave_refused_another_request_than_the_records__then_the_mint_goes_on(
    harness: Harness, what: str
) -> None:
    """A queue writer can have the enclave refuse something of its own, in the mint's name."""
    own = mint_intent(nonce=6)
    before = harness.built(own)
    changes = {
        **STRANGE,
        "authorization": lambda i: i.evolve(authorization=b"another"),
        "fees": lambda i: i.evolve(fees=i.fees.evolve(max_fee_per_gas=10**30)),
    }

    with pytest.raises(OutcomeRefused):
        await harness.refuse(changes[what](own))

    assert harness.mint(own) == before
    assert await harness.sent_to(SIGN) == []
