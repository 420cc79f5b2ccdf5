"""Sponsored mints of ERC-1155 items: recipients run code in the batch, and speak for their lines alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mintline.chain.calls import CallReverted
from mintline.chain.collection import Revert
from mintline.errors import Rejected, Unavailable
from mintline.item_calls import ItemMint, mint_items_calldata
from mintline.records.problems import Problem
from mintline.records.transactions import Transaction, carried_by
from mintline.states import MintStatus, TransactionState
from mintline_builder.waiting import COLLECTION_PAUSED
from mintline_testkit.builder.harness import Builder, Harness, address
from mintline_testkit.constants import CONTRACT
from tests.unit.builder.test_batches import FAILED, SENT, batches, build, check_each_is_in_one, intents


def accept_items(harness: Harness, count: int, *, quantity: int = 2) -> list[str]:
    """Put sponsored mints of item 7 on record; serials count from one."""
    names = [f"m{number}" for number in range(count)]
    for serial, name in enumerate(names, 1):
        harness.accept(
            name,
            sender=f"user{serial}",
            custody="sponsored",
            token_id=serial,
            item_id=7,
            quantity=quantity,
            metadata=None,
        )
    return names


def reverted(name: str) -> CallReverted:
    return CallReverted(Revert(name, {}), name)


def problem_of(harness: Harness, name: str) -> Problem | None:
    return harness.mint(name).problem


async def test_items__when_they_arrive_together__then_one_batch_has_serial_item_and_quantity(
    harness: Harness, builder: Builder
) -> None:
    names = accept_items(harness, 3)

    assert await build(builder, names) == [None] * 3

    [intent] = intents(harness)
    assert [(line.token_id, line.item_id, line.quantity) for line in intent.mints] == [
        (1, 7, 2),
        (2, 7, 2),
        (3, 7, 2),
    ]
    lines = [ItemMint(line.token_id, 7, 2, line.to, line.metadata_digest) for line in intent.mints]
    assert mint_items_calldata(lines) in [call.data for call, _ in harness.chain.estimates]
    check_each_is_in_one(harness, names)


async def test_items__when_built__then_no_metadata_is_published_under_their_serials(
    harness: Harness, builder: Builder
) -> None:
    await build(builder, accept_items(harness, 2))

    assert harness.metadata.objects == {}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("TransferToNonERC1155ReceiverImplementer", "recipient_refused"),
        ("ItemCapReached", "item_full"),
        ("SupplyCapReached", "collection_full"),
    ],
)
async def test_items__when_one_reverts__then_it_is_refused_with_its_reason_and_no_other(
    harness: Harness, builder: Builder, error: str, code: str
) -> None:
    names = accept_items(harness, 4)
    harness.chain.refusing[harness.mint("m2").to] = reverted(error)

    await build(builder, names)

    problem = problem_of(harness, "m2")
    assert (harness.mint("m2").status, problem and problem.code) == (MintStatus.REJECTED, code)
    assert [name for batch in batches(harness) for name in batch.operations] == ["m0", "m1", "m3"]


@pytest.mark.parametrize("claimed", ["EnforcedPause", "AccessControlUnauthorizedAccount"])
async def test_items__when_a_recipient_says_what_the_collection_says__then_the_others_are_minted(
    harness: Harness, builder: Builder, claimed: str
) -> None:
    names = accept_items(harness, 4)
    harness.chain.refusing[harness.mint("m2").to] = reverted(claimed)

    await build(builder, names)

    assert [name for batch in batches(harness) for name in batch.operations] == ["m0", "m1", "m3"]
    assert harness.mint("m2").status in (MintStatus.ACCEPTED, MintStatus.REJECTED)


async def test_items__when_the_collection_is_paused__then_all_wait(
    harness: Harness, builder: Builder
) -> None:
    names = accept_items(harness, 2)
    harness.chain.reverts[CONTRACT] = reverted("EnforcedPause")

    await asyncio.gather(*(builder.build(name) for name in names), return_exceptions=True)

    assert [harness.mint(name).waiting for name in names] == [COLLECTION_PAUSED] * 2
    assert batches(harness) == []


async def test_items__when_a_recipients_code_uses_too_much_gas__then_it_alone_is_refused(
    harness: Harness, builder: Builder
) -> None:
    names = accept_items(harness, 4)
    harness.chain.code_gas[harness.mint("m1").to] = 2_000_000

    await build(builder, names)

    problem = problem_of(harness, "m1")
    assert (harness.mint("m1").status, problem and problem.code) == (
        MintStatus.REJECTED,
        "recipient_gas_too_high",
    )
    assert sorted(name for batch in batches(harness) for name in batch.operations) == ["m0", "m2", "m3"]


async def test_items__when_a_serial_is_on_chain__then_that_mint_waits_for_the_index(
    harness: Harness, builder: Builder
) -> None:
    names = accept_items(harness, 3)
    harness.chain.minted.add(2)

    await build(builder, names)

    assert [name for batch in batches(harness) for name in batch.operations] == ["m0", "m2"]
    assert harness.mint("m1").status is MintStatus.ACCEPTED


async def failed_on_chain(harness: Harness, builder: Builder, count: int) -> list[str]:
    """Have a batch of items that was simulated, sent, and failed in its block."""
    names = accept_items(harness, count)
    await build(builder, names)
    harness.move("relayer", 0, **{**FAILED, "attempts": (SENT,), "submitted_at": 1})
    harness.chain.counts[address("relayer")] = 1
    return names


async def test_items__when_their_batch_failed_on_chain__then_they_go_again_by_halves_and_with_no_others(
    harness: Harness, builder: Builder
) -> None:
    names = await failed_on_chain(harness, builder, 5)
    new = harness.accept(
        "new", sender="late", custody="sponsored", token_id=9, item_id=7, quantity=1, metadata=None
    )

    await asyncio.gather(*(builder.renew(name, spent=0) for name in names), builder.build(new.mint_id))

    carried = sorted(batch.operations for batch in batches(harness)[1:])
    assert carried == [("m0", "m1", "m2"), ("m3", "m4"), ("new",)]
    assert {harness.mint(name).status for name in names} == {MintStatus.BUILT}


@pytest.mark.parametrize("size", [2, 7, 64])
async def test_items__when_one_recipient_fails_every_batch_on_chain__then_few_batches_find_it(
    harness: Harness, builder: Builder, size: int
) -> None:
    """It accepts in simulations, so that each batch that it is in is sent, mined, and undone."""
    names = accept_items(harness, size)
    await build(builder, names)
    bad, rounds = names[size // 2], 0
    while (spent := _carrying(harness, bad)) is not None and len(spent.operations) > 1:
        rounds += 1
        harness.tables.transactions[spent.key] = spent.evolve(**FAILED, attempts=(SENT,), submitted_at=1)
        harness.chain.counts[address("relayer")] = spent.nonce + 1
        await asyncio.gather(*(builder.renew(name, spent=spent.nonce) for name in spent.operations))

    assert rounds == (size - 1).bit_length()
    assert len(batches(harness)) == 1 + 2 * rounds
    assert [harness.mint(name).status for name in names] == [MintStatus.BUILT] * size


async def test_items__when_their_batch_lost_its_nonce__then_they_go_again_together(
    harness: Harness, builder: Builder
) -> None:
    names = accept_items(harness, 3)
    await build(builder, names)
    [batch] = batches(harness)
    harness.tables.transactions[batch.key] = batch.evolve(
        state=TransactionState.FINAL, outcome="filled", attempts=(SENT,), submitted_at=1
    )
    harness.chain.counts[address("relayer")] = 1

    await asyncio.gather(*(builder.renew(name, spent=0) for name in names))

    assert [batch.operations for batch in batches(harness)[1:]] == [("m0", "m1", "m2")]


def _carrying(harness: Harness, name: str) -> Transaction | None:
    place = carried_by(harness.mint(name))
    return None if place is None else harness.tables.transactions[place]


async def test_items__when_one_of_those_cannot_go__then_the_others_do(
    harness: Harness, builder: Builder
) -> None:
    names = await failed_on_chain(harness, builder, 3)
    harness.chain.refusing[harness.mint("m0").to] = reverted("TransferToNonERC1155ReceiverImplementer")

    await asyncio.gather(*(builder.renew(name, spent=0) for name in names))

    assert sorted(batch.operations for batch in batches(harness)[1:]) == [("m1",), ("m2",)]
    assert harness.mint("m0").status is MintStatus.REJECTED


async def test_items__when_new_mints_cannot_be_simulated__then_those_of_a_failed_batch_go_all_the_same(
    harness: Harness, builder: Builder
) -> None:
    names = await failed_on_chain(harness, builder, 2)
    new = harness.accept(
        "new", sender="late", custody="sponsored", token_id=9, item_id=7, quantity=1, metadata=None
    )
    silent: Any = Unavailable("no node simulates it")
    harness.chain.refusing[new.to] = silent

    outcomes = await asyncio.gather(
        builder.build(new.mint_id), *(builder.renew(name, spent=0) for name in names), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [Unavailable, type(None), type(None)]
    assert sorted(batch.operations for batch in batches(harness)[1:]) == [("m0",), ("m1",)]
    assert harness.mint("new").status is MintStatus.ACCEPTED


@pytest.mark.parametrize(
    ("code", "status"), [(b"\x60", MintStatus.REJECTED), (b"", MintStatus.BUILT)], ids=["code", "none"]
)
async def test_items__when_a_batch_of_one_failed_on_chain__then_a_recipient_with_code_gets_no_other(
    harness: Harness, builder: Builder, code: bytes, status: MintStatus
) -> None:
    [name] = await failed_on_chain(harness, builder, 1)
    harness.chain.codes[harness.mint(name).to] = code

    await builder.renew(name, spent=0)

    problem = problem_of(harness, name)
    assert harness.mint(name).status is status
    assert (problem.code if problem else None) == (
        "recipient_refused" if status is MintStatus.REJECTED else None
    )
    assert len(batches(harness)) == (1 if status is MintStatus.REJECTED else 2)


@pytest.mark.parametrize("nonce", [None, 0], ids=["new", "in a batch before"])
async def test_items__when_a_recipient_says_that_its_serial_is_used__then_it_is_refused(
    harness: Harness, builder: Builder, nonce: int | None
) -> None:
    names = accept_items(harness, 1) if nonce is None else await failed_on_chain(harness, builder, 2)
    harness.chain.refusing[harness.mint("m0").to] = reverted("AlreadyMinted")

    await (builder.build(names[0]) if nonce is None else builder.renew(names[0], spent=0))

    problem = problem_of(harness, "m0")
    assert (harness.mint("m0").status, problem and problem.code) == (MintStatus.REJECTED, "recipient_refused")


async def test_items__when_no_gas_is_enough_for_a_recipient__then_it_alone_is_refused_and_no_need_is_named(
    harness: Harness, builder: Builder
) -> None:
    names = accept_items(harness, 3)
    endless: Any = Rejected("gas_too_high", "gas required exceeds allowance")
    harness.chain.refusing[harness.mint("m1").to] = endless

    await build(builder, names)

    problem = problem_of(harness, "m1")
    assert problem is not None
    assert problem.code == "recipient_gas_too_high"
    assert f"the mint needs more than the {harness.chain.gas + 200_000} that are allowed" in problem.reason
    assert sorted(name for batch in batches(harness) for name in batch.operations) == ["m0", "m2"]
