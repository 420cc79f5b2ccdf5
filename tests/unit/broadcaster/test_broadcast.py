from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest

from mintline.chain.send_facts import SendAnswer, SendFact
from mintline.errors import Conflict, Deferred, Rejected, Retryable, Throttled, Unavailable
from mintline.messages import FundWallet, SignMint, SignNoop
from mintline.records import Problem
from mintline.refusals import UNKNOWN, problem_of
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus
from mintline_broadcaster.on_record import OutcomeRefused
from mintline_testkit.constants import GWEI

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def answering(world: Any, fact: SendFact, message: str = "") -> None:
    """Have the node answer one fact to everything."""

    async def send_raw(raw: bytes) -> SendAnswer:
        world.chain.sends.append(raw)
        return SendAnswer(fact, message)

    world.chain.send_raw = send_raw


async def test_broadcast__when_the_mint_is_built__then_it_is_submitted_on_record_and_in_the_pool(
    world: Any, make: Any, signed: Any
) -> None:
    intent = make()
    world.built(intent)
    await world.broadcast(intent)
    mint = world.mint(intent)
    message = signed(intent)
    assert (mint.status, mint.submitted_at) == (MintStatus.SUBMITTED, world.now)
    [attempt] = mint.attempts
    assert (attempt.tx_hash, attempt.max_fee_per_gas, attempt.at) == (
        message.tx_hash,
        10 * GWEI,
        world.now,
    )
    recorded = world.store.signed[message.tx_hash]
    assert (recorded.raw, recorded.nonce, recorded.kind) == (message.raw, 0, "sign_mint")
    assert world.store.mints[intent.mint_id].status is MintStatus.BUILT, "read off its transaction"
    assert [tx_hash for tx_hash, _ in world.chain.pool.values()] == [message.tx_hash]


async def test_broadcast__when_either_write_fails__then_nothing_is_sent(world: Any, make: Any) -> None:
    async def failing(*_: Any, **__: Any) -> None:
        await asyncio.sleep(0)
        raise Unavailable("DynamoDB")

    for method in ("record", "enter"):
        intent = make()
        world.built(intent)
        setattr(world.store, method, failing)
        with pytest.raises(Unavailable):
            await world.broadcast(intent)
        delattr(world.store, method)
        assert world.chain.sends == []


async def test_broadcast__when_redelivered__then_the_attempt_is_on_record_once(world: Any, make: Any) -> None:
    intent = make()
    world.built(intent)
    for _ in range(3):
        await world.broadcast(intent)
        world.now += 1
    mint = world.mint(intent)
    assert len(mint.attempts) == 1
    assert mint.attempts[0].at == mint.submitted_at
    assert len(world.chain.pool) == 1


async def test_broadcast__when_duplicates_run_at_once__then_the_attempt_is_on_record_once(
    world: Any, make: Any
) -> None:
    first, second = make(), make(attempt=1, fees=20 * GWEI, tip=2 * GWEI)
    world.built(first)
    await asyncio.gather(*(world.broadcast(intent) for intent in (first, second) * 8), return_exceptions=True)
    hashes = [attempt.tx_hash for attempt in world.mint(first).attempts]
    assert len(hashes) == 2
    assert len(set(hashes)) == 2


async def test_broadcast__when_a_replacement__then_it_is_appended_and_takes_the_place(
    world: Any, make: Any, signed: Any
) -> None:
    first, second = make(), make(attempt=1, fees=20 * GWEI, tip=2 * GWEI)
    world.built(first)
    await world.broadcast(first)
    submitted_at = world.now
    world.now += 5
    await world.broadcast(second)
    mint = world.mint(first)
    assert [attempt.max_fee_per_gas for attempt in mint.attempts] == [10 * GWEI, 20 * GWEI]
    assert (mint.submitted_at, mint.updated_at) == (submitted_at, world.now)
    assert [tx_hash for tx_hash, _ in world.chain.pool.values()] == [signed(second).tx_hash]


@pytest.mark.parametrize("status", [MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REVERTED])
async def test_broadcast__when_the_mint_is_mined__then_nothing_is_sent_or_changed(
    world: Any, make: Any, status: MintStatus
) -> None:
    intent = make()
    before = world.built(intent, status=status)
    await world.broadcast(intent)
    assert world.chain.sends == []
    assert world.mint(intent) == before


async def test_broadcast__when_the_mint_is_rejected__then_its_nonce_is_filled_and_it_is_not_sent(
    world: Any, make: Any
) -> None:
    intent = make(nonce=4)
    world.built(intent, status=MintStatus.REJECTED, problem=Problem(code="intrinsic_gas", reason="…"))
    await world.broadcast(intent)
    assert world.chain.sends == []
    [noop] = await world.sent_to(SIGN)
    assert isinstance(noop, SignNoop)
    assert (noop.nonce, noop.signer, noop.mint_id, noop.gas) == (4, intent.signer, intent.mint_id, 25_200)


async def test_broadcast__when_the_nonce_of_a_rejected_mint_is_taken__then_no_noop(
    world: Any, make: Any
) -> None:
    intent = make()
    world.built(intent, status=MintStatus.REJECTED, problem=Problem(code="cancelled", reason="…"))
    world.chain.use_nonce(intent.signer.address)
    await world.broadcast(intent)
    assert await world.sent_to(SIGN) == []


@pytest.mark.parametrize("changes", [{"nonce": 5}, {"mint_id": "mint_other"}])
async def test_broadcast__when_no_mint_has_that_nonce__then_rejected_and_not_sent(
    world: Any, make: Any, changes: dict[str, Any]
) -> None:
    intent = make()
    world.built(intent, **changes)
    with pytest.raises(Rejected, match=r"(mint|transaction)_unknown"):
        await world.broadcast(intent)
    assert world.chain.sends == []


async def test_broadcast__when_the_hash_is_not_the_bytes__then_rejected_and_not_on_record(
    world: Any, make: Any, signed: Any
) -> None:
    intent = make()
    world.built(intent)
    with pytest.raises(Rejected, match="hash_mismatch"):
        await world.handle(signed(intent).model_copy(update={"tx_hash": bytes(32)}))
    assert world.store.signed == {}
    assert world.mint(intent).status is MintStatus.BUILT


@pytest.mark.parametrize("kind", ["make_top_up", "make_noop"])
async def test_broadcast__when_it_mints_nothing__then_on_record_without_a_mint_and_sent(
    world: Any, signed: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    intent = request.getfixturevalue(kind)()
    await world.broadcast(intent)
    [recorded] = world.store.signed.values()
    assert recorded.mint_id is None
    assert world.transaction(intent).operations == ()
    assert len(world.chain.pool) == 1


@pytest.mark.parametrize(
    ("fact", "error"),
    [
        (SendFact.POOL_FULL, Throttled),
        (SendFact.UNKNOWN, Unavailable),
        (SendFact.NONCE_TOO_HIGH, Deferred),
    ],
)
async def test_broadcast__when_the_node_cannot_take_it_now__then_retried_and_still_submitted(
    world: Any, make: Any, fact: SendFact, error: type[Retryable]
) -> None:
    intent = make()
    world.built(intent)
    answering(world, fact, "words")
    with pytest.raises(error):
        await world.broadcast(intent)
    assert world.mint(intent).status is MintStatus.SUBMITTED
    assert await world.sent_to(SIGN) == []


async def test_broadcast__when_no_node_can_read_it__then_dead_lettered_at_once(world: Any, make: Any) -> None:
    intent = make()
    world.built(intent)
    answering(world, SendFact.MALFORMED, "rlp: expected input list")
    with pytest.raises(Rejected, match="rlp: expected"):
        await world.broadcast(intent)


# Underpriced


@pytest.mark.parametrize(
    "fact", [SendFact.REPLACEMENT_UNDERPRICED, SendFact.UNDERPRICED, SendFact.FEE_CAP_BELOW_BASE_FEE]
)
async def test_underpriced__when_below_the_caps__then_signed_again_an_eighth_dearer(
    world: Any, make: Any, fact: SendFact
) -> None:
    intent = make(nonce=3)
    world.built(intent)
    answering(world, fact)
    await world.broadcast(intent)
    [again] = await world.sent_to(SIGN)
    assert isinstance(again, SignMint)
    assert again.attempt == 1
    assert again.fees.max_fee_per_gas == 11_250_000_000
    assert again.fees.max_priority_fee_per_gas == 1_125_000_000
    assert again.model_copy(update={"fees": intent.fees, "attempt": 0}) == intent


async def test_underpriced__when_the_base_fee_ran_away__then_the_next_attempt_follows_it(
    world: Any, make: Any
) -> None:
    intent = make()
    world.built(intent)
    world.chain.base_fee = 30 * GWEI
    answering(world, SendFact.FEE_CAP_BELOW_BASE_FEE)
    await world.broadcast(intent)
    [again] = await world.sent_to(SIGN)
    assert again.fees.max_fee_per_gas == 2 * 30 * GWEI + again.fees.max_priority_fee_per_gas


async def test_underpriced__when_at_the_cap__then_deferred_and_nothing_signed(world: Any, make: Any) -> None:
    intent = make(fees=95 * GWEI)
    world.built(intent)
    answering(world, SendFact.UNDERPRICED)
    with pytest.raises(Deferred) as caught:
        await world.broadcast(intent)
    assert caught.value.retry_after
    assert await world.sent_to(SIGN) == []


async def test_underpriced__when_a_dearer_attempt_is_on_record__then_the_old_one_is_dropped(
    world: Any, make: Any
) -> None:
    first, second = make(), make(attempt=1, fees=20 * GWEI, tip=2 * GWEI)
    world.built(first)
    await world.broadcast(first)
    await world.broadcast(second)
    await world.broadcast(first)
    assert await world.sent_to(SIGN) == []


async def test_underpriced__when_redelivered__then_one_replacement_is_asked_for(
    world: Any, make: Any
) -> None:
    intent = make()
    world.built(intent)
    answering(world, SendFact.REPLACEMENT_UNDERPRICED)
    await world.broadcast(intent)
    await world.broadcast(intent)
    assert len(await world.sent_to(SIGN)) == 1


async def test_underpriced__when_the_message_carries_another_authorization__then_the_records_is_signed_by(
    world: Any, make: Any
) -> None:
    own = make()
    world.built(own)
    answering(world, SendFact.REPLACEMENT_UNDERPRICED)
    await world.broadcast(own.evolve(authorization=b"another"))
    [replacement] = await world.sent_to(SIGN)
    assert replacement.authorization == own.authorization


async def test_underpriced__when_a_top_up__then_its_replacement_is_no_duplicate_of_it(
    world: Any, make_top_up: Any
) -> None:
    intent = make_top_up(nonce=7)
    await world.queues.send(SIGN, intent, group=intent.signer.address, dedup=f"topup:{intent.recipient}:7")
    answering(world, SendFact.UNDERPRICED)
    await world.broadcast(intent)
    attempts = [message.attempt for message in await world.sent_to(SIGN)]
    assert attempts == [0, 1]


# Funds


async def test_insufficient_funds__when_a_wallet__then_its_price_is_asked_for_once_a_minute(
    world: Any, make: Any
) -> None:
    intent = make(nonce=3)
    world.built(intent)
    world.chain.balances[intent.signer.address] = 1
    world.chain.nonces[intent.signer.address] = 1
    for _ in range(3):
        with pytest.raises(Deferred):
            await world.broadcast(intent)
    [fund] = await world.sent_to(BUILD)
    assert isinstance(fund, FundWallet)
    assert (fund.wallet, fund.required, fund.balance) == (intent.signer.address, 120_000 * 10 * GWEI, 1)
    world.now += 60_000
    with pytest.raises(Deferred):
        await world.broadcast(intent)
    assert len(await world.sent_to(BUILD)) == 1


async def test_insufficient_funds__when_they_came__then_the_same_transaction_goes_out(
    world: Any, make: Any, signed: Any
) -> None:
    intent = make()
    world.built(intent)
    world.chain.balances[intent.signer.address] = 0
    with pytest.raises(Deferred):
        await world.broadcast(intent)
    del world.chain.balances[intent.signer.address]
    await world.broadcast(intent)
    assert [tx_hash for tx_hash, _ in world.chain.pool.values()] == [signed(intent).tx_hash]
    assert len(world.mint(intent).attempts) == 1


async def test_insufficient_funds__when_the_treasury__then_it_waits_and_nobody_is_asked(
    world: Any, make_top_up: Any
) -> None:
    intent = make_top_up()
    world.chain.balances[intent.signer.address] = 0
    with pytest.raises(Deferred) as caught:
        await world.broadcast(intent)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 10
    assert await world.sent_to(BUILD) == []


# Gas


@pytest.mark.parametrize(("gas", "code"), [(100, "intrinsic_gas"), (10**9, "exceeds_block_gas")])
async def test_gas__when_it_can_never_do__then_the_mint_is_rejected_and_its_nonce_filled(
    world: Any, make: Any, gas: int, code: str
) -> None:
    intent = make(nonce=2, gas=gas)
    world.built(intent)
    await world.broadcast(intent)
    mint = world.mint(intent)
    assert mint.status is MintStatus.REJECTED
    assert mint.problem is not None
    assert mint.problem.code == code
    [noop] = await world.sent_to(SIGN)
    assert isinstance(noop, SignNoop)
    assert (noop.nonce, noop.attempt) == (2, 1)


async def test_gas__when_the_noop_was_lost__then_redelivery_sends_it(world: Any, make: Any) -> None:
    intent = make(gas=100)
    world.built(intent)
    send, world.queues.send = world.queues.send, None
    with pytest.raises(TypeError):
        await world.broadcast(intent)
    assert world.mint(intent).status is MintStatus.REJECTED
    world.queues.send = send
    await world.broadcast(intent)
    assert [type(message) for message in await world.sent_to(SIGN)] == [SignNoop]


async def test_gas__when_it_is_a_top_up__then_its_nonce_is_filled_and_an_operator_told(
    world: Any, make_top_up: Any
) -> None:
    answering(world, SendFact.INTRINSIC_GAS)
    with pytest.raises(Rejected, match="intrinsic_gas"):
        await world.broadcast(make_top_up(nonce=3))
    [noop] = await world.sent_to(SIGN)
    assert isinstance(noop, SignNoop)
    assert noop.nonce == 3


# Nonce too low


async def test_nonce_too_low__when_this_very_transaction_is_mined__then_done(world: Any, make: Any) -> None:
    intent = make()
    world.built(intent)
    await world.broadcast(intent)
    world.chain.mine()
    await world.broadcast(intent)
    assert world.mint(intent).status is MintStatus.SUBMITTED


async def test_nonce_too_low__when_another_attempt_is_mined__then_done(world: Any, make: Any) -> None:
    first, second = make(), make(attempt=1, fees=20 * GWEI, tip=2 * GWEI)
    world.built(first)
    await world.broadcast(first)
    world.chain.mine()
    world.finalize()
    await world.broadcast(second)
    assert world.mint(first).status is MintStatus.SUBMITTED
    assert len(world.mint(first).attempts) == 2


async def test_nonce_too_low__when_a_stranger_used_it_not_yet_finally__then_the_watch_decides_later(
    world: Any, make: Any
) -> None:
    intent = make()
    world.built(intent)
    world.chain.use_nonce(intent.signer.address)
    # Its message is done: left on the queue until finality, it would hold up the sender's later ones.
    await world.broadcast(intent)
    assert world.mint(intent).status is MintStatus.SUBMITTED
    assert await world.sent_to(BUILD) == []


async def test_nonce_too_low__when_a_stranger_used_it_finally__then_the_mint_gets_another(
    world: Any, make: Any
) -> None:
    intent = make()
    world.built(intent)
    world.chain.use_nonce(intent.signer.address)
    world.finalize()
    await world.broadcast(intent)
    assert world.mint(intent).status is MintStatus.SUBMITTED
    assert await world.sent_to(SIGN) == []
    [renewal] = await world.sent_to(BUILD)
    assert (renewal.type, renewal.mint_id, renewal.nonce) == ("renew_nonce", intent.mint_id, 0)


@pytest.mark.parametrize("kind", ["make_top_up", "make_noop"])
async def test_nonce_too_low__when_it_mints_nothing__then_done_whoever_used_it(
    world: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    intent = request.getfixturevalue(kind)()
    world.chain.use_nonce(intent.signer.address)
    await world.broadcast(intent)


# Refused signing


async def test_refused__when_a_built_mint__then_rejected_with_the_policys_reason_and_its_nonce_filled(
    world: Any, make: Any
) -> None:
    intent = make(nonce=6)
    world.built(intent)
    await world.refuse(intent, "policy_fee")
    mint = world.mint(intent)
    assert (mint.status, mint.problem) == (
        MintStatus.REJECTED,
        Problem(code="policy_fee", reason="The fee per gas exceeds the signing policy's."),
    )
    [noop] = await world.sent_to(SIGN)
    assert isinstance(noop, SignNoop)
    assert noop.nonce == 6


@pytest.mark.parametrize(
    ("code", "told"), [("policy_gas", problem_of("policy_gas")), ("pay_us", UNKNOWN), ("signed", UNKNOWN)]
)
async def test_refused__when_the_message_brings_a_text_or_code_of_its_own__then_the_user_reads_ours(
    world: Any, make: Any, code: str, told: Problem
) -> None:
    intent = make()
    world.built(intent)
    await world.refuse(intent, code, "Your wallet is locked. Visit https://evil.example <script>")
    assert world.mint(intent).problem == told


async def test_refused__when_a_noops_refusal_brings_a_text_of_its_own__then_the_dead_letter_has_ours(
    world: Any, make_noop: Any
) -> None:
    with pytest.raises(Rejected) as caught:
        await world.refuse(make_noop(), "pay_us", "Visit https://evil.example")
    assert (caught.value.code, caught.value.reason) == (UNKNOWN.code, UNKNOWN.reason)


async def test_refused__when_the_fee_was_above_the_caps__then_the_noops_is_not(world: Any, make: Any) -> None:
    intent = make(fees=1000 * GWEI, tip=900 * GWEI)
    world.built(intent)
    await world.refuse(intent)
    [noop] = await world.sent_to(SIGN)
    assert noop.fees.max_fee_per_gas == world.caps.max_fee_per_gas
    assert noop.fees.max_priority_fee_per_gas == world.caps.max_priority_fee_per_gas


async def test_refused__when_redelivered__then_the_noop_is_asked_for_again(world: Any, make: Any) -> None:
    intent = make()
    world.built(intent)
    await world.refuse(intent)
    await world.sent_to(SIGN)
    world.now += 301_000
    await world.refuse(intent)
    assert [type(message) for message in await world.sent_to(SIGN)] == [SignNoop]


async def test_refused__when_a_noop_took_a_built_mints_nonce__then_the_mint_lives_and_asks_for_another(
    world: Any, make: Any
) -> None:
    intent = make(nonce=6)
    world.built(intent)
    await world.refuse(intent, "memory_nonce_filled")
    assert world.mint(intent).status is MintStatus.BUILT
    [noop] = await world.sent_to(SIGN)
    assert (type(noop), noop.nonce) == (SignNoop, 6)
    [renewal] = await world.sent_to(BUILD)
    assert (renewal.type, renewal.mint_id, renewal.nonce) == ("renew_nonce", intent.mint_id, 6)


NOT_THE_MINTS = pytest.mark.parametrize(
    "changes", [{"nonce": 7}, {"sender": 1}, {}], ids=["nonce", "sender", "no-mint"]
)


def strange_intent(world: Any, make: Any, changes: dict[str, int]) -> SignMint:
    """Return an intent that is not the built mint's own; without changes there is no such mint."""
    intent = make(nonce=6)
    if changes:
        world.built(intent)
    strange: SignMint = make(**{"nonce": 6, **changes}).model_copy(update={"mint_id": intent.mint_id})
    return strange


@NOT_THE_MINTS
async def test_refused__when_a_noop_took_a_nonce_that_is_not_the_mints__then_nothing_is_done(
    world: Any, make: Any, changes: dict[str, int]
) -> None:
    strange = strange_intent(world, make, changes)
    with pytest.raises(OutcomeRefused) if changes else nullcontext():
        await world.refuse(strange, "memory_nonce_filled")
    assert await world.sent_to(SIGN) == await world.sent_to(BUILD) == []


@NOT_THE_MINTS
async def test_refused__when_the_intent_is_not_the_mints_own__then_dead_lettered_and_nothing_done(
    world: Any, make: Any, changes: dict[str, int]
) -> None:
    strange = strange_intent(world, make, changes)
    with pytest.raises(Rejected, match="mint_unknown"):
        await world.refuse(strange)
    assert [mint.status for mint in world.store.mints.values()] == [MintStatus.BUILT] * bool(changes)
    assert await world.sent_to(SIGN) == []


async def test_refused__when_the_mint_is_submitted_already__then_it_lives(world: Any, make: Any) -> None:
    intent = make()
    world.built(intent)
    await world.broadcast(intent)
    with pytest.raises(Conflict):
        await world.refuse(intent)
    assert world.mint(intent).status is MintStatus.SUBMITTED
    assert await world.sent_to(SIGN) == []


async def test_refused__when_a_replacement__then_the_earlier_attempt_stands(world: Any, make: Any) -> None:
    intent = make()
    world.built(intent)
    await world.broadcast(intent)
    with pytest.raises(Rejected, match="fee"):
        await world.refuse(make(attempt=1))
    assert world.mint(intent).status is MintStatus.SUBMITTED


async def test_refused__when_a_noop__then_it_is_an_operators_business(world: Any, make_noop: Any) -> None:
    with pytest.raises(Rejected):
        await world.refuse(make_noop())
    assert await world.sent_to(SIGN) == []


async def test_refused__when_a_top_up__then_its_nonce_is_filled_and_an_operator_told(
    world: Any, make_top_up: Any
) -> None:
    intent = make_top_up(nonce=4)
    with pytest.raises(Rejected, match="fee"):
        await world.refuse(intent)
    [noop] = await world.sent_to(SIGN)
    assert isinstance(noop, SignNoop)
    assert (noop.signer, noop.nonce, noop.mint_id) == (intent.signer, 4, None)


async def test_refused__when_a_top_ups_replacement__then_the_earlier_attempt_stands(
    world: Any, make_top_up: Any
) -> None:
    with pytest.raises(Rejected):
        await world.refuse(make_top_up().model_copy(update={"attempt": 1}))
    assert await world.sent_to(SIGN) == []


async def test_top_ups__when_one_is_refused__then_the_treasurys_later_ones_are_mined(
    world: Any, make_top_up: Any
) -> None:
    with pytest.raises(Rejected):
        await world.refuse(make_top_up(nonce=0))
    await world.broadcast(make_top_up(nonce=1))
    world.chain.mine()
    [noop] = await world.sent_to(SIGN)
    await world.broadcast(noop)
    world.chain.mine()
    assert world.chain.nonces[noop.signer.address] == 2


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
    world: Any, make: Any, what: str, attempt: int
) -> None:
    own = make(nonce=6)
    before = world.built(own)
    if attempt:
        await world.broadcast(own)
        before = world.mint(own)
    known = dict(world.store.transactions)
    world.chain.sends.clear()

    with pytest.raises(OutcomeRefused) as caught:
        await world.broadcast(STRANGE[what](own).evolve(attempt=attempt))

    assert caught.value.mint_id == own.mint_id
    assert (world.mint(own), world.store.transactions, world.chain.sends) == (before, known, [])


@pytest.mark.parametrize("what", [*STRANGE, "authorization", "fees"])
async def test_refused__when_the_enclave_refused_another_request_than_the_records__then_the_mint_goes_on(
    world: Any, make: Any, what: str
) -> None:
    """A queue writer can have the enclave refuse something of its own, in the mint's name."""
    own = make(nonce=6)
    before = world.built(own)
    changes = {
        **STRANGE,
        "authorization": lambda i: i.evolve(authorization=b"another"),
        "fees": lambda i: i.evolve(fees=i.fees.evolve(max_fee_per_gas=10**30)),
    }

    with pytest.raises(OutcomeRefused):
        await world.refuse(changes[what](own))

    assert world.mint(own) == before
    assert await world.sent_to(SIGN) == []
