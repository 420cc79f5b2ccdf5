"""Vouchers that others redeem, on real tables: found by their token, and written once a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mintline.aws.dynamo import Item, Put, Update
from mintline.aws.records import to_item
from mintline.eth import word
from mintline.records.keys import created_key, open_shard, token_ref
from mintline.resources import ATTEMPTS, MINTS
from mintline.states import MintStatus
from mintline_indexer.store_port import TokenKey
from mintline_testkit.indexer.polling import catch_up
from mintline_testkit.records import make_mint

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

pytestmark = pytest.mark.integration


async def issued(harness: Harness, mint_id: str, token_id: int, **fields: Any) -> None:
    """Put a self-custody mint on record whose voucher waits."""
    mint = make_mint(
        mint_id,
        status=MintStatus.ISSUED,
        contract=harness.contract,
        to=harness.accounts[1],
        custody="self",
        metadata_digest=word(token_id),
        at=0,
        token_id=token_id,
        **fields,
    )
    keys: Item = {
        "created_key": created_key(0, mint_id),
        "open_shard": open_shard(mint_id),
        "token_ref": token_ref(31337, harness.contract, token_id),
    }
    await harness.dynamo.write(Put(MINTS, to_item(mint) | keys))


async def attempted(harness: Harness, tx_hash: str, mint_id: str) -> None:
    item: Item = {"tx_hash": tx_hash, "kind": "self_redeem", "mint_id": mint_id}
    await harness.dynamo.write(Put(ATTEMPTS, item))


async def test_voucher__when_redeemed_without_telling_us__then_mined_undone_and_mined_again(
    harness: Harness,
) -> None:
    await harness.register()
    indexer = harness.indexer()
    await catch_up(indexer)
    await issued(harness, "mint_7", 7)
    await issued(harness, "mint_8", 8, submitted_at=5)
    snapshot = await harness.rpc.call("evm_snapshot", [])
    sent = await harness.mint([7, 8, 9], harness.accounts[1], gas=1_000_000)
    await harness.mine()
    await catch_up(indexer)

    for mint_id in ("mint_7", "mint_8"):
        mint = await harness.mint_record(mint_id)
        assert (mint.status, mint.tx_hash) == (MintStatus.MINED, bytes.fromhex(sent[2:]))
    tokens = await harness.store.tokens([TokenKey(harness.contract, number) for number in (7, 8, 9)])
    assert [token and token.mint_id for token in tokens.values()] == ["mint_7", "mint_8", None]

    await harness.rpc.call("evm_revert", [snapshot])
    await harness.mine(2)
    await catch_up(indexer)
    assert (await harness.mint_record("mint_7")).status is MintStatus.ISSUED
    assert (await harness.mint_record("mint_8")).status is MintStatus.SUBMITTED
    await harness.mint([7, 8], harness.accounts[1], gas=1_000_000)
    await harness.mine(5)
    await catch_up(indexer)
    assert (await harness.mint_record("mint_7")).status is MintStatus.FINALIZED
    assert await harness.open_mints() == set()


async def test_own_transactions__when_one_mints_and_others_fail_in_its_block__then_written_once(
    harness: Harness,
) -> None:
    await harness.register()
    indexer = harness.indexer()
    await catch_up(indexer)
    await issued(harness, "mint_7", 7)
    starved = await harness.mint([7], harness.accounts[1], gas=40_000)
    await attempted(harness, starved, "mint_7")
    await harness.mine()
    await catch_up(indexer)
    waiting = await harness.mint_record("mint_7")
    assert waiting.problem is not None
    assert (waiting.status, waiting.problem.code) == (MintStatus.ISSUED, "out_of_gas")
    assert await harness.open_mints() == {"mint_7"}

    for _ in range(3):
        await attempted(harness, await harness.mint([7], harness.accounts[1]), "mint_7")
    await harness.mine()
    await catch_up(indexer)

    mint = await harness.mint_record("mint_7")
    assert (mint.status, mint.problem) == (MintStatus.MINED, None)


@pytest.mark.parametrize("together", [True, False])
async def test_custodial_mint__when_a_stranger_was_first__then_it_is_mined_by_that(
    harness: Harness,
    together: bool,  # noqa: FBT001 - a table
) -> None:
    await harness.register()
    indexer = harness.indexer()
    await catch_up(indexer)
    stranger = await harness.mint([7], harness.accounts[1])
    if not together:
        await harness.mine()
        await catch_up(indexer)
    ours = await harness.mint([7], harness.accounts[1])
    await harness.submitted(ours, "mint_7")
    own: Item = {"token_id": "7", "metadata_digest": "0x" + word(7).hex()}
    await harness.dynamo.write(Update(MINTS, {"mint_id": "mint_7"}, set=own))
    await harness.mine()
    await catch_up(indexer)

    mint = await harness.mint_record("mint_7")
    assert (mint.status, mint.tx_hash, mint.problem) == (MintStatus.MINED, bytes.fromhex(stranger[2:]), None)
    (token,) = (await harness.store.tokens([TokenKey(harness.contract, 7)])).values()
    assert token is not None
    assert (token.mint_id, token.owner) == ("mint_7", harness.accounts[1])
    await harness.mine(4)
    await catch_up(indexer)
    assert (await harness.mint_record("mint_7")).status is MintStatus.FINALIZED
