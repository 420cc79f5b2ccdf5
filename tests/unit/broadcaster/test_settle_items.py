"""Mints of ERC-1155 items whose serial is used, with nothing to tie what used it to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mintline.chain.answers import Log
from mintline.chain.multi_token import ITEM_MINTED_TOPIC
from mintline.errors import Unavailable
from mintline.eth import address_word, word
from mintline.messages.intents import SignMint
from mintline.records.operations import Attempt, Mint
from mintline.records.problems import TOKEN_ON_CHAIN, TOKEN_TAKEN
from mintline.records.transactions import transaction_key_of
from mintline.states import MintStatus
from mintline_broadcaster import settle_items
from mintline_broadcaster.ports import Final, SignedTransaction
from mintline_broadcaster.sweep_operations import RESTING_SECONDS
from mintline_testkit.broadcaster.harness import Harness
from mintline_testkit.broadcaster.intents import mint_intent

ITEM, QUANTITY = 3, 5
TX_HASH, BLOCK_HASH = b"\x05" * 32, b"\x08" * 32
STRANGER = "0x" + "00" * 19 + "01"


def accepted(harness: Harness, **changes: Any) -> Mint:
    """Put an accepted mint of an item on record, which the builder found to be on chain."""
    fields = {"custody": "sponsored", "sender": None, "nonce": None, "deadline": None}
    item = {"item_id": ITEM, "quantity": QUANTITY, "waiting": TOKEN_ON_CHAIN}
    moved = {"created_at": harness.now, "updated_at": harness.now}
    harness.built(mint_intent(), status=MintStatus.ACCEPTED, **{**fields, **item, **moved, **changes})
    return harness.store.mints[mint_intent().mint_id]


def use(harness: Harness, mint: Mint, **differs: Any) -> Log:
    """Have a mint's serial used in block 8, for what the mint is of or for something else."""
    of = {"item": ITEM, "to": mint.to, "quantity": QUANTITY, "digest": mint.metadata_digest, **differs}
    event = Log(
        address=mint.contract,
        topics=(ITEM_MINTED_TOPIC, word(mint.token_id or 0), word(of["item"]), address_word(of["to"])),
        data=word(of["quantity"]) + of["digest"],
        block_hash=BLOCK_HASH,
        block_number=8,
        tx_hash=TX_HASH,
        log_index=4,
        removed=False,
    )
    assert mint.token_id is not None
    harness.chain.serial_events[mint.contract, mint.token_id] = event
    return event


async def test_item_mint__when_its_serial_was_used_for_it__then_it_is_finalized_by_that_event(
    harness: Harness,
) -> None:
    use(harness, accepted(harness))
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=RESTING_SECONDS)
    mint = harness.mint(mint_intent())
    assert mint.status is MintStatus.FINALIZED
    assert (mint.tx_hash, mint.block_number, mint.block_hash) == (TX_HASH, 8, BLOCK_HASH)
    assert (mint.waiting, mint.problem) == (None, None)


@pytest.mark.parametrize(
    "differs", [{"item": 4}, {"quantity": 6}, {"to": STRANGER}, {"digest": b"\x01" * 32}]
)
async def test_item_mint__when_its_serial_was_used_for_anything_else__then_it_is_rejected(
    harness: Harness, differs: dict[str, Any]
) -> None:
    use(harness, accepted(harness), **differs)
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=RESTING_SECONDS)
    mint = harness.mint(mint_intent())
    assert (mint.status, mint.problem) == (MintStatus.REJECTED, TOKEN_TAKEN)


async def test_item_mint__when_what_used_its_serial_is_not_final__then_it_waits(harness: Harness) -> None:
    use(harness, accepted(harness))
    harness.store.indexed = Final(7, 7)
    await harness.sweep(after=RESTING_SECONDS)
    assert harness.mint(mint_intent()).status is MintStatus.ACCEPTED


async def test_item_mint__when_the_nodes_cannot_tell__then_it_waits(harness: Harness) -> None:
    mint = accepted(harness)
    use(harness, mint)
    harness.chain.stateless = True
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=RESTING_SECONDS)
    assert harness.mint(mint_intent()).status is MintStatus.ACCEPTED


async def test_item_mint__when_one_node_alone_has_the_event__then_it_waits(harness: Harness) -> None:
    """A node may name a block that the others do not have, or one in which they have no such event."""
    mint = accepted(harness)
    event = use(harness, mint, to=STRANGER)

    async def lying(contract: str, serial: int, *, last: int) -> Log:
        del contract, serial, last
        return replace(event, block_hash=b"\x09" * 32)

    harness.chain.serial_used = lying  # type: ignore[method-assign]
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=RESTING_SECONDS)
    assert harness.mint(mint_intent()).status is MintStatus.ACCEPTED


async def test_item_mint__when_no_node_searches__then_it_waits_and_the_others_go_on(harness: Harness) -> None:
    use(harness, accepted(harness))

    async def silent(contract: str, serial: int, *, last: int) -> Log:
        del contract, serial, last
        raise Unavailable("nobody there")

    harness.chain.serial_used = silent  # type: ignore[method-assign]
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=RESTING_SECONDS)
    assert harness.mint(mint_intent()).status is MintStatus.ACCEPTED


def on_record(harness: Harness, intent: SignMint, *, mint_id: str | None = None) -> None:
    """Put the event's transaction on record as an intent's, or as a mint's own wallet's."""
    harness.store.signed[TX_HASH] = SignedTransaction(
        tx_hash=TX_HASH,
        kind=intent.type if mint_id is None else "self_redeem",
        mint_id=mint_id,
        sender=intent.signer.address,
        nonce=intent.nonce,
        chain_id=intent.chain_id,
        raw=b"\x02",
        attempt=0,
        at=0,
    )


def other_mint(harness: Harness, mint: Mint) -> SignMint:
    """Put a finalized mint on record that got the same serial, and asked for the same; return its intent."""
    attempt = Attempt(tx_hash=TX_HASH, max_fee_per_gas=1, max_priority_fee_per_gas=1, at=0, nonce=7)
    intent = mint_intent(7)
    same = {"token_id": mint.token_id, "item_id": ITEM, "quantity": QUANTITY, "to": mint.to}
    harness.built(intent, status=MintStatus.FINALIZED, attempts=(attempt,), custody="sponsored", **same)
    on_record(harness, intent)
    return intent


async def settled(harness: Harness) -> Mint:
    harness.store.indexed = Final(8, 8)
    await harness.sweep(after=RESTING_SECONDS)
    return harness.mint(mint_intent())


async def test_item_mint__when_another_one_used_their_serial_for_the_same__then_it_is_rejected(
    harness: Harness,
) -> None:
    """A restore of `collections` had the serial given out again."""
    mint = accepted(harness)
    use(harness, mint)
    other = other_mint(harness, mint)
    ended = await settled(harness)
    assert (ended.status, ended.problem) == (MintStatus.REJECTED, TOKEN_TAKEN)
    assert harness.mint(other).status is MintStatus.FINALIZED


async def test_item_mint__when_the_other_one_is_no_more_on_record__then_it_is_rejected_all_the_same(
    harness: Harness,
) -> None:
    """A restore of `mints` has lost it, and its transaction still names it."""
    mint = accepted(harness)
    use(harness, mint)
    del harness.store.mints[other_mint(harness, mint).mint_id]
    assert (await settled(harness)).problem == TOKEN_TAKEN


async def test_item_mint__when_the_transaction_carried_it_before_a_restore__then_it_is_finalized(
    harness: Harness,
) -> None:
    mint = accepted(harness)
    use(harness, mint)
    other = other_mint(harness, mint)
    harness.change(other, operations=(other.mint_id, mint.mint_id))
    ended = await settled(harness)
    assert (ended.status, ended.tx_hash) == (MintStatus.FINALIZED, TX_HASH)


@pytest.mark.parametrize("lost", ["record", "attempts"])
async def test_item_mint__when_the_transactions_record_is_lost__then_the_event_is_its_own(
    harness: Harness, lost: str
) -> None:
    mint = accepted(harness)
    use(harness, mint)
    other = other_mint(harness, mint)
    if lost == "record":
        del harness.store.transactions[transaction_key_of(other.signer, other.nonce)]
    else:
        [attempt] = harness.transaction(other).attempts
        harness.change(other, attempts=(attempt.evolve(tx_hash=b"\x06" * 32),))
    assert (await settled(harness)).status is MintStatus.FINALIZED


@pytest.mark.parametrize(
    ("redeemed", "status"), [("mint_0_0", MintStatus.FINALIZED), ("other", MintStatus.REJECTED)]
)
async def test_item_mint__when_a_users_own_wallet_used_its_serial__then_the_voucher_decides(
    harness: Harness, redeemed: str, status: MintStatus
) -> None:
    use(harness, accepted(harness))
    on_record(harness, mint_intent(), mint_id=redeemed)
    assert (await settled(harness)).status is status


async def test_item_mints__when_a_stranger_used_the_serial_of_two__then_the_event_ends_one_of_them(
    harness: Harness,
) -> None:
    mint = accepted(harness)
    use(harness, mint)
    harness.store.mints["twin"] = mint.evolve(mint_id="twin")
    harness.store.indexed = Final(8, 8)
    sweeper = harness.sweeper()
    for _ in range(3):
        harness.now += settle_items.REST_SECONDS * 1000
        await sweeper.sweep()
    ended = [harness.store.mints[name] for name in (mint.mint_id, "twin")]
    assert sorted(mint.status for mint in ended) == [MintStatus.FINALIZED, MintStatus.REJECTED]


async def test_sweep__when_many_serials_are_not_found__then_a_pass_looks_for_a_few_and_each_rests(
    harness: Harness,
) -> None:
    mint = accepted(harness)
    serials = range(1, 2 * settle_items.SEARCHES + 2)
    for serial in serials:
        name = f"mint_{serial}"
        harness.store.mints[name] = mint.evolve(mint_id=name, token_id=serial)
        use(harness, harness.store.mints[name])
    del harness.store.mints[mint.mint_id]
    searched: list[int] = []

    async def empty(contract: str, serial: int, *, last: int) -> None:
        del contract, last
        searched.append(serial)

    harness.chain.serial_used = empty  # type: ignore[method-assign]
    harness.store.indexed = Final(8, 8)
    sweeper = harness.sweeper()
    seconds = RESTING_SECONDS
    for most in (settle_items.SEARCHES, 2 * settle_items.SEARCHES, len(serials), len(serials)):
        harness.now += seconds * 1000
        await sweeper.sweep()
        assert len(searched) == len(set(searched)) == most
        seconds = 5
    for _ in range(2):
        harness.now += settle_items.REST_SECONDS * 1000
        await sweeper.sweep()
    again = searched[len(serials) :]
    assert again == searched[: 2 * settle_items.SEARCHES], "those that rested the longest come first"


async def test_sweep__when_a_serial_is_looked_for__then_the_senders_were_checked_before(
    harness: Harness,
) -> None:
    use(harness, accepted(harness))
    harness.built(mint_intent(1), created_at=harness.now, updated_at=harness.now)
    steps: list[str] = []
    count, find = harness.chain.transaction_count, harness.chain.serial_used

    async def counting(address: str) -> int:
        steps.append("sender")
        return await count(address)

    async def finding(contract: str, serial: int, *, last: int) -> Log | None:
        steps.append("serial")
        return await find(contract, serial, last=last)

    harness.chain.transaction_count = counting  # type: ignore[method-assign]
    harness.chain.serial_used = finding  # type: ignore[method-assign]
    await settled(harness)
    assert steps == ["sender", "serial"]
