"""Transfers and burns by the holder's signature: what becomes of one that its nonce does not carry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mintline import authorizations
from mintline.authorizations import Authorization
from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.eth import GWEI
from mintline.messages.intents import SignNoop, SignRelayedBurn, SignRelayedTransfer
from mintline.messages.parts import Clone, KeyRef
from mintline.records.operations import Operation, RelayedBurn, RelayedTransfer
from mintline.records.problems import TOKEN_OPERATION_CANCELLED
from mintline.refusals import problem_of
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus, TransactionState
from mintline_broadcaster.kinds import NONCE_TAKEN, RELAYED_CANCELLED, SIGNATURE_EXPIRED
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
CLONE = Clone(
    factory=OTHER,
    implementation="0x" + "c1" * 20,
    principal="client",
    operation_id="deploy_1",
    args=CloneArgs(name="Name", symbol="SYM", owner=OTHER),
)
TTL = 3600
pytestmark = pytest.mark.parametrize("kind", ["relayed_transfer", "relayed_burn"])


class Requests:
    """What users asked for to be done with their tokens, as the builder leaves it."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.like = mint_intent()
        self.deadline = harness.now // 1000 + TTL
        self.relayer = KeyRef(**self.like.signer.model_dump() | {"subject": "platform:relayer-1"})
        self.wallet = KeyRef(address=OTHER, subject="user-9", chain_id=31337, secret_id="wallet-9")

    def built(self, kind: str) -> Any:
        """Put one on record with its transaction and its authorization."""
        now = self.harness.now
        fields: dict[str, Any] = {
            "trace": self.like.trace,
            "signer": self.relayer,
            "chain_id": 31337,
            "nonce": 0,
            "gas": 120_000,
            "fees": self.like.fees,
            "request_id": "op",
            "holder": self.wallet,
            "contract": address_of(CLONE),
            "token_id": 5,
            "counter": 2,
            "deadline": self.deadline,
            "clone": CLONE,
            "authorization": b"\x02sealed",
        }
        transfers = kind == "relayed_transfer"
        intent = SignRelayedTransfer(**fields, to=OTHER) if transfers else SignRelayedBurn(**fields)
        self.harness.reserved(intent, reserved_at=now, updated_at=now)
        stored: dict[str, Any] = {
            "mint_id": "op",
            "status": MintStatus.BUILT,
            "chain_id": 31337,
            "contract": intent.contract,
            "sender": self.relayer,
            "nonce": 0,
            "wallet": self.wallet,
            "token_id": 5,
            "counter": 2,
            "deadline": self.deadline,
            "request_digest": "",
            "trace": self.like.trace,
            "created_at": now,
            "updated_at": now,
        }
        record = RelayedTransfer(**stored, to=OTHER) if transfers else RelayedBurn(**stored)
        key = authorizations.key_of(record)
        assert key is not None
        self.harness.store.authorizations[key] = Authorization(envelope=b"\x02sealed")
        self.harness.store.token_operations["op"] = record
        return intent

    def found(self) -> Operation:
        operation = self.harness.store.operation("op")
        assert operation is not None
        return operation

    def stop(self, intent: Any) -> None:
        """Have its user stop it, after it was sent."""
        now = self.harness.now
        stored = self.harness.store.token_operations["op"]
        self.harness.store.token_operations["op"] = stored.evolve(cancel_requested_at=now, updated_at=now)
        self.harness.change(intent, filling_at=now, updated_at=now)

    async def filled(self) -> None:
        """Have the no-op that is asked for mined."""
        [noop] = await self.harness.sent_to(SIGN)
        assert (type(noop), noop.nonce) == (SignNoop, 0)
        await self.harness.broadcast(noop)
        self.harness.chain.mine()
        self.harness.finalize()

    def pass_the_deadline(self) -> None:
        """Have blocks after the deadline, all final."""
        self.harness.now = max(self.harness.now, (self.deadline + 1) * 1000)
        self.harness.chain.mine()
        self.harness.finalize()


@pytest.fixture
def requests(harness: Harness) -> Requests:
    return Requests(harness)


async def test_broadcast__when_it_is_signed__then_it_is_sent_and_replaced_with_its_authorization(
    harness: Harness, requests: Requests, kind: str
) -> None:
    harness.chain.minimum_tip = 2 * GWEI
    intent = requests.built(kind)
    await harness.broadcast(intent.evolve(authorization=b""))
    assert (requests.found().status, len(requests.found().attempts)) == (MintStatus.SUBMITTED, 1)
    [again] = await harness.sent_to(SIGN)
    assert (again.attempt, again.authorization) == (1, b"\x02sealed")
    assert (again.counter, again.deadline) == (2, requests.deadline), "the same signature"


async def test_unsigned__when_it_never_came_back__then_it_is_signed_from_its_record(
    harness: Harness, requests: Requests, kind: str
) -> None:
    intent = requests.built(kind)
    await harness.sweep(after=60)
    assert await harness.sent_to(SIGN) == [intent]


async def test_refused__when_it_is_the_request_on_record__then_rejected_and_its_nonce_filled(
    harness: Harness, requests: Requests, kind: str
) -> None:
    await harness.refuse(requests.built(kind), "policy_action")
    assert requests.found().problem == problem_of("policy_action")
    [noop] = await harness.sent_to(SIGN)
    assert (type(noop), noop.signer) == (SignNoop, requests.relayer)


async def test_deadline__when_it_was_not_mined_by_then__then_a_noop_and_a_reason(
    harness: Harness, requests: Requests, kind: str
) -> None:
    intent = requests.built(kind)
    await harness.broadcast(intent)
    harness.chain.pool.clear()
    harness.now = requests.deadline * 1000
    harness.chain.mine()
    await harness.sweep(after=20)
    await requests.filled()
    requests.pass_the_deadline()
    await harness.sweep(after=20)
    assert (requests.found().status, requests.found().problem) == (MintStatus.REJECTED, SIGNATURE_EXPIRED)
    await harness.sweep(after=20)
    record = harness.transaction(intent)
    assert (record.state, record.outcome) == (TransactionState.FINAL, "filled")
    assert await harness.sent_to(BUILD) == []


async def test_cancel__when_it_was_sent__then_it_is_open_until_nobody_can_send_its_signature(
    harness: Harness, requests: Requests, kind: str
) -> None:
    intent = requests.built(kind)
    await harness.broadcast(intent)
    requests.stop(intent)
    await harness.sweep(after=20)
    await requests.filled()
    await harness.sweep(after=20)
    assert requests.found().status is MintStatus.SUBMITTED, "anyone who saw the signature may send it"
    requests.pass_the_deadline()
    await harness.sweep(after=20)
    assert (requests.found().status, requests.found().problem) == (MintStatus.REJECTED, RELAYED_CANCELLED)


@pytest.mark.parametrize("stopped", [True, False])
async def test_taken__when_nothing_was_sent__then_it_is_rejected_at_once(
    harness: Harness, requests: Requests, kind: str, *, stopped: bool
) -> None:
    intent = requests.built(kind)
    if stopped:
        requests.stop(intent)
    harness.chain.use_nonce(requests.relayer.address)
    harness.finalize()
    await harness.sweep(after=20)
    problem = TOKEN_OPERATION_CANCELLED if stopped else NONCE_TAKEN
    assert (requests.found().status, requests.found().problem) == (MintStatus.REJECTED, problem)
    assert await harness.sent_to(BUILD) == []


@pytest.mark.parametrize("succeeded", [True, False])
async def test_taken__when_a_node_has_the_receipt_of_ours__then_one_that_succeeded_waits_for_the_index(
    harness: Harness, requests: Requests, kind: str, *, succeeded: bool
) -> None:
    await harness.broadcast(requests.built(kind))
    harness.chain.mine()
    [receipt] = harness.chain.receipts.values()
    harness.chain.receipts[receipt.tx_hash] = replace(receipt, status=succeeded)
    requests.pass_the_deadline()
    await harness.sweep(after=20)
    expected = MintStatus.SUBMITTED if succeeded else MintStatus.REJECTED
    assert requests.found().status is expected
