"""Vouchers that others redeem: the user's own wallet, or a stranger ahead of ours."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from mintline.records import Mint
from mintline.states import MintStatus
from mintline_indexer.indexer import Indexer
from mintline_indexer.store_port import TokenKey
from mintline_testkit.constants import CONTRACT
from mintline_testkit.indexer.chain import Move, Sent

ALICE, BOB = "0x" + "2" * 40, "0x" + "3" * 40
FINALITY = 3


async def settle(indexer: Indexer) -> None:
    while await indexer.poll():
        pass
    await indexer.poll()


def self_custody(
    rig: Any, token_id: int, status: MintStatus = MintStatus.ISSUED, mint_id: str = "m1", **fields: Any
) -> None:
    rig.record(mint_id, status)
    update = {
        "custody": "self",
        "sender": None,
        "nonce": None,
        "status": status,
        "token_id": token_id,
        **fields,
    }
    rig.store.mint_table[mint_id] = rig.store.mint_table[mint_id].model_copy(update=update)


def custodial(rig: Any, token_id: int, mint_id: str = "m1") -> None:
    rig.record(mint_id, MintStatus.SUBMITTED)
    record = rig.store.mint_table[mint_id].model_copy(update={"token_id": token_id})
    rig.store.mint_table[mint_id] = record


def reverting(rig: Any, name: int, mint_id: str = "m1", *, own: bool = False) -> Sent:
    sent = Sent(bytes([name]) * 32, CONTRACT, (), succeeded=False)
    rig.sign(sent.hash, mint_id, own=own)
    return sent


def mint(rig: Any, mint_id: str = "m1") -> Mint:
    found: Mint = rig.stands(mint_id)
    return found


def token_mint(rig: Any, token_id: int) -> str | None:
    found: str | None = rig.store.token_table[TokenKey(CONTRACT, token_id)].mint_id
    return found


async def test_voucher__when_redeemed_without_telling_us__then_its_mint_is_mined_and_finalized(
    rig: Any,
) -> None:
    self_custody(rig, 7)
    sent = rig.mint(7)
    block = rig.chain.mine([rig.mint(1), sent]).block
    indexer = rig.start()

    await settle(indexer)

    found = mint(rig)
    assert found.status is MintStatus.MINED
    assert (found.tx_hash, found.block_number, found.block_hash) == (sent.hash, block.number, block.hash)
    assert (token_mint(rig, 7), token_mint(rig, 1)) == ("m1", None)
    for _ in range(FINALITY):
        rig.chain.mine()
    await settle(indexer)
    assert mint(rig).status is MintStatus.FINALIZED


@pytest.mark.parametrize(("submitted_at", "status"), [(None, MintStatus.ISSUED), (5, MintStatus.SUBMITTED)])
async def test_voucher__when_its_block_is_undone__then_its_mint_is_where_it_was(
    rig: Any, submitted_at: int | None, status: MintStatus
) -> None:
    self_custody(rig, 7, status, submitted_at=submitted_at)
    sent = rig.mint(7)
    rig.chain.mine([sent])
    indexer = rig.start()
    await settle(indexer)
    assert mint(rig).status is MintStatus.MINED

    rig.chain.drop(1)
    rig.chain.mine()
    rig.chain.mine()
    await settle(indexer)

    found = mint(rig)
    assert (found.status, found.tx_hash, found.block_hash, found.mined_at) == (status, None, None, None)
    assert rig.token_ids() == set()
    rig.chain.mine([sent])
    await settle(indexer)
    assert mint(rig).status is MintStatus.MINED


async def test_vouchers__when_many_are_redeemed_at_once__then_each_mint_is_mined(rig: Any) -> None:
    ids = range(1, 121)
    for token_id in ids:
        self_custody(rig, token_id, mint_id=f"m{token_id}")
    moves = tuple(Move(CONTRACT, token_id, None, ALICE, bytes(32)) for token_id in ids)
    rig.chain.mine([Sent(b"\x01" * 32, BOB, moves)])
    indexer = rig.start()

    await settle(indexer)

    assert {mint(rig, f"m{token_id}").status for token_id in ids} == {MintStatus.MINED}
    rig.chain.drop(1)
    rig.chain.mine()
    rig.chain.mine()
    await settle(indexer)
    assert {mint(rig, f"m{token_id}").status for token_id in ids} == {MintStatus.ISSUED}


async def test_voucher__when_the_collection_is_read_from_its_beginning__then_it_is_noticed_too(
    rig: Any,
) -> None:
    self_custody(rig, 7)
    rig.chain.mine([rig.mint(7)])
    for _ in range(40):
        rig.chain.mine()
    await settle(rig.start())

    assert mint(rig).status is MintStatus.FINALIZED
    assert token_mint(rig, 7) == "m1"


async def test_own_transaction__when_it_fails__then_the_voucher_waits_and_says_why(rig: Any) -> None:
    self_custody(rig, 7, MintStatus.SUBMITTED, submitted_at=5)
    rig.chain.mine([reverting(rig, 1, own=True)])
    indexer = rig.start()

    await settle(indexer)

    found = mint(rig)
    assert (found.status, found.tx_hash, found.block_hash) == (MintStatus.ISSUED, None, None)
    assert found.problem is not None
    assert found.problem.code == "reverted"
    for _ in range(FINALITY + 1):
        rig.chain.mine()
    await settle(indexer)
    assert mint(rig) == found
    rig.chain.mine([rig.mint(7, mint_id="m1")])
    await settle(indexer)
    assert (mint(rig).status, mint(rig).problem) == (MintStatus.MINED, None)


@pytest.mark.parametrize("together", [True, False])
async def test_own_transaction__when_it_fails_because_another_one_minted__then_the_mint_stays_mined(
    rig: Any,
    together: bool,  # noqa: FBT001 - a table
) -> None:
    self_custody(rig, 7, MintStatus.SUBMITTED, submitted_at=5)
    late = reverting(rig, 1, own=True)
    if together:
        rig.chain.mine([rig.mint(7), late, reverting(rig, 2, own=True)])
    else:
        rig.chain.mine([rig.mint(7)])
        rig.chain.mine([late])
    with capture_logs() as logs:
        await settle(rig.start())

    assert (mint(rig).status, mint(rig).problem) == (MintStatus.MINED, None)
    assert [line for line in logs if line["log_level"] == "error"] == []


@pytest.mark.parametrize("apart", [0, 1, 2])
async def test_custodial_mint__when_a_stranger_redeems_its_voucher_first__then_it_is_mined_by_that(
    rig: Any, apart: int
) -> None:
    custodial(rig, 7)
    stranger, ours = rig.mint(7), reverting(rig, 1)
    if apart:
        made = rig.chain.mine([stranger]).block
        for _ in range(apart - 1):
            rig.chain.mine()
        rig.chain.mine([ours])
    else:
        made = rig.chain.mine([stranger, ours]).block
    indexer = rig.start()

    await settle(indexer)

    found = mint(rig)
    assert (found.status, found.problem) == (MintStatus.MINED, None)
    assert (found.tx_hash, found.block_number, found.block_hash) == (stranger.hash, made.number, made.hash)
    assert token_mint(rig, 7) == "m1"
    for _ in range(FINALITY):
        rig.chain.mine()
    await settle(indexer)
    assert mint(rig).status is MintStatus.FINALIZED


@pytest.mark.parametrize("apart", [0, 1])
async def test_custodial_mint__when_the_block_that_decided_it_is_undone__then_it_is_open_again(
    rig: Any, apart: int
) -> None:
    custodial(rig, 7)
    stranger, ours = rig.mint(7), reverting(rig, 1)
    if apart:
        rig.chain.mine([stranger])
        rig.chain.mine([ours])
    else:
        rig.chain.mine([stranger, ours])
    indexer = rig.start()
    await settle(indexer)
    assert mint(rig).status is MintStatus.MINED

    rig.chain.drop(1)
    rig.chain.mine()
    rig.chain.mine()
    await settle(indexer)

    assert (mint(rig).status, mint(rig).tx_hash) == (MintStatus.SUBMITTED, None)
    assert rig.token_ids() == ({7} if apart else set())
    if apart:
        assert token_mint(rig, 7) is None
    rig.chain.mine([ours])
    await settle(indexer)
    assert mint(rig).status is (MintStatus.MINED if apart else MintStatus.REVERTED)


@pytest.mark.parametrize("moved", [False, True], ids=["missing", "written-anew-by-a-transfer"])
@pytest.mark.parametrize("digest", [bytes(32), b"\1" * 32], ids=["its-own", "anothers"])
async def test_custodial_mint__when_the_item_of_its_token_was_set_aside__then_the_chain_tells_whose_it_is(
    rig: Any, digest: bytes, *, moved: bool
) -> None:
    custodial(rig, 7)
    made = Sent(b"\7" * 32, CONTRACT, (Move(CONTRACT, 7, None, ALICE, digest),))
    rig.chain.mine([made])
    indexer = rig.start()
    await settle(indexer)
    del rig.store.token_table[TokenKey(CONTRACT, 7)]
    if moved:
        rig.chain.mine([Sent(b"\x08" * 32, CONTRACT, (Move(CONTRACT, 7, ALICE, BOB),))])
    rig.chain.mine([reverting(rig, 1)])

    await settle(indexer)

    found = mint(rig)
    own = digest == bytes(32)
    assert found.status is (MintStatus.MINED if own else MintStatus.REVERTED)
    assert (found.tx_hash == made.hash) is own
    assert (found.problem is None) is own
    if found.problem is not None:
        assert found.problem.code == "token_taken"


async def test_custodial_mint__when_it_fails_and_nobody_minted_its_token__then_it_is_reverted(
    rig: Any,
) -> None:
    custodial(rig, 7)
    rig.chain.mine([rig.mint(8), reverting(rig, 1)])

    await settle(rig.start())

    assert mint(rig).status is MintStatus.REVERTED


async def test_custodial_mint__when_two_of_its_transactions_are_mined__then_the_one_that_minted_counts(
    rig: Any,
) -> None:
    custodial(rig, 7)
    first = rig.mint(7, mint_id="m1")
    rig.chain.mine([first, reverting(rig, 1)])
    rig.chain.mine([reverting(rig, 2)])
    with capture_logs() as logs:
        await settle(rig.start())

    assert (mint(rig).status, mint(rig).tx_hash) == (MintStatus.MINED, first.hash)
    assert [line for line in logs if line["log_level"] == "error"] == []
