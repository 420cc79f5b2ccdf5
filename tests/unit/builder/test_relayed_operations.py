"""Transfers and burns by the holder's signature: a relayer's nonce, and one turn after the other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from mintline import authorizations
from mintline.authorizations import Authorization
from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.clones import CloneArgs
from mintline.errors import Deferred, Unavailable
from mintline.eth import ETHER
from mintline.holder_signatures import burn_by_signature_calldata, transfer_by_signature_calldata
from mintline.kinds import meaning_of
from mintline.messages.intents import SignRelayedBurn, SignRelayedTransfer
from mintline.messages.parts import Clone
from mintline.records.keys import signature_turn_key
from mintline.records.locks import SignatureTurn
from mintline.records.operations import RelayedBurn, RelayedTokenOperation, RelayedTransfer, TokenOperation
from mintline.states import MintStatus, TransactionState
from mintline_builder.kinds.relayed import SETTLED_AFTER, SIGNATURE_TTL
from mintline_builder.token_simulation import RECOVERY_GAS, TAKES_ANY_SIGNATURE
from mintline_builder.waiting import CHAIN_TIME_SKEWED, COLLECTION_PAUSED, NO_RELAYER
from mintline_testkit.builder.harness import Builder, Harness, address, key
from mintline_testkit.constants import CHAIN_ID, CONTRACT

KINDS = ("relayed_transfer", "relayed_burn")
TOKEN = 7
TURN = signature_turn_key(CHAIN_ID, CONTRACT, address("alice"))
CLONE = Clone(
    factory=address("factory"),
    implementation=address("implementation"),
    principal="client",
    operation_id="deploy_1",
    args=CloneArgs(name="Name", symbol="SYM"),
)


def reverting(name: str) -> CallReverted:
    return CallReverted(Revert(name, {}), f"{name}()")


@pytest.fixture(autouse=True)
def cloned(harness: Harness) -> None:
    harness.tables.clones[CONTRACT] = CLONE
    harness.chain.balances[address("alice")] = 0


def accept(
    harness: Harness, kind: str = "relayed_transfer", operation_id: str = "op", **changes: Any
) -> None:
    fields: dict[str, Any] = {
        "mint_id": operation_id,
        "status": MintStatus.ACCEPTED,
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "wallet": key("alice"),
        "token_id": TOKEN,
        "request_digest": "00" * 32,
        "trace": "trace-of-op",
        "created_at": int(harness.now * 1000),
        "updated_at": int(harness.now * 1000),
    } | changes
    operation: TokenOperation = (
        RelayedTransfer(**{"to": address("bob")} | fields)
        if kind == "relayed_transfer"
        else RelayedBurn(**fields)
    )
    under = authorizations.key_of(operation)
    assert under is not None
    harness.tables.authorizations[under] = Authorization(envelope=b"sealed for op")
    harness.tables.put(operation)


def operation(harness: Harness, operation_id: str = "op") -> RelayedTokenOperation:
    operation = harness.tables.operation(operation_id)
    assert isinstance(operation, RelayedTokenOperation)
    return operation


def settle(harness: Harness, state: TransactionState, *, nonce: int = 0, relayer: str = "relayer") -> None:
    """Have a transaction of a relayer's done what it was for, and the chain know it."""
    harness.move(relayer, nonce, state=state, outcome="succeeded")
    harness.chain.counts[address(relayer)] = nonce + 1
    harness.chain.counters[address("alice")] = harness.chain.counters.get(address("alice"), 0) + 1


@pytest.mark.parametrize("kind", KINDS)
async def test_build__when_it_is_accepted__then_a_relayer_has_a_nonce_for_the_wallets_signature(
    harness: Harness, builder: Builder, kind: str
) -> None:
    harness.chain.counters[address("alice")] = 5
    accept(harness, kind)

    await builder.build("op")

    built, deadline = operation(harness), int(harness.now) + SIGNATURE_TTL
    gas = (harness.chain.gas + RECOVERY_GAS) * 120 // 100
    assert (built.status, built.nonce, built.gas) == (MintStatus.BUILT, 0, gas)
    assert (built.sender, built.counter, built.deadline) == (key("relayer"), 5, deadline)
    transaction = harness.transaction("relayer", 0)
    assert (transaction.kind, transaction.operations, transaction.deadline) == (kind, ("op",), deadline)
    assert transaction.clone == CLONE
    assert harness.tables.turns[TURN] == SignatureTurn(operation_id="op", counter=5)
    [intent] = harness.messages()
    assert isinstance(intent, SignRelayedTransfer | SignRelayedBurn)
    assert (intent.signer, intent.holder) == (key("relayer"), key("alice"))
    assert (intent.counter, intent.deadline, intent.clone) == (5, deadline, CLONE)
    assert intent.authorization == b"sealed for op"
    assert meaning_of(intent) == transaction.meaning
    assert harness.next_nonce("alice") == 0
    assert harness.tables.accounts == {}, "the wallet gets no ether"
    assert builder.count("token_operations", kind=kind, outcome="built") == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_build__when_it_is_simulated__then_it_is_the_very_call_with_a_signature_taken_to_be_good(
    harness: Harness, builder: Builder, kind: str
) -> None:
    accept(harness, kind)

    await builder.build("op")

    [(call, overrides)] = harness.chain.estimates
    fields: dict[str, Any] = {
        "holder": address("alice"),
        "token_id": TOKEN,
        "counter": 0,
        "deadline": int(harness.now) + SIGNATURE_TTL,
        "signature": bytes([1]) * 65,
    }
    expected = (
        transfer_by_signature_calldata(**fields, to=address("bob"))
        if kind == "relayed_transfer"
        else burn_by_signature_calldata(**fields)
    )
    assert (call.sender, call.to, call.data) == (address("relayer"), CONTRACT, expected)
    assert overrides[address("alice")].code == TAKES_ANY_SIGNATURE
    assert overrides[address("relayer")].balance is not None


async def test_build__when_delivered_again_or_to_two_at_once__then_it_has_one_nonce_and_one_turn(
    harness: Harness,
) -> None:
    accept(harness)

    await asyncio.gather(harness.builder().build("op"), harness.builder().build("op"))
    harness.outbox.seen.clear()
    await harness.builder().build("op")

    first, second = harness.messages()
    assert first == second
    assert harness.next_nonce("relayer") == 1


async def test_build__when_another_of_the_wallet_is_under_way__then_it_waits_for_its_block(
    harness: Harness, builder: Builder
) -> None:
    accept(harness, operation_id="first")
    accept(harness, "relayed_burn", "second", token_id=8)
    await builder.build("first")
    harness.move("relayer", 0, state=TransactionState.SUBMITTED)

    with pytest.raises(Deferred, match="first of the wallet is under way"):
        await builder.build("second")
    assert operation(harness, "second").status is MintStatus.ACCEPTED

    settle(harness, TransactionState.MINED)
    await builder.build("second")
    assert (operation(harness, "second").counter, operation(harness, "second").nonce) == (1, 1)
    assert harness.tables.turns[TURN] == SignatureTurn(operation_id="second", counter=1)


async def test_build__when_two_of_a_wallet_come_at_once__then_one_gets_the_turn_and_the_other_waits(
    harness: Harness,
) -> None:
    accept(harness, operation_id="first")
    accept(harness, operation_id="second", token_id=8)

    outcomes = await asyncio.gather(
        harness.builder().build("first"), harness.builder().build("second"), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Unavailable]
    states = {operation(harness, name).status for name in ("first", "second")}
    assert states == {MintStatus.BUILT, MintStatus.ACCEPTED}
    assert harness.next_nonce("relayer") == 1


async def test_build__when_the_wallets_are_two__then_none_waits_for_the_other(
    harness: Harness, builder: Builder
) -> None:
    accept(harness, operation_id="first")
    accept(harness, operation_id="second", wallet=key("bob"), to=address("alice"))

    await asyncio.gather(builder.build("first"), builder.build("second"))

    assert {operation(harness, name).nonce for name in ("first", "second")} == {0, 1}


async def test_build__when_the_one_before_may_be_undone_by_a_reorg__then_its_relayer_sends_this_one_too(
    harness: Harness,
) -> None:
    harness.relayers = (key("relayer"), key("relayer-2"))
    harness.chain.balances[address("relayer-2")] = 1000 * ETHER
    builder = harness.builder()
    accept(harness, operation_id="first")
    await builder.build("first")
    first = operation(harness, "first").sender
    assert first is not None
    settle(harness, TransactionState.MINED, relayer=first.subject)
    accept(harness, operation_id="second", token_id=8)
    await builder.build("second")
    assert operation(harness, "second").sender == first

    settle(harness, TransactionState.FINAL, nonce=1, relayer=first.subject)
    accept(harness, operation_id="third", token_id=9)
    await builder.build("third")
    assert operation(harness, "third").sender != first, "the one that was used less lately"
    assert operation(harness, "third").counter == 2


async def test_build__when_the_node_lacks_the_latest_block__then_no_counter_is_used_twice(
    harness: Harness, builder: Builder
) -> None:
    accept(harness, operation_id="first")
    await builder.build("first")
    settle(harness, TransactionState.MINED)
    harness.chain.counters[address("alice")] = 0
    accept(harness, operation_id="second", token_id=8)

    with pytest.raises(Deferred, match="latest block"):
        await builder.build("second")

    assert harness.next_nonce("relayer") == 1


@pytest.mark.parametrize("outcome", ["failed", "filled"])
async def test_build__when_the_one_before_did_not_happen__then_its_counter_is_used_again(
    harness: Harness, builder: Builder, outcome: str
) -> None:
    accept(harness, operation_id="first")
    await builder.build("first")
    harness.move("relayer", 0, state=TransactionState.FINAL, outcome=outcome)
    if outcome == "filled":
        ended = harness.tables.stored("first").evolve(status=MintStatus.REJECTED)
        harness.tables.put(ended)
    harness.chain.counts[address("relayer")] = 1
    accept(harness, operation_id="second", token_id=8)

    await builder.build("second")

    assert operation(harness, "second").counter == 0


@pytest.mark.parametrize("revert", ["InvalidAccountNonce", "SignatureExpired"])
async def test_build__when_the_counter_has_moved_on_meanwhile__then_it_is_read_again(
    harness: Harness, builder: Builder, revert: str
) -> None:
    accept(harness)
    harness.chain.reverts[CONTRACT] = reverting(revert)

    with pytest.raises(Deferred):
        await builder.build("op")
    assert operation(harness).status is MintStatus.ACCEPTED

    harness.chain.reverts.clear()
    harness.chain.counters[address("alice")] = 4
    await builder.build("op")
    assert operation(harness).counter == 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("revert", "code"),
    [
        ("ERC721IncorrectOwner", "not_owner"),
        ("ERC721NonexistentToken", "not_owner"),
        ("Soulbound", "{noun}_refused"),
    ],
)
async def test_build__when_the_collection_refuses__then_it_is_rejected_and_nothing_is_reserved(
    harness: Harness, builder: Builder, kind: str, revert: str, code: str
) -> None:
    accept(harness, kind)
    harness.chain.reverts[CONTRACT] = reverting(revert)

    await builder.build("op")

    stands = operation(harness)
    assert stands.problem is not None
    assert (stands.status, stands.problem.code) == (MintStatus.REJECTED, code.format(noun=stands.noun))
    assert harness.messages() == []
    assert harness.tables.turns == {}


async def test_build__when_the_recipient_refuses_the_token__then_it_is_rejected_with_the_reason(
    harness: Harness, builder: Builder
) -> None:
    accept(harness)
    harness.chain.codes[address("bob")] = b"\x01"
    harness.chain.refusing[address("bob")] = reverting("ERC721InvalidReceiver")

    await builder.build("op")

    problem = operation(harness).problem
    assert problem is not None
    assert problem.code == "recipient_refused"
    assert address("bob") in problem.reason


async def test_build__when_somebody_has_to_act__then_it_waits_and_says_for_what(
    harness: Harness, builder: Builder
) -> None:
    accept(harness)
    harness.chain.reverts[CONTRACT] = reverting("EnforcedPause")
    await builder.build("op")
    assert operation(harness).waiting == COLLECTION_PAUSED

    harness.chain.reverts.clear()
    harness.chain_ahead = 13 * 3600
    await builder.build("op")
    assert operation(harness).waiting == CHAIN_TIME_SKEWED

    harness.chain_ahead, harness.relayers = 0, ()
    await harness.builder().build("op")
    assert operation(harness).waiting == NO_RELAYER

    harness.now += 24 * 3600
    await harness.builder().build("op")
    problem = operation(harness).problem
    assert problem is not None
    assert problem.reason.endswith("Transfer again later.")


async def test_build__when_the_chains_clock_is_behind__then_the_deadline_is_ahead_of_ours(
    harness: Harness, builder: Builder
) -> None:
    harness.chain_ahead = -7200
    accept(harness)

    await builder.build("op")

    assert operation(harness).deadline == int(harness.now) + SIGNATURE_TTL


async def test_build__when_the_authorization_or_the_collections_record_is_gone__then_nothing_is_signed(
    harness: Harness, builder: Builder
) -> None:
    accept(harness)
    harness.tables.clones.clear()
    with pytest.raises(Unavailable):
        await builder.build("op")

    harness.tables.clones[CONTRACT] = CLONE
    del harness.chain.codes[CONTRACT]
    with pytest.raises(Unavailable):
        await builder.build("op")

    harness.tables.authorizations.clear()
    await builder.build("op")
    problem = operation(harness).problem
    assert problem is not None
    assert problem.code == "authorization_missing"


async def test_renew__when_its_nonce_was_taken__then_it_gets_no_other(
    harness: Harness, builder: Builder
) -> None:
    accept(harness)
    await builder.build("op")
    harness.move("relayer", 0, state=TransactionState.FINAL, outcome="filled")
    harness.outbox.sent.clear()

    with capture_logs() as logs:
        await builder.renew("op", spent=0)

    assert harness.messages() == []
    assert [line["event"] for line in logs] == ["renewal_dropped"]


async def test_build__when_a_reorg_took_back_the_counter_of_one_that_failed__then_it_is_read_again(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.counters[address("alice")] = 1
    accept(harness, operation_id="first")
    accept(harness, operation_id="second", token_id=8)
    await builder.build("first")
    ended = int(harness.now * 1000)
    harness.move("relayer", 0, state=TransactionState.MINED, outcome="failed", updated_at=ended)
    harness.chain.counts[address("relayer")] = 1
    harness.chain.counters[address("alice")] = 0

    with pytest.raises(Deferred, match="does not have the wallet's latest block"):
        await builder.build("second")
    harness.now += SETTLED_AFTER + 1
    await builder.build("second")

    assert (operation(harness, "second").status, operation(harness, "second").counter) == (
        MintStatus.BUILT,
        0,
    )
