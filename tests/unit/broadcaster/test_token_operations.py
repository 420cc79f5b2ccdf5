"""Transfers and burns: sent as mints are, and rejected where a mint would get another nonce."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mintline import authorizations
from mintline.authorizations import Authorization
from mintline.errors import Conflict
from mintline.eth import GWEI
from mintline.messages.intents import SignBurn, SignNoop, SignTransfer
from mintline.messages.work import BuildMint, ReviewMint
from mintline.records.operations import Operation, TokenBurn, TokenTransfer
from mintline.records.problems import TOKEN_OPERATION_CANCELLED
from mintline.refusals import problem_of
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus, TransactionState
from mintline_broadcaster.kinds import NONCE_TAKEN
from mintline_broadcaster.on_record import OutcomeRefused
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


class Requests:
    """What users asked for to be done with their tokens, as the builder leaves it."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self._like = mint_intent()

    def intent(self, kind: str, nonce: int = 0) -> SignTransfer | SignBurn:
        like = self._like
        fields: dict[str, Any] = {
            "trace": like.trace,
            "signer": like.signer,
            "chain_id": 31337,
            "nonce": nonce,
            "gas": 90_000,
            "fees": like.fees,
            "request_id": f"{kind}_{nonce}",
            "contract": like.contract,
            "token_id": 5,
            "authorization": b"\x02sealed",
        }
        return SignTransfer(**fields, to=OTHER) if kind == "transfer" else SignBurn(**fields)

    def built(self, kind: str, nonce: int = 0) -> Any:
        """Put a request on record with its transaction and its authorization."""
        intent = self.intent(kind, nonce)
        self.harness.reserved(intent, reserved_at=self.harness.now, updated_at=self.harness.now)
        self.stored(kind, nonce, status=MintStatus.BUILT, nonce=nonce)
        return intent

    def stored(self, kind: str, number: int = 0, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "mint_id": f"{kind}_{number}",
            "status": MintStatus.ACCEPTED,
            "chain_id": 31337,
            "contract": self._like.contract,
            "sender": self._like.signer,
            "token_id": 5,
            "request_digest": "",
            "trace": self._like.trace,
            "created_at": self.harness.now,
            "updated_at": self.harness.now,
        }
        fields |= changes
        record = TokenTransfer(**fields, to=OTHER) if kind == "transfer" else TokenBurn(**fields)
        key = authorizations.key_of(record)
        assert key is not None
        self.harness.store.authorizations[key] = Authorization(envelope=b"\x02sealed")
        self.harness.store.token_operations[record.operation_id] = record

    def found(self, kind: str, number: int = 0) -> Operation:
        operation = self.harness.store.operation(f"{kind}_{number}")
        assert operation is not None
        return operation

    def stop(self, kind: str) -> None:
        """Have its user stop it, after it was sent."""
        now, name = self.harness.now, f"{kind}_0"
        stored = self.harness.store.token_operations[name]
        self.harness.store.token_operations[name] = stored.evolve(cancel_requested_at=now, updated_at=now)
        self.harness.change(self.intent(kind), filling_at=now, updated_at=now)

    def taken(self) -> None:
        """Have another transaction use the nonce for good."""
        self.harness.chain.pool.clear()
        self.harness.chain.use_nonce(self._like.signer.address)
        self.harness.finalize()


@pytest.fixture
def requests(harness: Harness) -> Requests:
    return Requests(harness)


pytestmark = pytest.mark.parametrize("kind", ["transfer", "burn"])


async def test_broadcast__when_it_is_signed__then_it_is_on_record_and_sent(
    harness: Harness, requests: Requests, kind: str
) -> None:
    intent = requests.built(kind)
    await harness.broadcast(intent)
    operation = requests.found(kind)
    assert (operation.status, len(operation.attempts)) == (MintStatus.SUBMITTED, 1)
    assert harness.store.token_operations[f"{kind}_0"].status is MintStatus.BUILT
    assert len(harness.chain.pool) == 1


async def test_broadcast__when_the_record_says_otherwise__then_nothing_is_written_or_sent(
    harness: Harness, requests: Requests, kind: str
) -> None:
    intent = requests.built(kind)
    before = harness.transaction(intent)
    with pytest.raises(OutcomeRefused) as caught:
        await harness.broadcast(intent.evolve(token_id=6))
    assert (caught.value.mint_id, caught.value.field) == (f"{kind}_0", "token_id")
    assert (harness.transaction(intent), harness.chain.sends) == (before, [])


async def test_underpriced__when_sent__then_it_is_signed_again_with_its_authorization(
    harness: Harness, requests: Requests, kind: str
) -> None:
    harness.chain.minimum_tip = 2 * GWEI
    intent = requests.built(kind)
    await harness.broadcast(intent.evolve(authorization=b""))
    [again] = await harness.sent_to(SIGN)
    assert (again.attempt, again.authorization) == (1, b"\x02sealed")


async def test_unsigned__when_it_never_came_back__then_it_is_signed_from_its_record(
    harness: Harness, requests: Requests, kind: str
) -> None:
    intent = requests.built(kind)
    await harness.sweep(after=60)
    assert await harness.sent_to(SIGN) == [intent]


# Refused


async def test_refused__when_it_is_the_request_on_record__then_rejected_and_its_nonce_filled(
    harness: Harness, requests: Requests, kind: str
) -> None:
    intent = requests.built(kind)
    for _ in range(2):  # redelivered too
        await harness.refuse(intent, "policy_action")
        operation = requests.found(kind)
        assert (operation.status, operation.problem) == (MintStatus.REJECTED, problem_of("policy_action"))
        [noop] = await harness.sent_to(SIGN)
        assert (type(noop), noop.nonce) == (SignNoop, 0)
        harness.now += 301_000
    assert harness.transaction(intent).filling_at is not None


STRANGE: dict[str, Callable[[Any], Any]] = {
    "token": lambda i: i.evolve(token_id=6),
    "authorization": lambda i: i.evolve(authorization=b"another"),
    "fees": lambda i: i.evolve(fees=i.fees.evolve(max_fee_per_gas=10**30)),
    "wallet": lambda i: i.evolve(signer=i.signer.evolve(subject="somebody-else")),
    "request": lambda i: i.evolve(request_id="transfer_9"),
}


@pytest.mark.parametrize("what", STRANGE)
async def test_refused__when_it_is_not_the_request_on_record__then_it_goes_on(
    harness: Harness, requests: Requests, kind: str, what: str
) -> None:
    intent = requests.built(kind)
    with pytest.raises(OutcomeRefused):
        await harness.refuse(STRANGE[what](intent))
    assert requests.found(kind).status is MintStatus.BUILT
    assert await harness.sent_to(SIGN) == []


async def test_refused__when_it_was_sent__then_it_goes_on(
    harness: Harness, requests: Requests, kind: str
) -> None:
    intent = requests.built(kind)
    await harness.broadcast(intent)
    with pytest.raises(Conflict):
        await harness.refuse(intent)
    assert requests.found(kind).status is MintStatus.SUBMITTED


async def test_refused__when_a_noop_took_its_nonce__then_it_is_rejected_once_that_is_final(
    harness: Harness, requests: Requests, kind: str
) -> None:
    intent = requests.built(kind)
    await harness.refuse(intent, "memory_nonce_filled")
    [noop] = await harness.sent_to(SIGN)
    assert requests.found(kind).status is MintStatus.BUILT
    await harness.broadcast(noop)
    harness.chain.mine()
    await harness.sweep(after=20)
    assert requests.found(kind).status is MintStatus.BUILT
    harness.finalize()
    await harness.sweep(after=20)
    assert requests.found(kind).problem == NONCE_TAKEN
    assert await harness.sent_to(BUILD) == []


async def test_unsendable__when_its_gas_is_above_the_chains__then_rejected_and_its_nonce_filled(
    harness: Harness, requests: Requests, kind: str
) -> None:
    harness.chain.block_gas = 50_000
    await harness.broadcast(requests.built(kind))
    operation = requests.found(kind)
    assert operation.status is MintStatus.REJECTED
    assert operation.problem is not None
    assert operation.problem.code == "exceeds_block_gas"
    assert [type(message) for message in await harness.sent_to(SIGN)] == [SignNoop]


# Its nonce taken


@pytest.mark.parametrize("sent", [True, False])
async def test_taken__when_another_has_its_nonce_for_good__then_it_is_rejected_and_never_signed_again(
    harness: Harness, requests: Requests, kind: str, *, sent: bool
) -> None:
    intent = requests.built(kind)
    if sent:
        await harness.broadcast(intent)
    requests.taken()
    await harness.sweep(after=20)
    operation = requests.found(kind)
    assert (operation.status, operation.problem) == (MintStatus.REJECTED, NONCE_TAKEN)
    await harness.sweep(after=20)
    record = harness.transaction(intent)
    assert (record.state, record.outcome) == (TransactionState.FINAL, "filled")
    assert await harness.sent_to(BUILD) == await harness.sent_to(SIGN) == []


async def test_taken__when_not_finally__then_it_waits(
    harness: Harness, requests: Requests, kind: str
) -> None:
    await harness.broadcast(requests.built(kind))
    harness.chain.pool.clear()
    harness.chain.use_nonce(requests.intent(kind).signer.address)
    await harness.sweep(after=20)
    assert requests.found(kind).status is MintStatus.SUBMITTED


@pytest.mark.parametrize("succeeded", [True, False])
async def test_taken__when_a_node_has_the_receipt_of_ours__then_one_that_succeeded_waits_for_the_index(
    harness: Harness, requests: Requests, kind: str, *, succeeded: bool
) -> None:
    await harness.broadcast(requests.built(kind))
    harness.chain.mine()
    [receipt] = harness.chain.receipts.values()
    harness.chain.receipts[receipt.tx_hash] = replace(receipt, status=succeeded)
    harness.finalize()
    await harness.sweep(after=20)
    expected = MintStatus.SUBMITTED if succeeded else MintStatus.REJECTED
    assert requests.found(kind).status is expected


# Stopped by its user


@pytest.mark.parametrize("reported", [True, False], ids=["by a message", "by the sweep"])
async def test_cancel__when_the_noop_wins_finally__then_it_is_cancelled(
    harness: Harness, requests: Requests, kind: str, *, reported: bool
) -> None:
    intent = requests.built(kind)
    await harness.broadcast(intent)
    requests.stop(kind)
    if reported:
        await harness.handle(ReviewMint(mint_id=f"{kind}_0"))
    else:
        await harness.sweep(after=20)
    [noop] = await harness.sent_to(SIGN)
    assert isinstance(noop, SignNoop)
    await harness.broadcast(noop)
    harness.chain.mine()
    await harness.sweep(after=20)
    assert requests.found(kind).status is MintStatus.SUBMITTED
    harness.finalize()
    await harness.sweep(after=20)
    operation = requests.found(kind)
    assert (operation.status, operation.problem) == (MintStatus.REJECTED, TOKEN_OPERATION_CANCELLED)
    assert await harness.sent_to(BUILD) == []


async def test_cancel__when_it_wins_itself__then_it_is_left_to_the_indexer(
    harness: Harness, requests: Requests, kind: str
) -> None:
    await harness.broadcast(requests.built(kind))
    requests.stop(kind)
    await harness.handle(ReviewMint(mint_id=f"{kind}_0"))
    harness.chain.mine()
    harness.finalize()
    await harness.sweep(after=20)
    assert requests.found(kind).status is MintStatus.SUBMITTED


# Accepted


async def test_accepted__when_its_message_was_lost__then_the_sweep_sends_it_on_ever_more_patiently(
    harness: Harness, requests: Requests, kind: str
) -> None:
    requests.stored(kind)
    start, seconds = harness.now, []
    for _ in range(0, 420, 20):
        await harness.sweep(after=20)
        for message in await harness.sent_to(BUILD):
            assert message == BuildMint(trace=message.trace, mint_id=f"{kind}_0")
            seconds.append((harness.now - start) // 1000)
    assert seconds == [60, 180, 420]
    assert harness.counted("sweeps_total", status="accepted") == 3
