"""Transfers and burns: one call by the user's wallet, simulated, paid for and reserved as a mint is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from mintline import authorizations
from mintline.authorizations import Authorization
from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.errors import Deferred, Unavailable
from mintline.eth import burn_calldata, transfer_calldata
from mintline.kinds import meaning_of
from mintline.messages.intents import SignBurn, SignTopUp, SignTransfer
from mintline.records.operations import TokenBurn, TokenOperation, TokenTransfer
from mintline.resources import SIGN
from mintline.states import MintStatus, TransactionState
from mintline_builder.waiting import COLLECTION_PAUSED
from mintline_testkit.builder.harness import Builder, Harness, address, key
from mintline_testkit.constants import CHAIN_ID, CONTRACT

KINDS = ("transfer", "burn")
TOKEN = 7


def reverting(name: str, **arguments: object) -> CallReverted:
    return CallReverted(Revert(name, arguments), f"{name}()")


PAUSED = reverting("EnforcedPause")
NOT_OWNER = reverting("ERC721InsufficientApproval", operator=address("alice"), tokenId=TOKEN)
NO_TOKEN = reverting("ERC721NonexistentToken", tokenId=TOKEN)


def accept(harness: Harness, kind: str, operation_id: str = "op", *, to: str = "bob", **changes: Any) -> None:
    """Put a transfer or a burn on record, with its authorization beside it."""
    fields: dict[str, Any] = {
        "mint_id": operation_id,
        "status": MintStatus.ACCEPTED,
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "sender": key("alice"),
        "token_id": TOKEN,
        "request_digest": "00" * 32,
        "trace": "trace-of-op",
        "created_at": int(harness.now * 1000),
        "updated_at": int(harness.now * 1000),
    }
    operation: TokenOperation
    if kind == "transfer":
        operation = TokenTransfer(**fields | {"to": address(to)} | changes)
    else:
        operation = TokenBurn(**fields | changes)
    under = authorizations.key_of(operation)
    assert under is not None
    harness.tables.authorizations[under] = Authorization(envelope=b"sealed for op")
    harness.tables.put(operation)


def operation(harness: Harness, operation_id: str = "op") -> TokenOperation:
    operation = harness.tables.operation(operation_id)
    assert isinstance(operation, TokenOperation)
    return operation


def problem(harness: Harness) -> tuple[str, str]:
    refused = operation(harness)
    assert refused.status is MintStatus.REJECTED
    assert refused.problem is not None
    return refused.problem.code, refused.problem.reason


@pytest.mark.parametrize("kind", KINDS)
async def test_build__when_it_is_accepted__then_the_wallet_has_a_nonce_for_just_that_call(
    harness: Harness, builder: Builder, kind: str
) -> None:
    accept(harness, kind)

    await builder.build("op")

    built = operation(harness)
    assert (built.status, built.nonce, built.gas) == (MintStatus.BUILT, 0, harness.chain.gas * 120 // 100)
    transaction = harness.transaction("alice", 0)
    assert (transaction.kind, transaction.operations, transaction.deadline) == (kind, ("op",), None)
    assert transaction.trace == "trace-of-op"
    [(queue, intent, group)] = harness.outbox.sent
    assert (queue, group) == (SIGN, address("alice"))
    assert isinstance(intent, SignTransfer | SignBurn)
    assert (intent.request_id, intent.contract, intent.token_id) == ("op", CONTRACT, TOKEN)
    assert intent.authorization == b"sealed for op"
    assert meaning_of(intent) == transaction.meaning
    [(call, overrides)] = harness.chain.estimates
    expected = (
        transfer_calldata(sender=address("alice"), to=address("bob"), token_id=TOKEN)
        if kind == "transfer"
        else burn_calldata(TOKEN)
    )
    assert (call.sender, call.to, call.data) == (address("alice"), CONTRACT, expected)
    assert overrides[address("alice")].balance is not None
    assert builder.count("token_operations", kind=kind, outcome="built") == 1
    assert builder.count("built") == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_build__when_delivered_again__then_the_same_intent_is_sent_and_no_nonce_is_taken(
    harness: Harness, builder: Builder, kind: str
) -> None:
    accept(harness, kind)
    await builder.build("op")
    harness.outbox.seen.clear()

    await harness.builder().build("op")

    first, second = harness.messages()
    assert first == second
    assert harness.next_nonce("alice") == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_build__when_two_copies_get_it_at_once__then_it_has_one_nonce(
    harness: Harness, kind: str
) -> None:
    accept(harness, kind)

    await asyncio.gather(harness.builder().build("op"), harness.builder().build("op"))

    assert harness.next_nonce("alice") == 1
    assert len(harness.messages()) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_build__when_the_wallet_is_empty__then_it_is_topped_up_and_the_operation_waits(
    harness: Harness, builder: Builder, kind: str
) -> None:
    accept(harness, kind)
    harness.chain.balances[address("alice")] = 0

    with pytest.raises(Deferred):
        await builder.build("op")
    assert [type(message) for message in harness.messages()] == [SignTopUp]
    assert operation(harness).status is MintStatus.ACCEPTED

    harness.mine("treasury")
    harness.chain.balances[address("alice")] = 10**18
    await builder.build("op")
    assert operation(harness).nonce == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_build__when_the_key_was_used_elsewhere__then_the_chains_count_is_its_nonce(
    harness: Harness, builder: Builder, kind: str
) -> None:
    harness.chain.counts[address("alice")] = 9
    accept(harness, kind)

    await builder.build("op")

    assert operation(harness).nonce == 9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reverted", [NOT_OWNER, NO_TOKEN], ids=["anothers", "burned"])
async def test_build__when_the_wallet_does_not_hold_the_token__then_it_is_rejected_without_a_top_up(
    harness: Harness, builder: Builder, kind: str, reverted: CallReverted
) -> None:
    accept(harness, kind)
    harness.chain.balances[address("alice")] = 0
    harness.chain.reverts[CONTRACT] = reverted

    await builder.build("op")

    assert problem(harness) == (
        "not_owner",
        (
            f"Field token_id: the wallet {address('alice')} does not hold token 7 of this collection. "
            "Send a token that it holds."
        ),
    )
    assert harness.messages() == []
    assert harness.tables.accounts == {}
    assert builder.count("token_operations", kind=kind, outcome="rejected") == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_build__when_the_collection_refuses_for_another_reason__then_a_bounded_text_says_so(
    harness: Harness, builder: Builder, kind: str
) -> None:
    accept(harness, kind)
    words = "soulbound " + "x" * 10_000
    harness.chain.reverts[CONTRACT] = CallReverted(Revert("Error", {"message": words}), words)

    await builder.build("op")

    code, reason = problem(harness)
    assert code == f"{kind}_refused"
    assert reason.startswith(f"The collection refuses the {kind}: soulbound xxx")
    assert len(reason) < 2000


@pytest.mark.parametrize("kind", KINDS)
async def test_build__when_the_collection_is_paused__then_it_waits_and_goes_on_afterwards(
    harness: Harness, builder: Builder, kind: str
) -> None:
    accept(harness, kind)
    harness.chain.reverts[CONTRACT] = PAUSED

    await builder.build("op")
    assert (operation(harness).status, operation(harness).waiting) == (MintStatus.ACCEPTED, COLLECTION_PAUSED)

    harness.chain.reverts.clear()
    await builder.build("op")
    assert (operation(harness).status, operation(harness).waiting) == (MintStatus.BUILT, None)


@pytest.mark.parametrize("kind", KINDS)
async def test_build__when_the_collection_stays_paused__then_it_is_rejected_at_last(
    harness: Harness, builder: Builder, kind: str
) -> None:
    accept(harness, kind)
    harness.chain.reverts[CONTRACT] = PAUSED
    harness.now += 24 * 3600

    await builder.build("op")

    assert problem(harness) == (
        "collection_paused",
        f"The collection is paused, for 24 hours. {kind.capitalize()} again later.",
    )


async def test_build__when_the_recipient_refused_the_token__then_the_transfer_is_rejected(
    harness: Harness, builder: Builder
) -> None:
    accept(harness, "transfer")
    harness.chain.codes[address("bob")] = b"\x01"
    harness.chain.refusing[address("bob")] = reverting("ERC721InvalidReceiver", receiver=address("bob"))

    await builder.build("op")

    code, reason = problem(harness)
    assert code == "recipient_refused"
    assert address("bob") in reason


async def test_build__when_the_collection_refuses_any_recipient__then_that_is_not_the_recipients_fault(
    harness: Harness, builder: Builder
) -> None:
    accept(harness, "transfer")
    harness.chain.codes[address("bob")] = b"\x01"
    harness.chain.reverts[CONTRACT] = reverting("Error", message="soulbound")

    await builder.build("op")

    assert problem(harness)[0] == "transfer_refused"


async def test_build__when_the_recipients_code_takes_too_much_gas__then_the_transfer_is_rejected(
    harness: Harness, builder: Builder
) -> None:
    accept(harness, "transfer")
    harness.chain.codes[address("bob")] = b"\x01"
    harness.chain.code_gas[address("bob")] = 400_000

    await builder.build("op")

    assert problem(harness)[0] == "recipient_gas_too_high"


async def test_build__when_the_recipients_code_is_modest__then_the_transfer_gets_the_gas_for_it(
    harness: Harness, builder: Builder
) -> None:
    accept(harness, "transfer")
    harness.chain.codes[address("bob")] = b"\x01"
    harness.chain.code_gas[address("bob")] = 50_000

    await builder.build("op")

    assert operation(harness).gas == 150_000 * 120 // 100


@pytest.mark.parametrize("kind", KINDS)
async def test_build__when_the_node_lacks_the_contract__then_nothing_is_decided(
    harness: Harness, builder: Builder, kind: str
) -> None:
    accept(harness, kind)
    del harness.chain.codes[CONTRACT]

    with pytest.raises(Unavailable):
        await builder.build("op")

    assert operation(harness).status is MintStatus.ACCEPTED


@pytest.mark.parametrize("kind", KINDS)
async def test_build__when_the_authorization_is_gone__then_it_is_rejected(
    harness: Harness, builder: Builder, kind: str
) -> None:
    accept(harness, kind)
    harness.tables.authorizations.clear()

    await builder.build("op")

    assert problem(harness)[0] == "authorization_missing"


@pytest.mark.parametrize("kind", KINDS)
async def test_renew__when_its_nonce_was_taken__then_it_gets_no_other(
    harness: Harness, builder: Builder, kind: str
) -> None:
    accept(harness, kind)
    await builder.build("op")
    harness.move("alice", 0, state=TransactionState.FINAL, outcome="filled")
    harness.chain.counts[address("alice")] = 1
    before = operation(harness)
    harness.outbox.sent.clear()

    with capture_logs() as logs:
        await builder.renew("op", spent=0)

    assert operation(harness) == before
    assert harness.messages() == []
    assert harness.next_nonce("alice") == 1
    assert [(line["event"], line["kind"]) for line in logs] == [("renewal_dropped", kind)]
