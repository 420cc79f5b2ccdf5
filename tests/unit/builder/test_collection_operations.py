"""Deployments and changes of collections: one call by a relayer, simulated and reserved."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest

from mintline import authorizations
from mintline.authorizations import Authorization
from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.clone_calls import address_of, change_calldata, deployment_calldata
from mintline.clones import CloneArgs
from mintline.errors import Deferred, Unavailable
from mintline.eth import ETHER
from mintline.kinds import meaning_of
from mintline.messages.intents import SignAdminister, SignBatch, SignDeploy
from mintline.messages.parts import Clone, CollectionChange
from mintline.records.operations import CollectionCall, CollectionDeployment, CollectionOperation
from mintline.resources import SIGN
from mintline.states import MintStatus, TransactionState
from mintline_builder.waiting import GAS_ABOVE_BOUND, NO_RELAYER, RELAYER_NOT_ALLOWED
from mintline_testkit.builder.harness import Builder, Harness, address, key
from mintline_testkit.constants import CHAIN_ID

Kind = Literal["deploy", "administer"]
CLONE = Clone(
    factory=address("factory"),
    implementation=address("implementation"),
    principal="client",
    operation_id="op",
    args=CloneArgs(name="Name", symbol="SYM", owner=address("alice"), supply_cap=10),
)
COLLECTION = address_of(CLONE)
PAUSE = CollectionChange(action="pause")
BOTH = pytest.mark.parametrize("kind", ["deploy", "administer"])


def reverting(name: str, **arguments: object) -> CallReverted:
    return CallReverted(Revert(name, arguments), f"{name}()")


NOT_A_RELAYER = reverting("AccessControlUnauthorizedAccount", account=address("relayer"), neededRole=b"")


def called(kind: Kind) -> str:
    return CLONE.factory if kind == "deploy" else COLLECTION


def accept(harness: Harness, kind: Kind, **changes: Any) -> None:
    """Put one on record, with its authorization beside it, on a chain that has what it calls."""
    fields: dict[str, Any] = {
        "mint_id": "op",
        "status": MintStatus.ACCEPTED,
        "chain_id": CHAIN_ID,
        "contract": COLLECTION,
        "principal": "client",
        "clone": CLONE,
        "request_digest": "00" * 32,
        "trace": "trace-of-op",
        "created_at": int(harness.now * 1000),
        "updated_at": int(harness.now * 1000),
        **changes,
    }
    operation: CollectionOperation
    operation = CollectionDeployment(**fields) if kind == "deploy" else CollectionCall(**fields, change=PAUSE)
    under = authorizations.key_of(operation)
    assert under is not None
    harness.tables.authorizations[under] = Authorization(envelope=b"sealed for op")
    harness.tables.put(operation)
    harness.chain.codes[called(kind)] = b"\x01"


def operation(harness: Harness) -> CollectionOperation:
    operation = harness.tables.operation("op")
    assert isinstance(operation, CollectionOperation)
    return operation


def problem(harness: Harness) -> str:
    refused = operation(harness)
    assert refused.status is MintStatus.REJECTED
    assert refused.problem is not None
    return refused.problem.code


@BOTH
async def test_build__when_it_is_accepted__then_a_relayer_has_a_nonce_for_just_that_call(
    harness: Harness, builder: Builder, kind: Kind
) -> None:
    accept(harness, kind)

    await builder.build("op")

    built = operation(harness)
    assert (built.status, built.nonce, built.sender) == (MintStatus.BUILT, 0, key("relayer"))
    transaction = harness.transaction("relayer", 0)
    assert (transaction.kind, transaction.operations, transaction.claiming) == (kind, ("op",), None)
    [(queue, intent, group)] = harness.outbox.sent
    assert (queue, group) == (SIGN, address("relayer"))
    assert isinstance(intent, SignDeploy | SignAdminister)
    assert (intent.request_id, intent.contract, intent.clone) == ("op", COLLECTION, CLONE)
    assert intent.authorization == b"sealed for op"
    assert meaning_of(intent) == transaction.meaning
    [(call, overrides)] = harness.chain.estimates
    data = deployment_calldata(CLONE) if kind == "deploy" else change_calldata(PAUSE)
    assert (call.sender, call.to, call.data) == (address("relayer"), called(kind), data)
    assert overrides[address("relayer")].balance is not None


@BOTH
async def test_build__when_it_is_delivered_again_or_twice_at_once__then_it_has_one_nonce_and_one_intent(
    harness: Harness, kind: Kind
) -> None:
    accept(harness, kind)

    await asyncio.gather(harness.builder().build("op"), harness.builder().build("op"))
    harness.outbox.seen.clear()
    await harness.builder().build("op")

    first, *others = harness.messages()
    assert all(other == first for other in others)
    assert harness.next_nonce("relayer") == 1


@pytest.mark.parametrize(
    ("kind", "reverted", "code"),
    [
        ("deploy", reverting("AlreadyCreated", collection=COLLECTION), "already_created"),
        ("deploy", reverting("InvalidImplementation", implementation=COLLECTION), "deployment_refused"),
        ("administer", reverting("EnforcedPause"), "already_paused"),
        ("administer", reverting("ExpectedPause"), "not_paused"),
        ("administer", reverting("Frozen"), "collection_frozen"),
        ("administer", reverting("InvalidItemCap", id=7, cap=1), "item_cap_refused"),
        ("administer", reverting("ERC2981InvalidDefaultRoyaltyReceiver"), "change_refused"),
    ],
)
async def test_build__when_the_chain_refuses_it__then_it_is_rejected_with_the_reason(
    harness: Harness, builder: Builder, kind: Kind, reverted: CallReverted, code: str
) -> None:
    accept(harness, kind)
    harness.chain.reverts[called(kind)] = reverted

    await builder.build("op")

    assert problem(harness) == code
    assert harness.messages() == []
    assert harness.next_nonce("relayer") == 0


@BOTH
async def test_build__when_no_relayer_is_allowed_or_there_is_none__then_it_waits(
    harness: Harness, kind: Kind
) -> None:
    accept(harness, kind)
    harness.chain.reverts[called(kind)] = NOT_A_RELAYER
    await harness.builder().build("op")
    assert operation(harness).waiting == RELAYER_NOT_ALLOWED

    harness.relayers = ()
    await harness.builder().build("op")
    assert operation(harness).waiting == NO_RELAYER


@BOTH
async def test_build__when_it_needs_more_gas_than_the_bound__then_it_waits(
    harness: Harness, builder: Builder, kind: Kind
) -> None:
    accept(harness, kind)
    harness.chain.gas = 9_000_000

    await builder.build("op")

    assert operation(harness).waiting == GAS_ABOVE_BOUND


@BOTH
async def test_build__when_the_relayer_cannot_pay__then_it_is_tried_again(
    harness: Harness, builder: Builder, kind: Kind
) -> None:
    """What it needs is known only once a relayer was picked by a guess."""
    accept(harness, kind)
    harness.chain.gas = 700_000
    fees = await harness.chain.fees()
    harness.chain.balances[address("relayer")] = 500_000 * 3 * fees.base_fee

    with pytest.raises(Deferred):
        await builder.build("op")

    assert operation(harness).status is MintStatus.ACCEPTED
    harness.chain.balances[address("relayer")] = ETHER
    await builder.build("op")
    assert operation(harness).nonce == 0


@BOTH
async def test_build__when_the_node_lacks_what_it_calls__then_it_is_tried_again(
    harness: Harness, builder: Builder, kind: Kind
) -> None:
    accept(harness, kind)
    harness.chain.codes[called(kind)] = b""

    with pytest.raises(Unavailable):
        await builder.build("op")


@BOTH
async def test_build__when_it_is_not_authorized_or_of_another_chain__then_it_is_rejected(
    harness: Harness, kind: Kind
) -> None:
    accept(harness, kind)
    harness.tables.authorizations.clear()
    await harness.builder().build("op")
    assert problem(harness) == "authorization_missing"

    accept(harness, kind, chain_id=CHAIN_ID + 1)
    await harness.builder().build("op")
    assert problem(harness) == f"{kind}_malformed"


@pytest.mark.parametrize(("kind", "nonces"), [("administer", 1), ("deploy", 2)])
async def test_renew__when_another_transaction_used_the_nonce__then_a_deployment_alone_gets_another(
    harness: Harness, builder: Builder, kind: Kind, nonces: int
) -> None:
    accept(harness, kind)
    await builder.build("op")
    harness.move("relayer", 0, state=TransactionState.SUBMITTED)
    harness.mine("relayer")

    await harness.builder().renew("op", 0)

    assert harness.next_nonce("relayer") == nonces
    assert operation(harness).nonce == nonces - 1
    intents = [message for message in harness.messages() if isinstance(message, SignDeploy | SignAdminister)]
    assert [intent.nonce for intent in intents] == list(range(nonces))


async def test_renew__when_the_deployment_succeeded_or_the_node_lags__then_it_keeps_its_nonce(
    harness: Harness, builder: Builder
) -> None:
    accept(harness, "deploy")
    await builder.build("op")
    with pytest.raises(Deferred):
        await harness.builder().renew("op", 0)

    harness.mine("relayer")
    harness.move("relayer", 0, state=TransactionState.MINED, outcome="succeeded", tx_hash=b"\x01" * 32)
    await harness.builder().renew("op", 0)

    assert operation(harness).nonce == 0
    assert harness.next_nonce("relayer") == 1


async def test_renew__when_the_collection_is_on_chain_after_all__then_it_is_rejected_as_that(
    harness: Harness, builder: Builder
) -> None:
    accept(harness, "deploy")
    await builder.build("op")
    harness.move("relayer", 0, state=TransactionState.SUBMITTED)
    harness.mine("relayer")
    harness.chain.reverts[CLONE.factory] = reverting("AlreadyCreated", collection=COLLECTION)

    await harness.builder().renew("op", 0)

    assert problem(harness) == "already_created"
    assert harness.transaction("relayer", 0).filling_at is not None


async def test_build__when_a_sponsored_mint_is_in_a_clone__then_the_batch_has_its_proof(
    harness: Harness, builder: Builder
) -> None:
    harness.tables.clones[harness.contract] = CLONE
    harness.accept("m1", custody="sponsored")

    await builder.build("m1")

    [intent] = harness.messages()
    assert isinstance(intent, SignBatch)
    assert intent.clone == CLONE
    assert harness.transaction("relayer", 0).clone == CLONE


@pytest.mark.parametrize(
    ("reverted", "code"),
    [
        (reverting("SupplyCapReached", supplyCap=10), "collection_full"),
        (reverting("MintWindowClosed", mintStart=1, mintEnd=2), "minting_closed"),
    ],
)
async def test_build__when_the_clone_takes_no_mint_any_more__then_all_are_rejected(
    harness: Harness, reverted: CallReverted, code: str
) -> None:
    for number in (1, 2, 3):
        harness.accept(f"m{number}", custody="sponsored")
    harness.chain.reverts[harness.contract] = reverted
    builder = harness.builder()

    await asyncio.gather(*(builder.build(f"m{number}") for number in (1, 2, 3)))

    problems = [harness.mint(f"m{number}").problem for number in (1, 2, 3)]
    assert [problem and problem.code for problem in problems] == [code] * 3
    assert harness.next_nonce("relayer") == 0


async def test_build__when_a_reorg_took_the_clone_back__then_no_batch_is_made_until_it_is_there_again(
    harness: Harness, builder: Builder
) -> None:
    """Without code a call succeeds, and mints nothing."""
    harness.tables.clones[harness.contract] = CLONE
    harness.accept("m1", custody="sponsored")
    await builder.build("m1")
    harness.chain.codes[harness.contract] = b""
    harness.accept("m2", custody="sponsored")

    with pytest.raises(Unavailable):
        await builder.build("m2")
