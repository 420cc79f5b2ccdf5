"""The indexer on a real contract and real tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mintline.eth import to_checksum_address
from mintline.records.index import Token
from mintline.states import MintStatus
from mintline_indexer.store_port import TokenKey
from mintline_testkit.indexer.polling import catch_up

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

pytestmark = pytest.mark.integration


async def token(harness: Harness, token_id: int) -> Token | None:
    key = TokenKey(harness.contract, token_id)
    token: Token | None = (await harness.store.tokens([key]))[key]
    return token


async def test_index__when_tokens_are_minted_moved_and_burned__then_follows_them(harness: Harness) -> None:
    alice, bob = harness.accounts[1:3]
    await harness.register()
    indexer = harness.indexer()
    await catch_up(indexer)
    sent = await harness.mint([7], alice)
    await harness.submitted(sent, "mint_7")
    await harness.mint([8, 9], alice, gas=1_000_000)
    await harness.mine()
    await catch_up(indexer)

    minted = await token(harness, 7)
    assert minted is not None
    assert (minted.owner, minted.mint_id, minted.metadata_digest) == (
        alice,
        "mint_7",
        (7).to_bytes(32, "big"),
    )
    eighth = await token(harness, 8)
    assert eighth is not None
    assert eighth.mint_id is None
    mint = await harness.mint_record("mint_7")
    assert (mint.status, mint.tx_hash) == (MintStatus.MINED, bytes.fromhex(sent[2:]))
    assert mint.block_number == minted.minted_block

    await harness.transfer(7, alice, bob)
    await harness.burn(8, alice)
    await harness.mine(4)
    await catch_up(indexer)
    moved, burned = await token(harness, 7), await token(harness, 8)
    assert moved is not None
    assert burned is not None
    assert (moved.owner, burned.owner) == (bob, None)
    assert moved.metadata_digest == minted.metadata_digest
    assert "owner_id" not in next(item for item in await harness.every("tokens") if not item.get("owner"))
    transfers = await harness.every("transfers")
    assert len(transfers) == 5
    assert (await harness.mint_record("mint_7")).status is MintStatus.FINALIZED
    assert await harness.open_mints() == set()
    progress = await harness.store.load()
    assert progress is not None
    assert progress.finalized.number >= mint.block_number


async def test_index__when_a_mint_reverts__then_says_why(harness: Harness) -> None:
    await harness.register()
    indexer = harness.indexer()
    await catch_up(indexer)
    await harness.mint([1], harness.accounts[1])
    await harness.mine()
    again = await harness.mint([1], harness.accounts[1])
    await harness.submitted(again, "mint_again")
    starved = await harness.mint([2], harness.accounts[1], gas=40_000)
    await harness.submitted(starved, "mint_starved")
    await harness.mine()
    await catch_up(indexer)
    refused, starving = await harness.mint_record("mint_again"), await harness.mint_record("mint_starved")
    assert refused.status is starving.status is MintStatus.REVERTED
    assert refused.problem is not None
    assert refused.problem.code == "reverted"
    assert "AlreadyMinted(tokenId=1)" in refused.problem.reason
    assert starving.problem is not None
    assert starving.problem.code == "out_of_gas"
    assert await harness.open_mints() == {"mint_again", "mint_starved"}
    await harness.mine(4)
    await catch_up(indexer)
    assert await harness.open_mints() == set()
    assert (await harness.mint_record("mint_again")).status is MintStatus.REVERTED


async def test_index__when_a_block_holds_more_than_a_transaction_takes__then_splits_it(
    harness: Harness,
) -> None:
    await harness.register()
    indexer = harness.indexer()
    await catch_up(indexer)
    for number in range(150):
        await harness.submitted(
            await harness.mint([number], harness.accounts[1], gas=200_000), f"mint_{number}"
        )
    await harness.mint(list(range(1000, 1150)), harness.accounts[2], gas=20_000_000)
    await harness.mine()
    await catch_up(indexer)
    assert len(await harness.every("tokens")) == 300
    assert len(await harness.every("transfers")) == 300
    mints = await harness.store.operations([f"mint_{number}" for number in range(150)])
    assert {mint.status for mint in mints.values()} == {MintStatus.MINED}
    before = await harness.every("tokens")

    await harness.rpc.call("anvil_reorg", [1, []])
    await harness.mine()
    await catch_up(indexer)
    assert await harness.every("tokens") == []
    assert await harness.every("transfers") == []
    mints = await harness.store.operations([f"mint_{number}" for number in range(150)])
    assert {mint.status for mint in mints.values()} == {MintStatus.SUBMITTED}
    assert {mint.block_hash for mint in mints.values()} == {None}
    assert len(before) == 300


async def test_index__when_the_chain_reorganises__then_restores_every_byte(harness: Harness) -> None:
    alice, bob = harness.accounts[1:3]
    await harness.register()
    indexer = harness.indexer()
    await catch_up(indexer)
    await harness.mint([1, 2], alice, gas=1_000_000)
    await harness.mine()
    await catch_up(indexer)
    tokens, transfers = await harness.every("tokens"), await harness.every("transfers")
    await harness.transfer(1, alice, bob)
    await harness.burn(2, alice)
    await harness.mine()
    await catch_up(indexer)
    assert await harness.every("tokens") != tokens

    await harness.rpc.call("anvil_reorg", [1, []])
    await catch_up(indexer)
    assert await harness.every("tokens") == tokens
    assert await harness.every("transfers") == transfers


async def test_index__when_the_writer_dies__then_a_standby_takes_over_and_the_old_one_is_fenced(
    harness: Harness,
) -> None:
    await harness.register()
    first, second = harness.indexer(), harness.indexer()
    await catch_up(first)
    assert not await second.poll()
    assert not second.writing
    await harness.mint([1], harness.accounts[1])
    await harness.mine()
    harness.skipped += 9
    await second.poll()
    assert not second.writing
    harness.skipped += 7
    await catch_up(second)
    assert second.writing
    assert await token(harness, 1) is not None
    await harness.mine()
    await first.poll()
    assert (first.writing, second.writing) == (False, True)

    await second.step_down()
    await catch_up(first)
    assert first.writing


@pytest.mark.parametrize("whole", [0, 5_000])
async def test_index__when_a_collection_is_registered_late__then_backfills_it(
    harness: Harness, whole: int
) -> None:
    alice, bob = harness.accounts[1:3]
    indexer = harness.indexer(widest=3, whole=whole)
    await catch_up(indexer)
    sent = await harness.mint([1, 2], alice, gas=1_000_000)
    await harness.submitted(sent, "mint_old")
    await harness.mine(30)
    await harness.transfer(1, alice, bob)
    await harness.mine()
    await harness.mint([3], alice)
    await harness.mine()
    await harness.register()
    late = harness.indexer(widest=3, whole=whole)
    await indexer.step_down()
    await catch_up(late)
    owners = [token.owner for token in [await token(harness, number) for number in (1, 2, 3)] if token]
    assert owners == [bob, alice, alice]
    mint = await harness.mint_record("mint_old")
    assert mint.status is MintStatus.FINALIZED
    tokens, transfers = await harness.every("tokens"), await harness.every("transfers")

    # What was written in two ways is the same as what is followed from the start.
    await harness.rpc.call("anvil_reorg", [1, []])
    await harness.mine()
    await catch_up(late)
    assert len(await harness.every("tokens")) == len(tokens) - 1
    assert len(await harness.every("transfers")) == len(transfers) - 1


@pytest.mark.parametrize("size", [215_008, 300_000])
async def test_index__when_a_transaction_of_a_mint_reverts_with_much__then_it_ends_and_others_are_indexed(
    harness: Harness, size: int
) -> None:
    await harness.register()
    indexer = harness.indexer()
    await catch_up(indexer)
    # PUSH3 size, PUSH1 0, REVERT: whatever it is called with. The creation code before it returns it.
    runtime = bytes.fromhex("62") + size.to_bytes(3, "big") + bytes.fromhex("6000fd")
    created = await harness.send(None, bytes.fromhex("66") + runtime + bytes.fromhex("60005260076019f3"))
    await harness.mine()
    reverter = (await harness.rpc.call("eth_getTransactionReceipt", [created]))["contractAddress"]
    alice = harness.accounts[1]
    await harness.mint([1], alice)
    await harness.mine()
    failed = await harness.call(
        "safeTransferFrom(address,address,uint256)",
        ["address", "address", "uint256"],
        [alice, to_checksum_address(reverter), 1],
        sender=alice,
        gas=5_000_000,
    )
    await harness.submitted(failed, "mint_7")
    minted = await harness.mint([8], harness.accounts[1])
    await harness.submitted(minted, "mint_8")
    await harness.mine()
    await catch_up(indexer)
    mint = await harness.mint_record("mint_7")
    assert mint.status is MintStatus.REVERTED
    assert mint.problem is not None
    assert len(mint.problem.reason) == 1000
    assert (await harness.mint_record("mint_8")).status is MintStatus.MINED
    assert await token(harness, 8) is not None
