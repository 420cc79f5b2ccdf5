"""From an accepted mint to the intent that is sent to be signed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mintline.chain.answers import FeeMarket
from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.errors import Conflict, Deferred, Rejected, Unavailable
from mintline.eth import GWEI
from mintline.kinds import meaning_of
from mintline.messages.intents import SignMint
from mintline.messages.parts import Message
from mintline.records.problems import TOKEN_ON_CHAIN
from mintline.records.transactions import Transaction, TransactionKey
from mintline.resource_types import Queue
from mintline.resources import SIGN
from mintline.states import MintStatus
from mintline_builder.ports import MetadataTaken
from mintline_testkit.builder.harness import Builder, Harness

ALREADY_MINTED = CallReverted(Revert("AlreadyMinted", {"tokenId": 1}), "AlreadyMinted(tokenId=1)")
PAUSED = CallReverted(Revert("EnforcedPause", {}), "EnforcedPause()")


async def test_build__when_a_mint_is_accepted__then_its_intent_says_what_its_record_says(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", to="bob")

    await builder.build("m1")

    mint = harness.mint("m1")
    assert (mint.status, mint.nonce, mint.token_id, mint.metadata) == (MintStatus.BUILT, 0, 1, None)
    assert mint.deadline == int(harness.now) + 3600
    assert mint.gas == harness.chain.gas * 120 // 100
    assert mint.fees is not None
    assert (mint.fees.max_fee_per_gas, mint.fees.max_priority_fee_per_gas) == (3 * GWEI, GWEI)
    [(queue, intent, group)] = harness.outbox.sent
    assert (queue, group) == (SIGN, harness.address("alice"))
    assert isinstance(intent, SignMint)
    assert intent.mint_id == "m1"
    assert intent.trace == "trace-of-m1"
    assert intent.signer == harness.key("alice")
    assert (intent.nonce, intent.gas, intent.fees, intent.attempt) == (0, mint.gas, mint.fees, 0)
    assert intent.authorization == b"sealed for m1"
    assert intent.voucher.token_id == mint.token_id
    assert intent.voucher.to == harness.address("bob")
    assert intent.voucher.metadata_digest == mint.metadata_digest
    assert intent.voucher.deadline == mint.deadline
    assert builder.count("built") == 1


async def test_build__when_the_mint_is_of_the_version_before__then_its_own_record_has_what_it_takes(
    harness: Harness, builder: Builder
) -> None:
    old = harness.accept("m1").evolve(metadata=harness.metadata_text, authorization=b"sealed before")
    harness.tables.mints["m1"] = old
    harness.tables.authorizations.clear()

    await builder.build("m1")
    await builder.build("m1")

    assert harness.mint("m1").status is MintStatus.BUILT
    assert harness.metadata.objects == {(harness.contract, 1): harness.metadata_text}
    [(_, intent, _)] = harness.outbox.sent
    assert isinstance(intent, SignMint)
    assert intent.authorization == b"sealed before"


async def test_build__when_a_mint_is_built__then_its_transaction_is_on_record_and_its_own_says_no_more(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1")

    await builder.build("m1")

    [intent] = harness.messages()
    assert isinstance(intent, SignMint)
    transaction = harness.transaction("alice", 0)
    assert (transaction.kind, transaction.operations, transaction.state) == ("mint", ("m1",), "reserved")
    assert (transaction.signer, transaction.gas, transaction.fees) == (intent.signer, intent.gas, intent.fees)
    assert (transaction.meaning, transaction.deadline) == (meaning_of(intent), intent.voucher.deadline)
    assert (transaction.trace, transaction.first_attempt, transaction.attempts) == ("trace-of-m1", 0, ())
    assert transaction.reserved_at == transaction.updated_at == int(harness.now * 1000)
    stored = harness.tables.mints["m1"]
    assert (stored.status, stored.nonce, stored.deadline) == (MintStatus.BUILT, 0, transaction.deadline)
    assert (stored.gas, stored.fees, stored.attempts) == (None, None, ())


async def test_build__when_a_mint_is_built__then_its_metadata_lies_under_its_token_id(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1")

    await builder.build("m1")

    assert harness.metadata.objects == {(harness.contract, 1): harness.metadata_text}


@pytest.mark.parametrize("custody", ["custodial", "self", "sponsored"])
async def test_build__when_its_metadata_is_in_a_pack__then_none_is_stored_again(
    harness: Harness, builder: Builder, custody: str
) -> None:
    harness.accept("m1", to="bob", custody=custody, packed=True)

    await builder.build("m1")

    assert harness.mint("m1").status is MintStatus.BUILT
    assert harness.metadata.objects == {}


async def test_build__when_other_bytes_are_in_its_metadatas_place__then_it_waits_and_replaces_none(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1")
    harness.metadata.objects[harness.contract, 1] = '{"name":"forged"}'

    with pytest.raises(MetadataTaken):
        await builder.build("m1")
    assert harness.metadata.objects == {(harness.contract, 1): '{"name":"forged"}'}
    assert (harness.mint("m1").status, harness.mint("m1").nonce) == (MintStatus.ACCEPTED, None)

    harness.metadata.objects.clear()
    await builder.build("m1")
    assert harness.mint("m1").status is MintStatus.BUILT


async def test_build__when_many_arrive_together__then_nonces_and_token_ids_have_no_gap_or_repeat(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.balances[harness.address("alice")] = 10**20
    harness.chain.balances[harness.address("bob")] = 10**20
    names = [f"m{i}" for i in range(60)]
    for i, name in enumerate(names):
        harness.accept(name, sender=("alice", "bob")[i % 2])

    await asyncio.gather(*map(builder.build, names))

    mints = [harness.mint(name) for name in names]
    assert sorted(mint.token_id or 0 for mint in mints) == list(range(1, 61))
    for sender in ("alice", "bob"):
        own = [mint.nonce for mint in mints if mint.sub == sender]
        assert sorted(own, key=lambda nonce: nonce or 0) == list(range(30))
    assert len(harness.accounts.commits) < 10


async def test_build__when_delivered_again__then_the_same_intent_is_sent_again(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1")
    await builder.build("m1")
    harness.outbox.seen.clear()

    await harness.builder().build("m1")

    first, second = harness.messages()
    assert first == second
    assert len(harness.accounts.commits) == 1


async def test_build__when_the_mint_has_moved_on__then_nothing_is_sent(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", status=MintStatus.SUBMITTED)

    await builder.build("m1")

    assert harness.messages() == []
    assert harness.accounts.commits == []


async def test_build__when_two_copies_get_the_same_mint_at_once__then_it_is_built_once(
    harness: Harness,
) -> None:
    harness.accept("m1")

    await asyncio.gather(harness.builder().build("m1"), harness.builder().build("m1"))

    assert harness.next_nonce("alice") == 1
    assert len(harness.messages()) == 1


async def test_build__when_the_send_fails__then_the_next_delivery_sends_what_was_reserved(
    harness: Harness, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.accept("m1")

    async def refuse(queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        raise Unavailable("SQS")

    with monkeypatch.context() as patched:
        patched.setattr(harness.outbox, "send", refuse)
        with pytest.raises(Unavailable):
            await builder.build("m1")

    await builder.build("m1")

    assert harness.next_nonce("alice") == 1
    assert [message.nonce for message in harness.messages() if isinstance(message, SignMint)] == [0]


async def test_build__when_the_key_was_used_elsewhere_before__then_the_chains_count_is_its_first_nonce(
    harness: Harness, builder: Builder
) -> None:
    harness.chain.counts[harness.address("alice")] = 9
    harness.accept("m1")

    await builder.build("m1")

    assert harness.mint("m1").nonce == 9


async def test_build__when_there_is_no_such_mint__then_the_message_is_rejected(builder: Builder) -> None:
    with pytest.raises(Rejected, match="mint_unknown"):
        await builder.build("m1")


@pytest.mark.parametrize(
    ("revert", "code"),
    [
        (CallReverted(Revert("ERC721InvalidReceiver", {"receiver": "0x"}), "…"), "recipient_refused"),
        (CallReverted(Revert("Error", {"message": "not today"}), "not today"), "simulation_reverted"),
        (CallReverted(None, "reverted"), "simulation_reverted"),
    ],
)
async def test_build__when_the_simulation_reverts__then_the_mint_is_rejected_and_nothing_is_reserved(
    harness: Harness, builder: Builder, revert: CallReverted, code: str
) -> None:
    harness.accept("m1")
    harness.chain.reverts[harness.contract] = revert

    await builder.build("m1")

    mint = harness.mint("m1")
    assert mint.status is MintStatus.REJECTED
    assert mint.problem is not None
    assert mint.problem.code == code
    assert mint.problem.reason
    assert harness.accounts.commits == []
    assert harness.messages() == []
    assert builder.count("rejected", code=code) == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"chain_id": 1}, "mint_malformed"),
        ({"metadata": None}, "authorization_missing"),
        ({"metadata": "{}"}, "digest_mismatch"),
    ],
)
async def test_build__when_the_record_cannot_be_built__then_the_mint_is_rejected(
    harness: Harness, builder: Builder, fields: dict[str, Any], code: str
) -> None:
    harness.accept("m1", **fields)

    await builder.build("m1")

    problem = harness.mint("m1").problem
    assert problem is not None
    assert problem.code == code


async def test_build__when_the_node_does_not_have_the_contract__then_the_mint_waits_for_a_better_node(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1")
    harness.chain.codes.clear()

    with pytest.raises(Unavailable):
        await builder.build("m1")

    assert harness.mint("m1").status is MintStatus.ACCEPTED


async def known_contract(harness: Harness, builder: Builder) -> None:
    """Have the builder know what a mint of the contract takes."""
    harness.accept("m0")
    await builder.build("m0")
    harness.outbox.sent.clear()


async def test_build__when_the_token_is_on_chain_already__then_the_mint_waits_for_the_index_to_tell_whose(
    harness: Harness, builder: Builder
) -> None:
    await known_contract(harness, builder)
    harness.accept("m1")
    harness.chain.reverts[harness.contract] = ALREADY_MINTED

    for _ in range(2):
        await builder.build("m1")
        harness.now += 30 * 24 * 3600

    assert (harness.mint("m1").status, harness.mint("m1").waiting) == (MintStatus.ACCEPTED, TOKEN_ON_CHAIN)
    assert harness.mint("m1").nonce is None
    assert harness.messages() == []
    assert builder.count("waiting", code="token_on_chain") == 2


async def test_build__when_a_self_custody_mints_token_is_on_chain__then_it_waits_as_well(
    harness: Harness, builder: Builder
) -> None:
    await known_contract(harness, builder)
    harness.accept("m1", custody="self")
    harness.chain.reverts[harness.contract] = ALREADY_MINTED

    await builder.build("m1")

    assert (harness.mint("m1").status, harness.mint("m1").waiting) == (MintStatus.ACCEPTED, TOKEN_ON_CHAIN)
    assert harness.messages() == []


async def test_build__when_the_wallet_has_no_gas_money_and_the_token_is_on_chain__then_none_is_sent(
    harness: Harness, builder: Builder
) -> None:
    await known_contract(harness, builder)
    harness.accept("m1")
    harness.chain.balances[harness.address("alice")] = 0
    harness.chain.reverts[harness.contract] = ALREADY_MINTED

    await builder.build("m1")

    assert harness.mint("m1").waiting == TOKEN_ON_CHAIN
    assert harness.messages() == []


async def test_build__when_the_mint_was_accepted_without_a_token_id__then_it_is_rejected(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", token_id=None)

    await builder.build("m1")

    problem = harness.mint("m1").problem
    assert problem is not None
    assert problem.code == "mint_outdated"


async def test_build__when_a_mint_is_rejected_while_its_twin_was_built__then_it_is_a_conflict(
    harness: Harness, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = harness.accept("m1")
    harness.chain.reverts[harness.contract] = PAUSED
    harness.tables.mints["m1"] = accepted.model_copy(update={"status": MintStatus.SUBMITTED})
    stale = [accepted]

    async def get(mint_id: str) -> Any:
        return stale.pop() if stale else harness.tables.mints[mint_id]

    monkeypatch.setattr(harness.mints, "get", get)

    with pytest.raises(Conflict):
        await builder.build("m1")

    assert harness.mint("m1").status is MintStatus.SUBMITTED


async def test_build__when_fees_are_over_the_cap__then_the_mint_waits_and_nothing_is_reserved(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1")
    harness.chain.market = FeeMarket(base_fee=300 * GWEI, priority_fee=GWEI)

    with pytest.raises(Deferred):
        await builder.build("m1")

    assert harness.mint("m1").status is MintStatus.ACCEPTED
    assert harness.accounts.commits == []


async def test_build__when_the_nonce_was_just_reserved__then_the_transaction_is_not_read_back(
    harness: Harness, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[TransactionKey] = []
    transaction = harness.accounts.transaction

    async def reading(place: TransactionKey) -> Transaction | None:
        read.append(place)
        return await transaction(place)

    monkeypatch.setattr(harness.accounts, "transaction", reading)
    harness.accept("m1")

    await builder.build("m1")
    assert (len(harness.messages()), read) == (1, [])
    await builder.build("m1")
    assert read == [harness.transaction("alice", 0).key]
