"""Batches: finished by the builder while half claimed, signed without what ended, let go one by one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from mintline.errors import Conflict, Deferred, Rejected
from mintline.eth import GWEI
from mintline.kinds import first_intent, meaning_of
from mintline.messages.intents import BatchMint, SignBatch, SignNoop
from mintline.messages.parts import KeyRef
from mintline.messages.signed import SigningRefused
from mintline.messages.work import FinishBatch, FundWallet, RenewNonce
from mintline.records.operations import Attempt
from mintline.records.problems import Problem
from mintline.records.transactions import Transaction
from mintline.refusals import problem_of
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus, TransactionState
from mintline_broadcaster import outcomes
from mintline_broadcaster.on_record import OutcomeRefused
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent, sign
from mintline_testkit.records import make_mint

REFUSED = problem_of("token_expired")


class Batches:
    """A relayer's batches, as the builder leaves them."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.relayer: KeyRef = mint_intent(sender=50).signer.evolve(subject="platform:relayer-1")
        self._fees = mint_intent().fees
        self._contract = mint_intent().contract
        self._to = mint_intent().voucher.to

    def line(self, number: int) -> BatchMint:
        return BatchMint(
            mint_id=f"mint_{number}",
            token_id=number,
            to=self._to,
            metadata_digest=bytes(32),
            subject=f"user-{number}",
        )

    def intent(self, *numbers: int, nonce: int = 0, attempt: int = 0) -> SignBatch:
        return SignBatch(
            signer=self.relayer,
            chain_id=31337,
            nonce=nonce,
            gas=1_000_000,
            fees=self._fees,
            attempt=attempt,
            contract=self._contract,
            mints=tuple(self.line(number) for number in numbers),
        )

    def reserved(self, *numbers: int, nonce: int = 0, claimed: bool = True, **changes: Any) -> SignBatch:
        """Put a batch on record and, unless it is not `claimed`, the claims of its mints."""
        intent = self.intent(*numbers, nonce=nonce)
        times = {"reserved_at": self.harness.now, "updated_at": self.harness.now}
        self.harness.reserved(intent, **{**times, **changes})
        for line in intent.mints:
            self.accepted(line)
            if claimed:
                self.claim(line.mint_id, nonce)
        return intent

    def accepted(self, line: BatchMint) -> None:
        self.harness.store.mints[line.mint_id] = make_mint(
            line.mint_id,
            sub=line.subject,
            custody="sponsored",
            contract=self._contract,
            to=line.to,
            metadata_digest=line.metadata_digest,
            token_id=line.token_id,
            at=self.harness.now,
        )

    def claim(self, mint_id: str, nonce: int) -> None:
        claimed = {"status": MintStatus.BUILT, "sender": self.relayer, "nonce": nonce}
        mints = self.harness.store.mints
        mints[mint_id] = mints[mint_id].evolve(**claimed)

    def reject(self, number: int) -> None:
        """Have a mint end elsewhere."""
        mints = self.harness.store.mints
        problem = Problem(code="cancelled", reason="…")
        mints[f"mint_{number}"] = mints[f"mint_{number}"].evolve(status=MintStatus.REJECTED, problem=problem)

    def record(self, nonce: int = 0) -> Transaction:
        record: Transaction = self.harness.transaction(self.intent(1, nonce=nonce))
        return record

    def statuses(self) -> dict[str, MintStatus]:
        store = self.harness.store
        return {mint_id: self.harness.stands(mint_id).status for mint_id in store.mints}

    async def failed(self, *numbers: int, nonce: int = 0) -> SignBatch:
        """Put a batch on record that was sent and reverts, as the index knows."""
        intent = self.reserved(*numbers, nonce=nonce)
        await self.harness.broadcast(intent)
        self.harness.chain.mine()
        for tx_hash, receipt in self.harness.chain.receipts.items():
            self.harness.chain.receipts[tx_hash] = replace(receipt, status=False)
        self.harness.mined(intent, succeeded=False)
        return intent


@pytest.fixture
def batches(harness: Harness) -> Batches:
    return Batches(harness)


# Sent as any transaction


async def test_batch__when_it_is_signed__then_on_record_sent_and_every_mint_is_submitted_by_one_write(
    harness: Harness, batches: Batches
) -> None:
    intent = batches.reserved(1, 2, 3)
    await harness.broadcast(intent)
    assert set(batches.statuses().values()) == {MintStatus.SUBMITTED}
    assert len(harness.chain.pool) == 1
    assert {mint.status for mint in harness.store.mints.values()} == {MintStatus.BUILT}


async def test_batch__when_its_fees_are_too_low__then_the_same_lines_are_signed_again_by_their_records(
    harness: Harness, batches: Batches
) -> None:
    intent = batches.reserved(1, 2)
    harness.chain.minimum_tip = 2 * GWEI
    forged = intent.evolve(mints=(intent.mints[0].evolve(subject="mallory"), intent.mints[1]))
    await harness.broadcast(forged)
    [again] = await harness.sent_to(SIGN)
    assert again.attempt == 1
    assert again.mints == intent.mints


async def test_batch__when_the_relayer_has_no_ether__then_the_builder_hears_of_it(
    harness: Harness, batches: Batches
) -> None:
    intent = batches.reserved(1)
    harness.chain.balances[batches.relayer.address] = 0
    with pytest.raises(Deferred, match="the relayer is low"):
        await harness.broadcast(intent)
    [message] = await harness.sent_to(BUILD)
    assert isinstance(message, FundWallet)
    assert (message.wallet, message.balance) == (batches.relayer.address, 0)


async def test_batch__when_its_gas_can_never_be_sent__then_every_mint_ends_and_its_nonce_is_filled(
    harness: Harness, batches: Batches
) -> None:
    intent = batches.reserved(1, 2)
    harness.chain.block_gas = 100_000
    await harness.broadcast(intent)
    assert set(batches.statuses().values()) == {MintStatus.REJECTED}
    assert [type(message) for message in await harness.sent_to(SIGN)] == [SignNoop]
    assert batches.record().filling_at == harness.now


# Half claimed


async def test_claiming__when_older_than_its_deadline__then_the_builder_finishes_it_ever_more_patiently(
    harness: Harness, batches: Batches
) -> None:
    batches.reserved(1, 2, claimed=False, claiming=True)
    start, seconds = harness.now, []
    for _ in range(0, 900, 20):
        await harness.sweep(after=20)
        for message in await harness.sent_to(BUILD):
            if isinstance(message, FinishBatch):
                assert (message.sender, message.nonce) == (batches.relayer.address, 0)
                seconds.append((harness.now - start) // 1000)
    assert seconds == [60, 180, 420, 900]
    assert await harness.sent_to(SIGN) == []


async def test_claiming__when_two_copies_sweep__then_one_of_them_asks(
    harness: Harness, batches: Batches
) -> None:
    batches.reserved(1, claiming=True)
    await harness.sweep(after=60)
    await harness.sweep()
    assert [type(message) for message in await harness.sent_to(BUILD)] == [FinishBatch]


async def test_claiming__when_its_nonce_is_used__then_it_stays_open_until_it_is_sealed(
    harness: Harness, batches: Batches
) -> None:
    batches.reserved(1, 2, claiming=True)
    harness.chain.use_nonce(batches.relayer.address)
    harness.finalize()
    await harness.sweep(after=60)
    assert [type(message) for message in await harness.sent_to(BUILD)] == [FinishBatch]
    harness.change(batches.intent(1), claiming=None)
    await harness.sweep(after=60)
    assert {message.mint_id for message in await harness.sent_to(BUILD)} == {"mint_1", "mint_2"}


@pytest.mark.parametrize("used", [True, False])
async def test_claiming__when_its_nonce_is_to_be_filled__then_its_claims_end_with_the_noop_and_are_let_go(
    harness: Harness, batches: Batches, *, used: bool
) -> None:
    batches.reserved(1, 2, claimed=False, claiming=True, filling_at=harness.now)
    batches.claim("mint_1", 0)
    if used:
        harness.chain.use_nonce(batches.relayer.address)
        harness.finalize()
    await harness.sweep(after=20)
    [noop] = await harness.sent_to(SIGN)
    await harness.broadcast(noop)
    assert batches.record().claiming is None
    harness.chain.mine()
    harness.finalize()
    await harness.sweep(after=20)
    assert {message.mint_id for message in await harness.sent_to(BUILD)} == {"mint_1"}
    batches.claim("mint_1", 1)
    await harness.sweep(after=20)
    assert harness.open() == []


async def test_claiming__when_it_comes_signed__then_nothing_is_sent_before_it_is_sealed(
    harness: Harness, batches: Batches
) -> None:
    intent = batches.reserved(1, 2, claiming=True)
    with pytest.raises(Deferred):
        await harness.broadcast(intent)
    assert harness.chain.sends == []
    harness.change(intent, claiming=None)
    await harness.broadcast(intent)
    assert len(harness.chain.pool) == 1


# Sealed again


async def test_sealed__when_it_never_came_back__then_it_is_signed_as_it_is(
    harness: Harness, batches: Batches
) -> None:
    intent = batches.reserved(1, 2)
    await harness.sweep(after=60)
    assert await harness.sent_to(SIGN) == [intent]


async def test_sealed__when_a_mint_ended_meanwhile__then_it_is_signed_without_it(
    harness: Harness, batches: Batches
) -> None:
    before = batches.reserved(1, 2, 3)
    batches.reject(2)
    await harness.sweep(after=60)
    left = batches.intent(1, 3)
    assert await harness.sent_to(SIGN) == [left]
    record = batches.record()
    assert (record.operations, record.meaning) == (("mint_1", "mint_3"), meaning_of(left))
    assert record.filling_at is None
    with pytest.raises(OutcomeRefused):
        await harness.broadcast(before)
    assert harness.chain.sends == []
    await harness.broadcast(left)
    assert batches.statuses() == {
        "mint_1": MintStatus.SUBMITTED,
        "mint_2": MintStatus.REJECTED,
        "mint_3": MintStatus.SUBMITTED,
    }


async def test_sealed__when_every_mint_ended_meanwhile__then_its_nonce_is_filled(
    harness: Harness, batches: Batches
) -> None:
    batches.reserved(1, 2)
    batches.reject(1)
    batches.reject(2)
    await harness.sweep(after=60)
    [noop] = await harness.sent_to(SIGN)
    assert (type(noop), noop.nonce) == (SignNoop, 0)
    assert batches.record().filling_at == harness.now


async def test_sealed__when_a_mint_cannot_be_read__then_the_batch_waits_with_all_of_them(
    harness: Harness, batches: Batches
) -> None:
    batches.reserved(1, 2)
    unreadable = harness.store.mints.pop("mint_2")
    await harness.sweep(after=60)
    assert await harness.sent_to(SIGN) == []
    harness.store.mints["mint_2"] = unreadable
    await harness.sweep(after=240)
    assert await harness.sent_to(SIGN) == [batches.intent(1, 2)]


# Refused


async def refuse(harness: Harness, intent: SignBatch, number: int | None = None) -> None:
    blamed = "" if number is None else f"mint_{number}"
    await harness.handle(SigningRefused(intent=intent, code="token_expired", operation_id=blamed))


async def test_refused__when_one_mint_is_to_blame__then_it_ends_and_the_rest_is_signed(
    harness: Harness, batches: Batches
) -> None:
    intent = batches.reserved(1, 2, 3)
    await refuse(harness, intent, 2)
    mint = harness.store.mints["mint_2"]
    assert (mint.status, mint.problem) == (MintStatus.REJECTED, REFUSED)
    assert await harness.sent_to(SIGN) == [batches.intent(1, 3)]
    assert (batches.record().operations, batches.record().filling_at) == (("mint_1", "mint_3"), None)
    await refuse(harness, batches.intent(1, 3), 1)
    assert await harness.sent_to(SIGN) == [batches.intent(3)]
    await refuse(harness, batches.intent(3), 3)
    assert set(batches.statuses().values()) == {MintStatus.REJECTED}
    assert [type(message) for message in await harness.sent_to(SIGN)] == [SignNoop]
    assert batches.record().filling_at == harness.now


async def test_refused__when_redelivered_after_one_was_left_out__then_the_rest_is_signed_again(
    harness: Harness, batches: Batches
) -> None:
    intent = batches.reserved(1, 2)
    await refuse(harness, intent, 2)
    await harness.sent_to(SIGN)
    harness.now += 301_000
    await refuse(harness, intent, 2)
    assert await harness.sent_to(SIGN) == [batches.intent(1)]
    assert batches.statuses()["mint_1"] is MintStatus.BUILT


async def test_refused__when_the_one_to_blame_ended_elsewhere__then_the_rest_is_signed(
    harness: Harness, batches: Batches
) -> None:
    intent = batches.reserved(1, 2)
    batches.reject(2)
    ended = harness.store.mints["mint_2"]
    await refuse(harness, intent, 2)
    assert harness.store.mints["mint_2"] == ended
    assert await harness.sent_to(SIGN) == [batches.intent(1)]
    assert batches.record().operations == ("mint_1",)
    await harness.broadcast(batches.intent(1))
    assert len(harness.chain.pool) == 1


@pytest.mark.parametrize("changes", [{"claiming": True}, {"filling_at": 1}], ids=["claiming", "to-be-filled"])
async def test_refused__when_the_batch_cannot_go_on_without_one__then_that_one_lives(
    harness: Harness, batches: Batches, changes: dict[str, Any]
) -> None:
    intent = batches.reserved(1, 2, **changes)
    before = batches.record()
    with pytest.raises(Conflict):
        await refuse(harness, intent, 2)
    assert (batches.record(), set(batches.statuses().values())) == (before, {MintStatus.BUILT})


async def test_refused__when_nobody_is_to_blame__then_all_end_and_the_nonce_is_filled(
    harness: Harness, batches: Batches
) -> None:
    intent = batches.reserved(1, 2, 3)
    await refuse(harness, intent)
    assert {mint.problem for mint in harness.store.mints.values()} == {REFUSED}
    assert [type(message) for message in await harness.sent_to(SIGN)] == [SignNoop]
    with pytest.raises(Conflict):  # nothing that was signed by another copy is sent any more
        await harness.store.enter(
            intent, Attempt(tx_hash=bytes(32), max_fee_per_gas=2, max_priority_fee_per_gas=1, at=0)
        )


STRANGE: dict[str, Callable[[SignBatch], SignBatch]] = {
    "subject": lambda i: i.evolve(mints=(i.mints[0].evolve(subject="mallory"), *i.mints[1:])),
    "lines": lambda i: i.evolve(mints=i.mints[1:]),
    "fees": lambda i: i.evolve(fees=i.fees.evolve(max_fee_per_gas=10**30)),
    "gas": lambda i: i.evolve(gas=1),
    "relayer": lambda i: i.evolve(signer=i.signer.evolve(subject="platform:relayer-2")),
}


@pytest.mark.parametrize("number", [None, 1])
@pytest.mark.parametrize("what", STRANGE)
async def test_refused__when_it_is_not_the_batch_on_record__then_all_go_on(
    harness: Harness, batches: Batches, what: str, number: int | None
) -> None:
    intent = batches.reserved(1, 2, 3)
    before = batches.record()
    with pytest.raises(OutcomeRefused):
        await refuse(harness, STRANGE[what](intent), number)
    assert set(batches.statuses().values()) == {MintStatus.BUILT}
    assert (batches.record(), await harness.sent_to(SIGN)) == (before, [])


async def test_refused__when_the_batch_was_sent__then_nothing_ends(
    harness: Harness, batches: Batches
) -> None:
    intent = batches.reserved(1, 2)
    await harness.broadcast(intent)
    with pytest.raises(Conflict):
        await refuse(harness, intent, 1)
    with pytest.raises(Rejected):
        await refuse(harness, intent.evolve(attempt=1), 1)
    assert set(batches.statuses().values()) == {MintStatus.SUBMITTED}


async def test_refused__when_a_noop_took_its_nonce__then_its_mints_get_another_once_that_is_final(
    harness: Harness, batches: Batches
) -> None:
    intent = batches.reserved(1, 2)
    await harness.refuse(intent, "memory_nonce_filled")
    [noop] = await harness.sent_to(SIGN)
    await harness.broadcast(noop)
    assert await harness.sent_to(BUILD) == []
    harness.chain.mine()
    harness.finalize()
    await harness.sweep(after=20)
    assert [message.mint_id for message in await harness.sent_to(BUILD)] == ["mint_1", "mint_2"]


async def test_refused__when_other_lines_were_signed_before__then_its_mints_live_and_its_nonce_is_filled(
    harness: Harness, batches: Batches
) -> None:
    """The enclave signed a batch whose bytes were lost; a line was left out, and it remembers the nonce."""
    batches.reserved(1, 2)
    batches.reject(1)
    await harness.sweep(after=60)
    [left] = await harness.sent_to(SIGN)
    await harness.refuse(left, "memory_nonce")
    assert batches.statuses()["mint_2"] is MintStatus.BUILT
    assert [type(message) for message in await harness.sent_to(SIGN)] == [SignNoop]
    assert batches.record().filling_at == harness.now


# Failed on chain


async def test_failed__when_its_block_is_not_final__then_its_mints_wait(
    harness: Harness, batches: Batches
) -> None:
    await batches.failed(1, 2)
    await harness.sweep(after=20)
    assert await harness.sent_to(BUILD) == []
    assert set(batches.statuses().values()) == {MintStatus.SUBMITTED}


async def test_failed__when_its_block_is_final__then_each_gets_another_nonce_and_it_is_closed_as_failed(
    harness: Harness, batches: Batches
) -> None:
    await batches.failed(1, 2, 3)
    sweeper = harness.sweeper()
    harness.now += 20_000
    await sweeper.sweep()
    harness.finalize()
    harness.now += 20_000
    await sweeper.sweep()  # it did not rest meanwhile
    messages = await harness.sent_to(BUILD)
    assert {type(message) for message in messages} == {RenewNonce}
    assert [(message.mint_id, message.nonce) for message in messages] == [
        ("mint_1", 0),
        ("mint_2", 0),
        ("mint_3", 0),
    ]
    batches.claim("mint_1", 1)
    batches.claim("mint_3", 1)
    await harness.sweep(after=20)
    assert batches.record().state is TransactionState.MINED
    batches.reject(2)
    await harness.sweep(after=20)
    record = batches.record()
    assert (record.state, record.outcome) == (TransactionState.FINAL, "failed")


async def test_failed__when_one_token_is_there__then_that_mint_ends_by_it(
    harness: Harness, batches: Batches
) -> None:
    await batches.failed(1, 2)
    harness.redeemed(mint_intent(0), block=harness.chain.number)
    harness.finalize()
    await harness.sweep(after=20)
    assert [message.mint_id for message in await harness.sent_to(BUILD)] == ["mint_2"]
    assert batches.statuses()["mint_1"] is MintStatus.FINALIZED


@pytest.mark.parametrize("recipient", [None, "0x" + "00" * 19 + "01"], ids=["the same", "another"])
async def test_failed__when_an_item_has_the_number_of_a_serial__then_that_mint_goes_again_all_the_same(
    harness: Harness, batches: Batches, recipient: str | None
) -> None:
    """The index's token of that number is an item of ERC-1155, which other mints made."""
    await batches.failed(1, 2)
    mints = harness.store.mints
    for name in ("mint_1", "mint_2"):
        mints[name] = mints[name].evolve(item_id=1, quantity=3)
    transfer = harness.redeemed(mint_intent(0), block=harness.chain.number)
    key = (transfer.contract, transfer.token_id)
    harness.store.mintings[key] = transfer.evolve(recipient=recipient or transfer.recipient, quantity=3)
    harness.finalize()
    await harness.sweep(after=20)
    assert [message.mint_id for message in await harness.sent_to(BUILD)] == ["mint_1", "mint_2"]
    assert set(batches.statuses().values()) == {MintStatus.SUBMITTED}


async def test_failed__when_it_carries_hundreds__then_a_pass_lets_a_bounded_number_go_and_later_ones_all(
    harness: Harness, batches: Batches
) -> None:
    await batches.failed(*range(1, 251))
    harness.finalize()
    mint_ids: set[str] = set()
    for _ in range(20):
        await harness.sweep(after=15)
        messages = await harness.sent_to(BUILD)
        assert len(messages) <= outcomes.MAX_RELEASES
        mint_ids |= {message.mint_id for message in messages}
    assert len(mint_ids) == 250, "those that stay keep no others waiting"
    for mint_id in mint_ids:
        batches.claim(mint_id, 1)
    await harness.sweep(after=15)
    assert batches.record().outcome == "failed"


# Its nonce taken


@pytest.mark.parametrize("sent", [True, False])
async def test_taken__when_another_has_its_nonce_for_good__then_each_is_let_go_and_it_is_closed(
    harness: Harness, batches: Batches, *, sent: bool
) -> None:
    intent = batches.reserved(1, 2)
    if sent:
        await harness.broadcast(intent)
        harness.chain.pool.clear()
    harness.chain.use_nonce(batches.relayer.address)
    harness.finalize()
    await harness.sweep(after=20)
    assert [message.mint_id for message in await harness.sent_to(BUILD)] == ["mint_1", "mint_2"]
    batches.claim("mint_1", 1)
    batches.reject(2)
    await harness.sweep(after=20)
    record = batches.record()
    assert (record.state, record.outcome, record.filling_at) == (TransactionState.FINAL, "filled", None)


async def test_taken__when_one_is_to_be_stopped__then_it_alone_is_cancelled(
    harness: Harness, batches: Batches
) -> None:
    batches.reserved(1, 2)
    mints = harness.store.mints
    mints["mint_1"] = mints["mint_1"].evolve(cancel_requested_at=harness.now)
    harness.chain.use_nonce(batches.relayer.address)
    harness.finalize()
    await harness.sweep(after=20)
    assert [message.mint_id for message in await harness.sent_to(BUILD)] == ["mint_2"]
    assert batches.statuses()["mint_1"] is MintStatus.REJECTED


async def test_taken__when_a_node_has_the_receipt_of_ours__then_the_index_is_waited_for(
    harness: Harness, batches: Batches
) -> None:
    await harness.broadcast(batches.reserved(1, 2))
    harness.chain.mine()
    harness.finalize()
    await harness.sweep(after=20)
    assert await harness.sent_to(BUILD) == []
    assert set(batches.statuses().values()) == {MintStatus.SUBMITTED}


# Crashes


class Crash(BaseException):
    """The process is gone: nothing after this line happens."""


class Fragile:
    """A port before or after one of whose calls the process dies."""

    def __init__(self, port: Any, fate: Callable[[], None]) -> None:
        self._port = port
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        async def call(*arguments: Any, **keywords: Any) -> Any:
            self._fate()
            result = await method(*arguments, **keywords)
            self._fate()
            return result

        return call


class Pipeline:
    """A signer, a builder and an indexer that never fail, and a broadcaster that dies at a call."""

    def __init__(self, harness: Harness, scene: str) -> None:
        self.harness = harness
        self.batches = Batches(harness)
        self.scene = scene
        self.calls = 0
        self.dies_at = 0
        self.next_nonce = 1

    def fate(self) -> None:
        self.calls += 1
        if self.calls == self.dies_at:
            raise Crash

    def ports(self) -> dict[str, Any]:
        harness = self.harness
        ports = {"store": harness.store, "chain": harness.chain, "outbox": harness.queues}
        return {name: Fragile(port, self.fate) for name, port in ports.items()}

    async def survive(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Do something that is done again after a crash, as its message returns, or the next pass comes."""
        try:
            await work()
        except Crash:
            await work()

    async def handle(self, message: Any) -> None:
        async def work() -> None:
            try:
                await self.harness.handle(message, **self.ports())
            except (Conflict, Rejected):
                return

        await self.survive(work)

    async def turn(self) -> None:
        """Let half a minute pass for everybody."""
        harness = self.harness
        harness.now += 30_000
        await self.survive(lambda: harness.sweeper(**self.ports()).sweep())
        for intent in await harness.sent_to(SIGN):
            bad = [line.mint_id for line in getattr(intent, "mints", ()) if line.mint_id == "mint_2"]
            if self.scene == "refused" and isinstance(intent, SignBatch):
                await self.handle(SigningRefused(intent=intent, code="token_expired"))
            elif self.scene == "blamed" and bad:
                await self.handle(SigningRefused(intent=intent, code="token_expired", operation_id=bad[0]))
            else:
                await self.handle(sign(intent))
        for message in await harness.sent_to(BUILD):
            self.build(message)
        harness.chain.mine()
        self.index()
        harness.finalize()

    def index(self) -> None:
        harness = self.harness
        for place, record in list(harness.store.transactions.items()):
            mined = any(attempt.tx_hash in harness.chain.receipts for attempt in record.own_attempts)
            if record.state is not TransactionState.SUBMITTED or not mined or not record.operations:
                continue
            failed = self.scene == "failed" and len(record.operations) > 1
            state = TransactionState.MINED if failed else TransactionState.FINAL
            outcome = "failed" if failed else "succeeded"
            ended = {"state": state, "outcome": outcome, "block_number": harness.chain.number}
            harness.store.transactions[place] = record.evolve(**ended)
            for tx_hash in [
                attempt.tx_hash
                for attempt in record.own_attempts
                if attempt.tx_hash in harness.chain.receipts
            ]:
                receipt = harness.chain.receipts[tx_hash]
                harness.chain.receipts[tx_hash] = replace(receipt, status=not failed)

    def build(self, message: Any) -> None:
        record = self.batches.record()
        if isinstance(message, FinishBatch) and record.claiming:
            for mint_id in record.operations:
                self.batches.claim(mint_id, 0)
            self.harness.change(self.batches.intent(1), claiming=None, updated_at=self.harness.now)
        elif isinstance(message, RenewNonce):
            mint = self.harness.store.mints[message.mint_id]
            if mint.nonce != message.nonce:
                return
            number, nonce = mint.token_id, self.next_nonce
            self.next_nonce += 1
            assert number is not None
            again = self.batches.intent(number, nonce=nonce)
            self.harness.reserved(again, reserved_at=self.harness.now, updated_at=self.harness.now)
            self.batches.claim(mint.mint_id, nonce)

    async def begin(self) -> None:
        harness, batches = self.harness, self.batches
        claiming = self.scene == "half_claimed"
        intent = batches.reserved(1, 2, 3, claimed=not claiming, **({"claiming": True} if claiming else {}))
        if claiming:
            batches.claim("mint_1", 0)
        elif self.scene == "moved":
            batches.reject(2)
        elif self.scene == "failed":
            await harness.broadcast(intent)
        elif self.scene == "taken":
            await harness.broadcast(intent)
            harness.chain.pool.clear()
            harness.chain.use_nonce(batches.relayer.address)
            harness.finalize()


ENDS = {
    "half_claimed": [MintStatus.FINALIZED] * 3,
    "moved": [MintStatus.FINALIZED, MintStatus.REJECTED, MintStatus.FINALIZED],
    "refused": [MintStatus.REJECTED] * 3,
    "blamed": [MintStatus.FINALIZED, MintStatus.REJECTED, MintStatus.FINALIZED],
    "failed": [MintStatus.FINALIZED] * 3,
    "taken": [MintStatus.FINALIZED] * 3,
}


async def played(pipeline: Pipeline) -> tuple[Any, ...]:
    """Play a scene to its end, and return what came of it."""
    await pipeline.begin()
    for _ in range(16):
        await pipeline.turn()
    harness = pipeline.harness
    first = pipeline.batches.record()
    return list(pipeline.batches.statuses().values()), harness.open(), dict(harness.chain.pool), first.outcome


@pytest.mark.slow
@pytest.mark.parametrize("scene", ENDS)
async def test_batch__when_the_broadcaster_dies_at_any_call__then_the_end_is_the_same(
    harness: Harness, scene: str
) -> None:
    pipeline = Pipeline(harness, scene)
    expected = await played(pipeline)
    assert expected[:3] == (ENDS[scene], [], {})
    for dies_at in range(1, min(pipeline.calls, 150)):
        again = Pipeline(type(harness)(), scene)
        again.dies_at = dies_at
        assert await played(again) == expected, dies_at


def test_first_intent__when_a_mint_of_a_batch_was_rejected__then_it_is_still_told_what_was_refused(
    harness: Harness, batches: Batches
) -> None:
    intent = batches.reserved(1, 2)
    batches.reject(1)
    mints = [harness.stands(line.mint_id) for line in intent.mints]
    assert first_intent(batches.record(), mints) == intent
