"""An index built from nothing is the one that was kept, byte for byte, and shows what was changed in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mintline.aws.dynamo import Delete, Item, Put
from mintline.aws.records import to_item, token_place
from mintline.errors import Unavailable
from mintline.eth import word
from mintline.records.keys import token_ref
from mintline.resources import MINTS, TOKENS, TRANSFERS
from mintline.states import MintStatus
from mintline_indexer.dynamo_collections import DynamoCollectionRegistry
from mintline_indexer.indexer import Indexer
from mintline_indexer.node_chain import NodeChain
from mintline_ops.deployments import Records
from mintline_ops.index.items import Difference
from mintline_ops.index.rebuild import Rebuild
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.indexer.polling import catch_up
from mintline_testkit.records import make_mint

if TYPE_CHECKING:
    from tests.integration.indexer.conftest import Harness

pytestmark = pytest.mark.integration


@pytest.fixture
def rebuild(harness: Harness) -> Callable[[], Rebuild]:
    records = Records(harness.client, harness.dynamo, harness.prefix)

    def begin() -> Rebuild:
        return Rebuild(
            records=records,
            chain=NodeChain(harness.node, harness.rpc),
            collections=DynamoCollectionRegistry(harness.client, prefix=harness.prefix, chain_id=CHAIN_ID),
            chain_id=CHAIN_ID,
            whole=1_000,
        )

    return begin


async def lived(harness: Harness) -> Indexer:
    """Mint, revert, move, burn, and reorganise, all while an indexer follows."""
    await harness.register()
    indexer = harness.indexer()
    owner, other = harness.accounts[1], harness.accounts[2]
    await harness.submitted(await harness.mint([1, 2, 3], owner), "mint_a")
    await harness.mine()
    await catch_up(indexer)
    await harness.submitted(await harness.mint([1], owner), "mint_reverted")
    await harness.mine()
    await catch_up(indexer)
    await harness.transfer(1, owner, other)
    await harness.burn(2, owner)
    await harness.mine()
    await catch_up(indexer)
    await harness.rpc.call("anvil_reorg", [1, []])
    await catch_up(indexer)
    await harness.transfer(3, owner, other)
    await harness.mine(4)
    await catch_up(indexer)
    return indexer


async def test_rebuild__when_the_index_has_lived_through_everything__then_it_is_the_same(
    harness: Harness, rebuild: Callable[[], Rebuild]
) -> None:
    await lived(harness)
    first, second = rebuild(), rebuild()
    assert await first.differences() == []
    await second.catch_up()
    assert first.store.digest() == second.store.digest()
    assert {key[0] for key, _ in first.store.items()} == {"tokens", "transfers", "mints"}
    outcomes = {item["mint_id"]: item["outcome"] for key, item in first.store.items() if key[0] == "mints"}
    assert outcomes == {"mint_a": "mined", "mint_reverted": "reverted"}
    assert len(first.store.token_table) == 3


async def test_rebuild__when_strangers_redeemed_vouchers__then_their_mints_are_found_again(
    harness: Harness, rebuild: Callable[[], Rebuild]
) -> None:
    await harness.register()
    indexer = harness.indexer()
    await catch_up(indexer)
    waiting = make_mint(
        "mint_7",
        status=MintStatus.ISSUED,
        contract=harness.contract,
        to=harness.accounts[1],
        custody="self",
        metadata_digest=word(7),
        at=0,
        token_id=7,
    )
    found_by: Item = {"token_ref": token_ref(CHAIN_ID, harness.contract, 7)}
    await harness.dynamo.write(Put(MINTS, to_item(waiting) | found_by))
    await harness.mint([7], harness.accounts[1])
    await harness.mine(4)
    await catch_up(indexer)
    assert (await harness.mint_record("mint_7")).status is MintStatus.FINALIZED
    again = rebuild()
    assert await again.differences() == []
    assert [token.mint_id for token in again.store.token_table.values()] == ["mint_7"]


async def damage(harness: Harness) -> str:
    """Change an item, make one up, lose one, and change a mint's block; return the lost one's position."""
    token = await harness.dynamo.get(TOKENS, token_place(CHAIN_ID, harness.contract, 1))
    assert token is not None
    await harness.dynamo.write(Put(TOKENS, token | {"owner": harness.accounts[3]}))
    await harness.dynamo.write(Put(TOKENS, token | token_place(CHAIN_ID, harness.contract, 9)))
    transfer: Item = {"token_ref": token_ref(CHAIN_ID, harness.contract, 3)}
    page = await harness.dynamo.query(TRANSFERS, partition=transfer["token_ref"], limit=1)
    position = str(page.items[0]["position"])
    transfer["position"] = position
    await harness.dynamo.write(Delete(TRANSFERS, transfer))
    mint = await harness.mint_record("mint_a")
    await harness.dynamo.write(Put(MINTS, to_item(mint.model_copy(update={"block_number": 1}))))
    return position


async def test_rebuild__when_items_were_changed_lost_or_made_up__then_each_is_shown(
    harness: Harness, rebuild: Callable[[], Rebuild]
) -> None:
    await lived(harness)
    position = await damage(harness)

    def shown(difference: Difference) -> tuple[str, list[str], bool, bool]:
        table, partition, sort = difference.key
        fields = difference.fields()
        key = partition if table == TOKENS.name else sort
        return f"{table} {key}".strip(), fields, difference.kept is None, difference.rebuilt is None

    differences = await rebuild().differences()
    assert sorted(shown(difference) for difference in differences) == sorted(
        [
            ("mints", ["block_number"], False, False),
            (f"tokens {token_ref(CHAIN_ID, harness.contract, 1)}", ["owner"], False, False),
            (f"tokens {token_ref(CHAIN_ID, harness.contract, 9)}", [], False, True),
            (f"transfers {position}", [], True, False),
        ]
    )


async def test_rebuild__when_the_index_falls_behind_for_good__then_it_says_so_and_claims_nothing(
    harness: Harness, rebuild: Callable[[], Rebuild]
) -> None:
    await lived(harness)
    await harness.mint([4], harness.accounts[1])
    await harness.mine()

    async def no_pause(_: float) -> None:
        return

    behind = rebuild()
    behind._sleep = no_pause
    with pytest.raises(Unavailable, match="is an indexer running, and not behind"):
        await behind.differences()
