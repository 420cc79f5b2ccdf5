"""Keys that were used elsewhere: reservations jump ahead, and mints whose nonce was taken get another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.errors import Deferred, Unavailable
from mintline.kinds import meaning_of
from mintline.messages.intents import SignMint, SignTopUp
from mintline.records.operations import Attempt
from mintline.states import MintStatus, TransactionState
from mintline_builder.waiting import Waiting

if TYPE_CHECKING:
    from mintline.records.operations import Mint
    from mintline_builder.claims import Advance
from mintline_testkit.builder.harness import Builder, Harness

FIRST = Attempt(tx_hash=b"\x01" * 32, max_fee_per_gas=3, max_priority_fee_per_gas=1, at=1, nonce=0)


async def submitted(harness: Harness, builder: Builder, mint_id: str = "m1") -> Mint:
    """Build a mint, and note that its transaction was sent."""
    harness.accept(mint_id)
    await builder.build(mint_id)
    harness.move("alice", 0, state=TransactionState.SUBMITTED, attempts=(FIRST,), submitted_at=1)
    harness.outbox.sent.clear()
    mint = harness.mint(mint_id)
    assert mint.status is MintStatus.SUBMITTED
    return mint


async def test_build__when_the_chain_is_ahead_of_the_reservations__then_they_jump_there(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1")
    await builder.build("m1")
    harness.chain.counts[harness.address("alice")] = 5
    for mint_id in ("m2", "m3"):
        harness.accept(mint_id)
    await asyncio.gather(*(builder.build(mint_id) for mint_id in ("m2", "m3")))
    assert [harness.mint(mint_id).nonce for mint_id in ("m1", "m2", "m3")] == [0, 5, 6]
    assert harness.next_nonce("alice") == 7
    assert builder.count("jumps") == 1


async def test_build__when_copies_see_the_jump_at_once__then_every_nonce_is_given_out_once(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m0")
    await builder.build("m0")
    harness.chain.counts[harness.address("alice")] = 9
    copies = [harness.builder() for _ in range(3)]
    for number in range(1, 13):
        harness.accept(f"m{number}")
    await asyncio.gather(*(copies[number % 3].build(f"m{number}") for number in range(1, 13)))
    assert sorted(harness.mint(f"m{number}").nonce or 0 for number in range(1, 13)) == list(range(9, 21))


async def test_build__when_another_copy_reserved_what_the_chain_has_mined__then_no_jump_is_told(
    harness: Harness, builder: Builder
) -> None:
    other = harness.builder()
    for number in range(6):
        harness.accept(f"m{number}")
    await builder.build("m0")
    for number in range(1, 5):
        await other.build(f"m{number}")
    harness.chain.counts[harness.address("alice")] = 5
    await builder.build("m5")
    assert harness.mint("m5").nonce == 5
    assert (builder.count("jumps"), other.count("jumps")) == (0, 0)


async def test_top_up__when_the_treasury_was_used_elsewhere__then_its_reservations_jump_too(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1", sender="poor")
    harness.accept("m2", sender="poorer")
    with pytest.raises(Deferred):
        await builder.build("m1")
    harness.chain.counts[harness.address("treasury")] = 4
    with pytest.raises(Deferred):
        await builder.build("m2")
    assert harness.top_up("poorer").nonce == 4


async def test_renew__when_the_nonce_is_spent__then_the_mint_has_another_and_the_same_token(
    harness: Harness, builder: Builder
) -> None:
    before = await submitted(harness, builder)
    harness.chain.counts[harness.address("alice")] = 3
    harness.now += 600
    await builder.renew("m1", spent=0)
    mint = harness.mint("m1")
    assert (mint.status, mint.nonce, mint.token_id) == (MintStatus.BUILT, 3, before.token_id)
    assert (mint.attempts, mint.submitted_at, mint.deadline) == ((FIRST,), None, int(harness.now) + 3600)
    [intent] = harness.messages()
    assert isinstance(intent, SignMint)
    assert (intent.nonce, intent.attempt, intent.voucher.token_id) == (3, 1, before.token_id)
    assert builder.count("renewed") == 1


async def test_renew__when_the_nonce_is_spent__then_earlier_attempts_are_the_mints_and_new_ones_count_on(
    harness: Harness, builder: Builder
) -> None:
    await submitted(harness, builder)
    earlier = harness.move("alice", 0, attempts=(FIRST, FIRST.evolve(tx_hash=b"\x02" * 32)))
    noop = FIRST.evolve(tx_hash=b"\x03" * 32, fills=True)
    harness.move("alice", 0, attempts=(*earlier.attempts, noop))
    harness.chain.counts[harness.address("alice")] = 3

    await builder.renew("m1", spent=0)

    assert harness.tables.mints["m1"].attempts == harness.mint("m1").attempts == earlier.attempts
    renewed = harness.transaction("alice", 3)
    assert (renewed.operations, renewed.first_attempt, renewed.attempts) == (("m1",), 2, ())
    [intent] = harness.messages()
    assert isinstance(intent, SignMint)
    assert (intent.attempt, meaning_of(intent)) == (renewed.next_attempt, renewed.meaning)
    harness.move("alice", 3, attempts=(noop,))
    harness.outbox.seen.clear()
    await harness.builder().build("m1")
    assert harness.messages() == [intent, intent], "a no-op is no attempt of the mint's"
    later = FIRST.evolve(tx_hash=b"\x04" * 32)
    harness.move("alice", 3, attempts=(later,), state=TransactionState.SUBMITTED)
    assert harness.mint("m1").attempts == (*earlier.attempts, later)


async def test_renew__when_an_attempt_of_the_mint_is_mined_meanwhile__then_it_keeps_its_nonce(
    harness: Harness, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    await submitted(harness, builder)
    harness.chain.counts[harness.address("alice")] = 1
    commit = harness.accounts.commit

    async def late(advances: Sequence[Advance]) -> None:
        harness.move("alice", 0, state=TransactionState.MINED, outcome="succeeded")
        await commit(advances)

    monkeypatch.setattr(harness.accounts, "commit", late)
    await builder.renew("m1", spent=0)

    assert (harness.mint("m1").status, harness.mint("m1").nonce) == (MintStatus.MINED, 0)
    assert harness.next_nonce("alice") == 1
    assert harness.messages() == []


async def test_renew__when_a_noop_took_the_nonce_before_the_mint_was_sent__then_it_has_another(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("m1")
    await builder.build("m1")
    before = harness.mint("m1")
    harness.outbox.sent.clear()
    with pytest.raises(Deferred):
        await builder.renew("m1", spent=0)
    assert harness.mint("m1") == before
    harness.chain.counts[harness.address("alice")] = 1
    await builder.renew("m1", spent=0)
    mint = harness.mint("m1")
    assert (mint.status, mint.nonce, mint.token_id) == (MintStatus.BUILT, 1, before.token_id)
    intent = harness.messages()[-1]
    assert isinstance(intent, SignMint)
    assert (intent.nonce, intent.attempt) == (1, 0)


async def test_renew__when_redelivered__then_the_same_intent_is_sent_on_and_no_nonce_is_lost(
    harness: Harness, builder: Builder
) -> None:
    await submitted(harness, builder)
    harness.chain.counts[harness.address("alice")] = 1
    await asyncio.gather(*(harness.builder().renew("m1", spent=0) for _ in range(4)), return_exceptions=True)
    await builder.renew("m1", spent=0)
    assert harness.mint("m1").nonce == 1
    assert harness.next_nonce("alice") == 2
    assert {message.nonce for message in harness.messages() if isinstance(message, SignMint)} == {1}


@pytest.mark.parametrize(
    ("stored", "carrier"),
    [
        ({}, {"state": TransactionState.MINED, "outcome": "succeeded"}),
        ({}, {"state": TransactionState.MINED, "outcome": "failed"}),
        ({"status": MintStatus.REJECTED}, {}),
        ({"status": MintStatus.FINALIZED}, {}),
        ({"nonce": 8}, {"nonce": 8}),
    ],
    ids=["mined", "reverted", "rejected", "minted-by-another", "renewed-already"],
)
async def test_renew__when_the_mint_moved_on__then_nothing_happens(
    harness: Harness, builder: Builder, stored: dict[str, object], carrier: dict[str, object]
) -> None:
    await submitted(harness, builder)
    harness.tables.mints["m1"] = harness.tables.mints["m1"].evolve(**stored)
    harness.move("alice", 0, **carrier)
    before = harness.mint("m1")
    harness.chain.counts[harness.address("alice")] = 1
    await builder.renew("m1", spent=0)
    assert harness.mint("m1") == before
    assert harness.messages() == []


async def test_renew__when_the_node_lags__then_it_waits(harness: Harness, builder: Builder) -> None:
    before = await submitted(harness, builder)
    with pytest.raises(Deferred):
        await builder.renew("m1", spent=0)
    assert harness.mint("m1") == before


async def test_renew__when_the_token_is_on_chain_after_all__then_the_mint_keeps_its_nonce(
    harness: Harness, builder: Builder
) -> None:
    before = await submitted(harness, builder)
    harness.chain.counts[harness.address("alice")] = 1
    harness.chain.reverts[harness.contract] = CallReverted(Revert("AlreadyMinted", {}), "AlreadyMinted()")
    with pytest.raises(Unavailable):
        await builder.renew("m1", spent=0)
    assert harness.mint("m1") == before
    assert harness.next_nonce("alice") == 1


async def test_renew__when_the_collection_is_paused__then_the_mint_waits_without_another_nonce(
    harness: Harness, builder: Builder
) -> None:
    before = await submitted(harness, builder)
    harness.chain.counts[harness.address("alice")] = 1
    harness.chain.reverts[harness.contract] = CallReverted(Revert("EnforcedPause", {}), "EnforcedPause()")

    with pytest.raises(Waiting, match="collection_paused"):
        await builder.renew("m1", spent=0)

    assert harness.mint("m1") == before
    assert harness.next_nonce("alice") == 1


async def test_renew__when_the_collection_stays_paused__then_the_mint_ends_without_another_nonce(
    harness: Harness, builder: Builder
) -> None:
    await submitted(harness, builder)
    harness.chain.counts[harness.address("alice")] = 1
    harness.chain.reverts[harness.contract] = CallReverted(Revert("EnforcedPause", {}), "EnforcedPause()")
    harness.now += 24 * 3600
    await builder.renew("m1", spent=0)
    mint = harness.mint("m1")
    assert mint.status is MintStatus.REJECTED
    assert mint.problem is not None
    assert mint.problem.code == "collection_paused"
    assert harness.next_nonce("alice") == 1
    assert harness.transaction("alice", 0).filling_at == int(harness.now * 1000)
    assert harness.messages() == []


async def test_renew__when_the_wallet_is_empty__then_it_is_topped_up_and_no_nonce_is_burned(
    harness: Harness, builder: Builder
) -> None:
    before = await submitted(harness, builder)
    harness.chain.counts[harness.address("alice")] = 1
    harness.chain.balances[harness.address("alice")] = 0
    with pytest.raises(Deferred):
        await builder.renew("m1", spent=0)
    assert harness.mint("m1") == before
    assert [type(message) for message in harness.messages()] == [SignTopUp]
    harness.chain.balances[harness.address("alice")] = 10**18
    await builder.renew("m1", spent=0)
    assert harness.mint("m1").nonce == 1


async def test_renew__when_the_mints_token_is_on_chain__then_it_waits_for_the_index_to_tell_whose_it_is(
    harness: Harness, builder: Builder
) -> None:
    await submitted(harness, builder)
    harness.chain.counts[harness.address("alice")] = 3
    taken = CallReverted(Revert("AlreadyMinted", {"tokenId": 1}), "AlreadyMinted(tokenId=1)")
    harness.chain.reverts[harness.contract] = taken

    with pytest.raises(Unavailable):
        await builder.renew("m1", spent=0)

    assert harness.mint("m1").status is MintStatus.SUBMITTED


@pytest.mark.parametrize("when", ["before it is read", "while its nonce is reserved"])
async def test_renewal__when_its_user_stopped_the_mint__then_it_gets_no_other_nonce(
    harness: Harness, builder: Builder, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    await submitted(harness, builder)
    harness.chain.counts[harness.address("alice")] = 1

    def stop() -> None:
        stored = harness.tables.mints["m1"]
        harness.tables.mints["m1"] = stored.evolve(cancel_requested_at=5, updated_at=5)

    if when == "before it is read":
        stop()
    else:
        fees = harness.chain.fees

        async def stopping() -> Any:
            stop()
            return await fees()

        monkeypatch.setattr(harness.chain, "fees", stopping)
    await builder.renew("m1", 0)
    assert harness.tables.mints["m1"].nonce == 0
    assert harness.next_nonce("alice") == 1
    assert harness.outbox.sent == []


@pytest.mark.parametrize(("behind", "following"), [((0,), 1), (range(5), 5), ((0, 1, 3), 4), ((1, 3), 0)])
async def test_build__when_nonces_have_transactions_on_record__then_the_next_ones_follow(
    harness: Harness, behind: Sequence[int], following: int
) -> None:
    """A copy that starts reads what is on record: gaps are left to the broadcaster, or filled."""
    harness.accept("first")
    await harness.builder().build("first")
    record = harness.tables.transactions.pop(harness.transaction("alice", 0).key)
    for nonce in behind:
        harness.tables.transactions[record.key._replace(nonce=nonce)] = record.evolve(nonce=nonce)
    copy = harness.builder()
    for mint_id in ("m1", "m2"):
        harness.accept(mint_id)
        await copy.build(mint_id)

    assert harness.mint("m1").nonce == following
    assert harness.mint("m2").nonce == (following + 1 if following else 4)
    assert copy.count("jumps") == 0


async def test_build__when_a_gap_is_too_small_for_all_that_come__then_each_gets_a_nonce_of_its_own(
    harness: Harness, builder: Builder
) -> None:
    harness.accept("first")
    await builder.build("first")
    record = harness.tables.transactions.pop(harness.transaction("alice", 0).key)
    harness.tables.transactions[record.key._replace(nonce=1)] = record.evolve(nonce=1)
    copy = harness.builder()
    for mint_id in ("m1", "m2", "m3"):
        harness.accept(mint_id)
    await asyncio.gather(*(copy.build(mint_id) for mint_id in ("m1", "m2", "m3")))
    assert [harness.mint(mint_id).nonce for mint_id in ("m1", "m2", "m3")] == [2, 3, 4]


@pytest.mark.parametrize(("mined", "jumps"), [(1, 0), (4, 1)])
async def test_build__when_a_copy_starts_and_the_key_was_used_elsewhere__then_that_is_noticed(
    harness: Harness, builder: Builder, mined: int, jumps: int
) -> None:
    harness.accept("m1")
    await builder.build("m1")
    harness.chain.counts[harness.address("alice")] = mined
    copy = harness.builder()
    harness.accept("m2")
    await copy.build("m2")
    assert harness.mint("m2").nonce == mined
    assert copy.count("jumps") == jumps


async def test_build__when_many_come_to_nonces_on_record_at_once__then_each_gets_one_of_its_own(
    harness: Harness, builder: Builder
) -> None:
    for number in range(4):
        harness.accept(f"earlier-{number}")
        await builder.build(f"earlier-{number}")
    copies = [harness.builder() for _ in range(2)]
    for number in range(6):
        harness.accept(f"m{number}")
    await asyncio.gather(*(copies[number % 2].build(f"m{number}") for number in range(6)))
    assert sorted(harness.mint(f"m{number}").nonce or 0 for number in range(6)) == list(range(4, 10))
