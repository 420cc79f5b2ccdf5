"""Vouchers that others redeem: the user's own wallet, or a stranger ahead of ours."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_indexer.store_port import TokenKey
from mintline_testkit.chain import Move, Sent
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.harness import Harness
from mintline_testkit.indexer.polling import catch_up

ALICE, BOB = "0x" + "2" * 40, "0x" + "3" * 40
FINALITY = 3


def self_custody(
    harness: Harness,
    token_id: int,
    status: MintStatus = MintStatus.ISSUED,
    mint_id: str = "m1",
    **fields: Any,
) -> None:
    harness.record(mint_id, status)
    update = {
        "custody": "self",
        "sender": None,
        "nonce": None,
        "status": status,
        "token_id": token_id,
        **fields,
    }
    harness.store.mint_table[mint_id] = harness.store.mint_table[mint_id].model_copy(update=update)


def custodial(harness: Harness, token_id: int, mint_id: str = "m1") -> None:
    harness.record(mint_id, MintStatus.SUBMITTED)
    record = harness.store.mint_table[mint_id].model_copy(update={"token_id": token_id})
    harness.store.mint_table[mint_id] = record


def reverting(harness: Harness, name: int, mint_id: str = "m1", *, own: bool = False) -> Sent:
    sent = Sent(bytes([name]) * 32, CONTRACT, (), succeeded=False)
    harness.sign(sent.hash, mint_id, own=own)
    return sent


def mint(harness: Harness, mint_id: str = "m1") -> Mint:
    mint: Mint = harness.stands(mint_id)
    return mint


def token_mint(harness: Harness, token_id: int) -> str | None:
    minted_by: str | None = harness.store.token_table[TokenKey(CONTRACT, token_id)].mint_id
    return minted_by


async def test_voucher__when_redeemed_without_telling_us__then_its_mint_is_mined_and_finalized(
    harness: Harness,
) -> None:
    self_custody(harness, 7)
    sent = harness.mint(7)
    block = harness.chain.mine([harness.mint(1), sent]).block
    indexer = harness.start()

    await catch_up(indexer)

    record = mint(harness)
    assert record.status is MintStatus.MINED
    assert (record.tx_hash, record.block_number, record.block_hash) == (sent.hash, block.number, block.hash)
    assert (token_mint(harness, 7), token_mint(harness, 1)) == ("m1", None)
    for _ in range(FINALITY):
        harness.chain.mine()
    await catch_up(indexer)
    assert mint(harness).status is MintStatus.FINALIZED


@pytest.mark.parametrize(("submitted_at", "status"), [(None, MintStatus.ISSUED), (5, MintStatus.SUBMITTED)])
async def test_voucher__when_its_block_is_undone__then_its_mint_is_where_it_was(
    harness: Harness, submitted_at: int | None, status: MintStatus
) -> None:
    self_custody(harness, 7, status, submitted_at=submitted_at)
    sent = harness.mint(7)
    harness.chain.mine([sent])
    indexer = harness.start()
    await catch_up(indexer)
    assert mint(harness).status is MintStatus.MINED

    harness.chain.drop(1)
    harness.chain.mine()
    harness.chain.mine()
    await catch_up(indexer)

    record = mint(harness)
    assert (record.status, record.tx_hash, record.block_hash, record.mined_at) == (status, None, None, None)
    assert harness.token_ids() == set()
    harness.chain.mine([sent])
    await catch_up(indexer)
    assert mint(harness).status is MintStatus.MINED


async def test_vouchers__when_many_are_redeemed_at_once__then_each_mint_is_mined(harness: Harness) -> None:
    ids = range(1, 121)
    for token_id in ids:
        self_custody(harness, token_id, mint_id=f"m{token_id}")
    moves = tuple(Move(CONTRACT, token_id, None, ALICE, bytes(32)) for token_id in ids)
    harness.chain.mine([Sent(b"\x01" * 32, BOB, moves)])
    indexer = harness.start()

    await catch_up(indexer)

    assert {mint(harness, f"m{token_id}").status for token_id in ids} == {MintStatus.MINED}
    harness.chain.drop(1)
    harness.chain.mine()
    harness.chain.mine()
    await catch_up(indexer)
    assert {mint(harness, f"m{token_id}").status for token_id in ids} == {MintStatus.ISSUED}


async def test_voucher__when_the_collection_is_read_from_its_beginning__then_it_is_noticed_too(
    harness: Harness,
) -> None:
    self_custody(harness, 7)
    harness.chain.mine([harness.mint(7)])
    for _ in range(40):
        harness.chain.mine()
    await catch_up(harness.start())

    assert mint(harness).status is MintStatus.FINALIZED
    assert token_mint(harness, 7) == "m1"


async def test_own_transaction__when_it_fails__then_the_voucher_waits_and_says_why(harness: Harness) -> None:
    self_custody(harness, 7, MintStatus.SUBMITTED, submitted_at=5)
    harness.chain.mine([reverting(harness, 1, own=True)])
    indexer = harness.start()

    await catch_up(indexer)

    record = mint(harness)
    assert (record.status, record.tx_hash, record.block_hash) == (MintStatus.ISSUED, None, None)
    assert record.problem is not None
    assert record.problem.code == "reverted"
    for _ in range(FINALITY + 1):
        harness.chain.mine()
    await catch_up(indexer)
    assert mint(harness) == record
    harness.chain.mine([harness.mint(7, mint_id="m1")])
    await catch_up(indexer)
    assert (mint(harness).status, mint(harness).problem) == (MintStatus.MINED, None)


@pytest.mark.parametrize("together", [True, False])
async def test_own_transaction__when_it_fails_because_another_one_minted__then_the_mint_stays_mined(
    harness: Harness,
    together: bool,  # noqa: FBT001 - a table
) -> None:
    self_custody(harness, 7, MintStatus.SUBMITTED, submitted_at=5)
    late = reverting(harness, 1, own=True)
    if together:
        harness.chain.mine([harness.mint(7), late, reverting(harness, 2, own=True)])
    else:
        harness.chain.mine([harness.mint(7)])
        harness.chain.mine([late])
    with capture_logs() as logs:
        await catch_up(harness.start())

    assert (mint(harness).status, mint(harness).problem) == (MintStatus.MINED, None)
    assert [line for line in logs if line["log_level"] == "error"] == []


@pytest.mark.parametrize("apart", [0, 1, 2])
async def test_custodial_mint__when_a_stranger_redeems_its_voucher_first__then_it_is_mined_by_that(
    harness: Harness, apart: int
) -> None:
    custodial(harness, 7)
    stranger, ours = harness.mint(7), reverting(harness, 1)
    if apart:
        block = harness.chain.mine([stranger]).block
        for _ in range(apart - 1):
            harness.chain.mine()
        harness.chain.mine([ours])
    else:
        block = harness.chain.mine([stranger, ours]).block
    indexer = harness.start()

    await catch_up(indexer)

    record = mint(harness)
    assert (record.status, record.problem) == (MintStatus.MINED, None)
    assert (record.tx_hash, record.block_number, record.block_hash) == (
        stranger.hash,
        block.number,
        block.hash,
    )
    assert token_mint(harness, 7) == "m1"
    for _ in range(FINALITY):
        harness.chain.mine()
    await catch_up(indexer)
    assert mint(harness).status is MintStatus.FINALIZED


@pytest.mark.parametrize("apart", [0, 1])
async def test_custodial_mint__when_the_block_that_decided_it_is_undone__then_it_is_open_again(
    harness: Harness, apart: int
) -> None:
    custodial(harness, 7)
    stranger, ours = harness.mint(7), reverting(harness, 1)
    if apart:
        harness.chain.mine([stranger])
        harness.chain.mine([ours])
    else:
        harness.chain.mine([stranger, ours])
    indexer = harness.start()
    await catch_up(indexer)
    assert mint(harness).status is MintStatus.MINED

    harness.chain.drop(1)
    harness.chain.mine()
    harness.chain.mine()
    await catch_up(indexer)

    assert (mint(harness).status, mint(harness).tx_hash) == (MintStatus.SUBMITTED, None)
    assert harness.token_ids() == ({7} if apart else set())
    if apart:
        assert token_mint(harness, 7) is None
    harness.chain.mine([ours])
    await catch_up(indexer)
    assert mint(harness).status is (MintStatus.MINED if apart else MintStatus.REVERTED)


@pytest.mark.parametrize("moved", [False, True], ids=["missing", "written-again-by-a-transfer"])
@pytest.mark.parametrize("digest", [bytes(32), b"\1" * 32], ids=["its-own", "anothers"])
async def test_custodial_mint__when_the_item_of_its_token_was_set_aside__then_the_chain_tells_whose_it_is(
    harness: Harness, digest: bytes, *, moved: bool
) -> None:
    custodial(harness, 7)
    sent = Sent(b"\7" * 32, CONTRACT, (Move(CONTRACT, 7, None, ALICE, digest),))
    harness.chain.mine([sent])
    indexer = harness.start()
    await catch_up(indexer)
    del harness.store.token_table[TokenKey(CONTRACT, 7)]
    if moved:
        harness.chain.mine([Sent(b"\x08" * 32, CONTRACT, (Move(CONTRACT, 7, ALICE, BOB),))])
    harness.chain.mine([reverting(harness, 1)])

    await catch_up(indexer)

    record = mint(harness)
    own = digest == bytes(32)
    assert record.status is (MintStatus.MINED if own else MintStatus.REVERTED)
    assert (record.tx_hash == sent.hash) is own
    assert (record.problem is None) is own
    if record.problem is not None:
        assert record.problem.code == "token_taken"


async def test_custodial_mint__when_it_fails_and_nobody_minted_its_token__then_it_is_reverted(
    harness: Harness,
) -> None:
    custodial(harness, 7)
    harness.chain.mine([harness.mint(8), reverting(harness, 1)])

    await catch_up(harness.start())

    assert mint(harness).status is MintStatus.REVERTED


async def test_custodial_mint__when_two_of_its_transactions_are_mined__then_the_one_that_minted_counts(
    harness: Harness,
) -> None:
    custodial(harness, 7)
    first = harness.mint(7, mint_id="m1")
    harness.chain.mine([first, reverting(harness, 1)])
    harness.chain.mine([reverting(harness, 2)])
    with capture_logs() as logs:
        await catch_up(harness.start())

    assert (mint(harness).status, mint(harness).tx_hash) == (MintStatus.MINED, first.hash)
    assert [line for line in logs if line["log_level"] == "error"] == []
