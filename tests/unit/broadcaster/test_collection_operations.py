"""Deployments and changes of collections: sent by a relayer, and what happens if its nonce is lost."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from mintline import authorizations
from mintline.authorizations import Authorization
from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.eth import GWEI
from mintline.messages.intents import SignAdminister, SignDeploy, SignNoop
from mintline.messages.parts import Clone, CollectionChange, KeyRef
from mintline.messages.work import BuildMint, RenewNonce
from mintline.records.operations import CollectionCall, CollectionDeployment, CollectionOperation
from mintline.refusals import problem_of
from mintline.resources import BUILD, SIGN
from mintline.states import MintStatus, TransactionState
from mintline_broadcaster.kinds import NONCE_TAKEN
from mintline_broadcaster.on_record import OutcomeRefused
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent

Kind = Literal["deploy", "administer"]
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
CLONE = Clone(
    factory=OTHER,
    implementation="0x" + "c1" * 20,
    principal="client",
    operation_id="op",
    args=CloneArgs(name="Name", symbol="SYM", owner=OTHER),
)
PAUSE = CollectionChange(action="pause")
pytestmark = pytest.mark.parametrize("kind", ["deploy", "administer"])


class Requests:
    """What clients asked for to be done with a collection, as the builder leaves it."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.like = mint_intent()
        self.relayer = KeyRef(**self.like.signer.model_dump() | {"subject": "platform:relayer-1"})

    def built(self, kind: Kind) -> SignDeploy | SignAdminister:
        """Put one on record with its transaction and its authorization."""
        fields: dict[str, Any] = {
            "trace": self.like.trace,
            "signer": self.relayer,
            "chain_id": 31337,
            "nonce": 0,
            "gas": 400_000,
            "fees": self.like.fees,
            "request_id": "op",
            "contract": address_of(CLONE),
            "clone": CLONE,
            "authorization": b"\x02sealed",
        }
        intent: SignDeploy | SignAdminister
        intent = SignDeploy(**fields) if kind == "deploy" else SignAdminister(**fields, change=PAUSE)
        self.harness.reserved(intent, reserved_at=self.harness.now, updated_at=self.harness.now)
        self.stored(kind, status=MintStatus.BUILT, nonce=0, sender=self.relayer)
        return intent

    def stored(self, kind: Kind, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "mint_id": "op",
            "status": MintStatus.ACCEPTED,
            "chain_id": 31337,
            "contract": address_of(CLONE),
            "principal": "client",
            "clone": CLONE,
            "request_digest": "",
            "trace": self.like.trace,
            "created_at": self.harness.now,
            "updated_at": self.harness.now,
            **changes,
        }
        record: CollectionOperation
        record = (
            CollectionDeployment(**fields) if kind == "deploy" else CollectionCall(**fields, change=PAUSE)
        )
        key = authorizations.key_of(record)
        assert key is not None
        self.harness.store.authorizations[key] = Authorization(envelope=b"\x02sealed")
        self.harness.store.collection_operations[record.operation_id] = record

    def found(self) -> CollectionOperation:
        operation = self.harness.store.operation("op")
        assert isinstance(operation, CollectionOperation)
        return operation

    def taken(self) -> None:
        """Have another transaction use the nonce for good."""
        self.harness.chain.pool.clear()
        self.harness.chain.use_nonce(self.relayer.address)
        self.harness.finalize()


@pytest.fixture
def requests(harness: Harness) -> Requests:
    return Requests(harness)


async def test_broadcast__when_it_is_signed__then_it_is_on_record_and_sent(
    harness: Harness, requests: Requests, kind: Kind
) -> None:
    await harness.broadcast(requests.built(kind))
    operation = requests.found()
    assert (operation.status, len(operation.attempts)) == (MintStatus.SUBMITTED, 1)
    assert len(harness.chain.pool) == 1


async def test_broadcast__when_it_is_for_another_collection__then_nothing_is_written_or_sent(
    harness: Harness, requests: Requests, kind: Kind
) -> None:
    intent = requests.built(kind)
    with pytest.raises(OutcomeRefused):
        await harness.broadcast(intent.evolve(contract=OTHER))
    assert harness.chain.sends == []


async def test_unsigned__when_it_never_came_back__then_it_is_signed_from_its_record(
    harness: Harness, requests: Requests, kind: Kind
) -> None:
    intent = requests.built(kind)
    await harness.sweep(after=60)
    [again] = await harness.sent_to(SIGN)
    assert again == intent


async def test_accepted__when_its_message_was_lost__then_it_is_sent_on(
    harness: Harness, requests: Requests, kind: Kind
) -> None:
    requests.stored(kind)
    await harness.sweep(after=60)
    assert await harness.sent_to(BUILD) == [BuildMint(trace=requests.like.trace, mint_id="op")]


async def test_underpriced__when_sent__then_it_is_signed_again_with_its_authorization_and_proof(
    harness: Harness, requests: Requests, kind: Kind
) -> None:
    harness.chain.minimum_tip = 2 * GWEI
    await harness.broadcast(requests.built(kind).evolve(authorization=b""))
    [again] = await harness.sent_to(SIGN)
    assert (again.attempt, again.authorization, again.clone) == (1, b"\x02sealed", CLONE)


async def test_refused__when_the_enclave_does_not_sign_it__then_it_is_rejected_and_its_nonce_filled(
    harness: Harness, requests: Requests, kind: Kind
) -> None:
    await harness.refuse(requests.built(kind), "policy_clone")
    assert (requests.found().status, requests.found().problem) == (
        MintStatus.REJECTED,
        problem_of("policy_clone"),
    )
    [noop] = await harness.sent_to(SIGN)
    assert isinstance(noop, SignNoop)


async def test_nonce_taken__when_that_is_final__then_a_deployment_gets_another_and_a_change_is_rejected(
    harness: Harness, requests: Requests, kind: Kind
) -> None:
    intent = requests.built(kind)
    await harness.broadcast(intent)
    requests.taken()
    await harness.sweep(after=20)
    messages = await harness.sent_to(BUILD)
    if kind == "deploy":
        assert messages == [RenewNonce(trace=requests.like.trace, mint_id="op", nonce=0)]
        assert requests.found().status is MintStatus.SUBMITTED
    else:
        assert messages == []
        assert (requests.found().status, requests.found().problem) == (MintStatus.REJECTED, NONCE_TAKEN)


async def test_nonce_taken__when_an_attempt_of_ours_succeeded__then_it_waits_for_the_index(
    harness: Harness, requests: Requests, kind: Kind
) -> None:
    intent = requests.built(kind)
    await harness.broadcast(intent)
    harness.chain.mine()
    harness.finalize()
    await harness.sweep(after=20)
    assert requests.found().status is MintStatus.SUBMITTED
    assert await harness.sent_to(BUILD) == []
    assert harness.transaction(intent).state is TransactionState.SUBMITTED
