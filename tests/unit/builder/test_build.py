"""From an accepted mint to the intent that is sent to be signed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mintline.chain.answers import FeeMarket
from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.errors import Conflict, Deferred, Rejected, Unavailable
from mintline.kinds import meaning_of
from mintline.messages import Message, SignMint
from mintline.records import TOKEN_ON_CHAIN
from mintline.resources import SIGN, Queue
from mintline.states import MintStatus
from mintline_builder.ports import MetadataTaken
from mintline_testkit.constants import GWEI

if TYPE_CHECKING:
    from tests.unit.builder.conftest import Builder, World

ALREADY_MINTED = CallReverted(Revert("AlreadyMinted", {"tokenId": 1}), "AlreadyMinted(tokenId=1)")
PAUSED = CallReverted(Revert("EnforcedPause", {}), "EnforcedPause()")


async def test_build__when_a_mint_is_accepted__then_its_intent_says_what_its_record_says(
    world: World, builder: Builder
) -> None:
    world.accept("m1", to="bob")

    await builder.build("m1")

    mint = world.mint("m1")
    assert (mint.status, mint.nonce, mint.token_id, mint.metadata) == (MintStatus.BUILT, 0, 1, None)
    assert mint.deadline == int(world.now) + 3600
    assert mint.gas == world.chain.gas * 120 // 100
    assert mint.fees is not None
    assert (mint.fees.max_fee_per_gas, mint.fees.max_priority_fee_per_gas) == (3 * GWEI, GWEI)
    [(queue, intent, group)] = world.outbox.sent
    assert (queue, group) == (SIGN, world.address("alice"))
    assert isinstance(intent, SignMint)
    assert intent.mint_id == "m1"
    assert intent.trace == "trace-of-m1"
    assert intent.signer == world.key("alice")
    assert (intent.nonce, intent.gas, intent.fees, intent.attempt) == (0, mint.gas, mint.fees, 0)
    assert intent.authorization == b"sealed for m1"
    assert intent.voucher.token_id == mint.token_id
    assert intent.voucher.to == world.address("bob")
    assert intent.voucher.metadata_digest == mint.metadata_digest
    assert intent.voucher.deadline == mint.deadline
    assert builder.count("built") == 1


async def test_build__when_the_mint_is_of_the_version_before__then_its_own_record_has_what_it_takes(
    world: World, builder: Builder
) -> None:
    old = world.accept("m1").evolve(metadata=world.metadata_text, authorization=b"sealed before")
    world.tables.mints["m1"] = old
    world.tables.authorizations.clear()

    await builder.build("m1")
    await builder.build("m1")

    assert world.mint("m1").status is MintStatus.BUILT
    assert world.metadata.objects == {(world.contract, 1): world.metadata_text}
    [(_, intent, _)] = world.outbox.sent
    assert isinstance(intent, SignMint)
    assert intent.authorization == b"sealed before"


async def test_build__when_a_mint_is_built__then_its_transaction_is_on_record_and_its_own_says_no_more(
    world: World, builder: Builder
) -> None:
    world.accept("m1")

    await builder.build("m1")

    [intent] = world.messages()
    assert isinstance(intent, SignMint)
    transaction = world.transaction("alice", 0)
    assert (transaction.kind, transaction.operations, transaction.state) == ("mint", ("m1",), "reserved")
    assert (transaction.signer, transaction.gas, transaction.fees) == (intent.signer, intent.gas, intent.fees)
    assert (transaction.meaning, transaction.deadline) == (meaning_of(intent), intent.voucher.deadline)
    assert (transaction.trace, transaction.first_attempt, transaction.attempts) == ("trace-of-m1", 0, ())
    assert transaction.reserved_at == transaction.updated_at == int(world.now * 1000)
    stored = world.tables.mints["m1"]
    assert (stored.status, stored.nonce, stored.deadline) == (MintStatus.BUILT, 0, transaction.deadline)
    assert (stored.gas, stored.fees, stored.attempts) == (None, None, ())


async def test_build__when_a_mint_is_built__then_its_metadata_lies_under_its_token_id(
    world: World, builder: Builder
) -> None:
    world.accept("m1")

    await builder.build("m1")

    assert world.metadata.objects == {(world.contract, 1): world.metadata_text}


async def test_build__when_other_bytes_are_in_its_metadatas_place__then_it_waits_and_replaces_none(
    world: World, builder: Builder
) -> None:
    world.accept("m1")
    world.metadata.objects[world.contract, 1] = '{"name":"forged"}'

    with pytest.raises(MetadataTaken):
        await builder.build("m1")
    assert world.metadata.objects == {(world.contract, 1): '{"name":"forged"}'}
    assert (world.mint("m1").status, world.mint("m1").nonce) == (MintStatus.ACCEPTED, None)

    world.metadata.objects.clear()
    await builder.build("m1")
    assert world.mint("m1").status is MintStatus.BUILT


async def test_build__when_many_arrive_together__then_nonces_and_token_ids_have_no_gap_or_repeat(
    world: World, builder: Builder
) -> None:
    world.chain.balances[world.address("alice")] = 10**20
    world.chain.balances[world.address("bob")] = 10**20
    names = [f"m{i}" for i in range(60)]
    for i, name in enumerate(names):
        world.accept(name, sender=("alice", "bob")[i % 2])

    await asyncio.gather(*map(builder.build, names))

    mints = [world.mint(name) for name in names]
    assert sorted(mint.token_id or 0 for mint in mints) == list(range(1, 61))
    for sender in ("alice", "bob"):
        own = [mint.nonce for mint in mints if mint.sub == sender]
        assert sorted(own, key=lambda nonce: nonce or 0) == list(range(30))
    assert len(world.accounts.commits) < 10


async def test_build__when_delivered_again__then_the_same_intent_is_sent_again(
    world: World, builder: Builder
) -> None:
    world.accept("m1")
    await builder.build("m1")
    world.outbox.seen.clear()

    await world.builder().build("m1")

    first, second = world.messages()
    assert first == second
    assert len(world.accounts.commits) == 1


async def test_build__when_the_mint_has_moved_on__then_nothing_is_sent(
    world: World, builder: Builder
) -> None:
    world.accept("m1", status=MintStatus.SUBMITTED)

    await builder.build("m1")

    assert world.messages() == []
    assert world.accounts.commits == []


async def test_build__when_two_copies_get_the_same_mint_at_once__then_it_is_built_once(world: World) -> None:
    world.accept("m1")

    await asyncio.gather(world.builder().build("m1"), world.builder().build("m1"))

    assert world.account("alice").next_nonce == 1
    assert len(world.messages()) == 1


async def test_build__when_the_send_fails__then_the_next_delivery_sends_what_was_reserved(
    world: World, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.accept("m1")

    async def refuse(queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        raise Unavailable("SQS")

    with monkeypatch.context() as patched:
        patched.setattr(world.outbox, "send", refuse)
        with pytest.raises(Unavailable):
            await builder.build("m1")

    await builder.build("m1")

    assert world.account("alice").next_nonce == 1
    assert [message.nonce for message in world.messages() if isinstance(message, SignMint)] == [0]


async def test_build__when_the_key_was_used_elsewhere_before__then_the_chains_count_is_its_first_nonce(
    world: World, builder: Builder
) -> None:
    world.chain.counts[world.address("alice")] = 9
    world.accept("m1")

    await builder.build("m1")

    assert world.mint("m1").nonce == 9


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
    world: World, builder: Builder, revert: CallReverted, code: str
) -> None:
    world.accept("m1")
    world.chain.reverts[world.contract] = revert

    await builder.build("m1")

    mint = world.mint("m1")
    assert mint.status is MintStatus.REJECTED
    assert mint.problem is not None
    assert mint.problem.code == code
    assert mint.problem.reason
    assert world.accounts.commits == []
    assert world.messages() == []
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
    world: World, builder: Builder, fields: dict[str, Any], code: str
) -> None:
    world.accept("m1", **fields)

    await builder.build("m1")

    problem = world.mint("m1").problem
    assert problem is not None
    assert problem.code == code


async def test_build__when_the_node_does_not_have_the_contract__then_the_mint_waits_for_a_better_node(
    world: World, builder: Builder
) -> None:
    world.accept("m1")
    world.chain.codes.clear()

    with pytest.raises(Unavailable):
        await builder.build("m1")

    assert world.mint("m1").status is MintStatus.ACCEPTED


async def known_contract(world: World, builder: Builder) -> None:
    """Have the builder know what a mint of the contract takes."""
    world.accept("m0")
    await builder.build("m0")
    world.outbox.sent.clear()


async def test_build__when_the_token_is_on_chain_already__then_the_mint_waits_for_the_index_to_tell_whose(
    world: World, builder: Builder
) -> None:
    await known_contract(world, builder)
    world.accept("m1")
    world.chain.reverts[world.contract] = ALREADY_MINTED

    for _ in range(2):
        await builder.build("m1")
        world.now += 30 * 24 * 3600

    assert (world.mint("m1").status, world.mint("m1").waiting) == (MintStatus.ACCEPTED, TOKEN_ON_CHAIN)
    assert world.mint("m1").nonce is None
    assert world.messages() == []
    assert builder.count("waiting", code="token_on_chain") == 2


async def test_build__when_a_self_custody_mints_token_is_on_chain__then_it_waits_as_well(
    world: World, builder: Builder
) -> None:
    await known_contract(world, builder)
    world.accept("m1", custody="self")
    world.chain.reverts[world.contract] = ALREADY_MINTED

    await builder.build("m1")

    assert (world.mint("m1").status, world.mint("m1").waiting) == (MintStatus.ACCEPTED, TOKEN_ON_CHAIN)
    assert world.messages() == []


async def test_build__when_the_wallet_has_no_gas_money_and_the_token_is_on_chain__then_none_is_sent(
    world: World, builder: Builder
) -> None:
    await known_contract(world, builder)
    world.accept("m1")
    world.chain.balances[world.address("alice")] = 0
    world.chain.reverts[world.contract] = ALREADY_MINTED

    await builder.build("m1")

    assert world.mint("m1").waiting == TOKEN_ON_CHAIN
    assert world.messages() == []


async def test_build__when_the_mint_was_accepted_without_a_token_id__then_it_is_rejected(
    world: World, builder: Builder
) -> None:
    world.accept("m1", token_id=None)

    await builder.build("m1")

    problem = world.mint("m1").problem
    assert problem is not None
    assert problem.code == "mint_outdated"


async def test_build__when_a_mint_is_rejected_while_its_twin_was_built__then_it_is_a_conflict(
    world: World, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = world.accept("m1")
    world.chain.reverts[world.contract] = PAUSED
    world.tables.mints["m1"] = accepted.model_copy(update={"status": MintStatus.SUBMITTED})
    stale = [accepted]

    async def get(mint_id: str) -> Any:
        return stale.pop() if stale else world.tables.mints[mint_id]

    monkeypatch.setattr(world.mints, "get", get)

    with pytest.raises(Conflict):
        await builder.build("m1")

    assert world.mint("m1").status is MintStatus.SUBMITTED


async def test_build__when_fees_are_over_the_cap__then_the_mint_waits_and_nothing_is_reserved(
    world: World, builder: Builder
) -> None:
    world.accept("m1")
    world.chain.market = FeeMarket(base_fee=300 * GWEI, priority_fee=GWEI)

    with pytest.raises(Deferred):
        await builder.build("m1")

    assert world.mint("m1").status is MintStatus.ACCEPTED
    assert world.accounts.commits == []
