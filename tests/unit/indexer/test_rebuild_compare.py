"""What a comparison of the kept index with a rebuilt one notices: every item, and what would undo a block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from mintline.aws.dynamo import Item
from mintline.aws.records import to_item
from mintline.resources import BLOCKS, MINTS, TOKENS, TRANSACTIONS, TRANSFERS, Table
from mintline.states import MintStatus, TransactionState
from mintline_indexer.dynamo_store import token_item, transfer_item
from mintline_indexer.store_port import TokenKey
from mintline_ops.index.rebuild import Difference, Rebuild
from mintline_testkit.indexer.chain import Move, Sent

ALICE, BOB = "0x" + "2" * 40, "0x" + "3" * 40


class Kept:
    """A rig's store as the tables of a deployment."""

    prefix = "test"

    def __init__(self, rig: Any) -> None:
        self._store = rig.store
        self.dynamo = self

    def items(self, table: Table) -> list[Item]:
        if table is TOKENS:
            return [token_item(token) for token in self._store.token_table.values()]
        if table is TRANSFERS:
            return [transfer_item(transfer) for transfer in self._store.transfer_table.values()]
        if table is TRANSACTIONS:
            return [to_item(transaction) for transaction in self._store.transaction_table.values()]
        assert table is MINTS
        return [to_item(mint) for mint in self._store.mint_table.values()]

    async def every(self, table: Table) -> AsyncIterator[Item]:
        for item in self.items(table):
            yield item

    async def get(self, table: Table, key: Item) -> Item | None:
        return next((item for item in self.items(table) if key.items() <= item.items()), None)


@pytest.fixture
async def lived(rig: Any) -> Any:
    """An index of three tokens, one of a mint of ours, of which the last blocks are not final."""
    rig.record("mint_a", MintStatus.SUBMITTED)
    rig.chain.mine([rig.mint(1, mint_id="mint_a"), rig.mint(2)])
    for _ in range(6):
        rig.chain.mine()
    rig.chain.mine([rig.mint(3), Sent(b"t" * 32, rig_contract(rig), (move(rig, 2),))])
    indexer = rig.start()
    while await indexer.poll():
        pass
    return rig


def rig_contract(rig: Any) -> str:
    (contract,) = rig.collections.deployed
    return str(contract)


def move(rig: Any, token_id: int) -> Move:
    return Move(rig_contract(rig), token_id, ALICE, BOB)


def rebuilding(rig: Any) -> Rebuild:
    kept: Any = Kept(rig)
    rebuild = Rebuild(records=kept, chain=rig.chain, collections=rig.collections, chain_id=1, whole=100)
    rebuild.store.live = rig.store
    return rebuild


async def differences(rig: Any) -> list[Difference]:
    return await rebuilding(rig).differences()


async def test_compare__when_nothing_was_changed__then_there_is_no_difference(lived: Any) -> None:
    assert await differences(lived) == []


async def follow(rig: Any) -> None:
    indexer = rig.start("writer-1")
    while await indexer.poll():
        pass


async def test_compare__when_mints_ended_by_other_transactions_or_have_new_nonces__then_none_differs(
    lived: Any,
) -> None:
    """One that a stranger redeemed, one of a user's own wallet, and one that an earlier nonce made."""
    rig = lived
    for number, mint_id in ((11, "front_run"), (12, "own"), (13, "renewed")):
        rig.record(mint_id, MintStatus.SUBMITTED)
        rig.store.mint_table[mint_id] = rig.store.mint_table[mint_id].evolve(token_id=number)
    own = {"custody": "self", "sender": None, "nonce": None, "status": MintStatus.ISSUED}
    rig.store.mint_table["own"] = rig.store.mint_table["own"].evolve(**own)
    failed = Sent(b"f" * 32, rig_contract(rig), succeeded=False)
    rig.sign(failed.hash, "front_run")
    made = rig.mint(13, mint_id="renewed")
    earlier = rig.carrying("renewed")
    later = earlier.evolve(nonce=99, attempts=())
    rig.store.transaction_table[later.place] = later
    rig.store.mint_table["renewed"] = rig.store.mint_table["renewed"].evolve(nonce=99)
    rig.chain.mine([rig.mint(11), rig.mint(12), made])
    rig.chain.mine([failed])
    await follow(rig)
    statuses = {mint_id: rig.stands(mint_id).status for mint_id in ("front_run", "own", "renewed")}
    assert set(statuses.values()) == {MintStatus.MINED}

    assert await differences(rig) == []


async def test_compare__when_a_later_attempt_is_mined_after_a_reorg__then_there_is_no_difference(
    lived: Any,
) -> None:
    """A rebuild that goes on following meets attempts that were not there when it first read the record."""
    rig = lived
    rig.record("mint_b", MintStatus.SUBMITTED)
    rig.chain.mine([rig.mint(21, mint_id="mint_b")])
    await follow(rig)
    rebuild = rebuilding(rig)
    await rebuild.catch_up()
    rig.chain.drop(1)
    replacement = Sent(b"r" * 32, rig_contract(rig), (Move(rig_contract(rig), 21, None, ALICE, bytes(32)),))
    rig.sign(replacement.hash, "mint_b")
    rig.chain.mine([replacement])
    rig.chain.mine()
    await follow(rig)
    assert rig.stands("mint_b").tx_hash == replacement.hash

    assert await rebuild.differences() == []


def misplace(rig: Any) -> None:
    carrying = rig.carrying("mint_a")
    rig.store.transaction_table[carrying.place] = carrying.evolve(block_hash=b"x" * 32)


def lose_token(rig: Any) -> None:
    del rig.store.token_table[TokenKey(rig_contract(rig), 1)]


def lose_transfer(rig: Any) -> None:
    del rig.store.transfer_table[min(rig.store.transfer_table)]


def lose_outcome(rig: Any) -> None:
    carrying = rig.carrying("mint_a")
    gone = dict.fromkeys(("outcome", "tx_hash", "block_number", "block_hash"))
    lost = carrying.evolve(state=TransactionState.SUBMITTED, **gone)
    rig.store.transaction_table[carrying.place] = lost


def invent_token(rig: Any) -> None:
    token = rig.store.token_table[TokenKey(rig_contract(rig), 1)]
    rig.store.token_table[TokenKey(rig_contract(rig), 9)] = token.evolve(token_id=9)


def spoil_undo(rig: Any) -> None:
    (position,) = (p for p, row in rig.store.block_rows.items() if any(old.token for old in row.tokens))
    row = rig.store.block_rows[position]
    tokens = tuple(
        old if old.token is None else old.evolve(token=old.token.evolve(owner=BOB)) for old in row.tokens
    )
    rig.store.block_rows[position] = row.evolve(tokens=tokens)


CHANGES = [
    (misplace, MINTS, ["block_hash"]),
    (lose_token, TOKENS, []),
    (lose_transfer, TRANSFERS, []),
    (lose_outcome, MINTS, []),
    (invent_token, TOKENS, []),
    (spoil_undo, BLOCKS, ["tokens"]),
]


@pytest.mark.parametrize(
    ("change", "table", "fields"), CHANGES, ids=lambda value: getattr(value, "__name__", "")
)
async def test_compare__when_one_item_was_changed__then_it_is_the_difference(
    lived: Any, change: Callable[[Any], None], table: Table, fields: list[str]
) -> None:
    change(lived)

    (found,) = await differences(lived)

    assert (found.key[0], found.fields()) == (table.name, fields)
