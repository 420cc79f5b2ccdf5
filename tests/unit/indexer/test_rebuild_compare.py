"""What a comparison of the kept index with a rebuilt one notices: every item, and what would undo a block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from mintline.aws.dynamo import Item
from mintline.aws.records import to_item
from mintline.resource_types import Table
from mintline.resources import BALANCES, BLOCKS, MINTS, TOKENS, TRANSACTIONS, TRANSFERS
from mintline.states import MintStatus, TransactionState
from mintline_indexer.dynamo_items import balance_item, token_item, transfer_item
from mintline_indexer.store_port import BalanceKey, TokenKey
from mintline_ops.index.items import Difference
from mintline_ops.index.rebuild import Rebuild
from mintline_testkit.chain import Move, Sent
from mintline_testkit.indexer.harness import Harness

ITEM = 1_000
ALICE, BOB = "0x" + "2" * 40, "0x" + "3" * 40


class Kept:
    """A harness's store as the tables of a deployment."""

    prefix = "test"

    def __init__(self, harness: Harness) -> None:
        self._store = harness.store
        self.dynamo = self

    def items(self, table: Table) -> list[Item]:
        if table is TOKENS:
            return [token_item(token) for token in self._store.token_table.values()]
        if table is BALANCES:
            return [balance_item(balance) for balance in self._store.balance_table.values()]
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
async def lived(harness: Harness) -> Harness:
    """An index of three tokens, one of a mint of ours, and an item; the last blocks are not final."""
    harness.record("mint_a", MintStatus.SUBMITTED)
    harness.chain.mine([harness.mint(1, mint_id="mint_a"), harness.mint(2)])
    for _ in range(6):
        harness.chain.mine()
    items = (item_move(harness, None, ALICE), item_move(harness, ALICE, BOB))
    harness.chain.mine([Sent(b"i" * 32, contract_of(harness), items)])
    for _ in range(6):
        harness.chain.mine()
    harness.chain.mine([harness.mint(3), Sent(b"t" * 32, contract_of(harness), (move(harness, 2),))])
    harness.chain.mine([Sent(b"j" * 32, contract_of(harness), (item_move(harness, None, BOB),))])
    indexer = harness.start()
    while await indexer.poll():
        pass
    return harness


def contract_of(harness: Harness) -> str:
    (contract,) = harness.collections.deployed
    return str(contract)


def move(harness: Harness, token_id: int) -> Move:
    return Move(contract_of(harness), token_id, ALICE, BOB)


def item_move(harness: Harness, sender: str | None, recipient: str) -> Move:
    return Move(contract_of(harness), ITEM, sender, recipient, quantity=3)


def rebuild_of(harness: Harness) -> Rebuild:
    kept: Any = Kept(harness)
    rebuild = Rebuild(
        records=kept, chain=harness.chain, collections=harness.collections, chain_id=1, whole=100
    )
    live: Any = harness.store
    rebuild.store.live = live
    return rebuild


async def differences(harness: Harness) -> list[Difference]:
    return await rebuild_of(harness).differences()


async def test_compare__when_nothing_was_changed__then_there_is_no_difference(lived: Harness) -> None:
    assert await differences(lived) == []


async def follow(harness: Harness) -> None:
    indexer = harness.start("writer-1")
    while await indexer.poll():
        pass


async def test_compare__when_mints_ended_by_other_transactions_or_have_new_nonces__then_none_differs(
    lived: Harness,
) -> None:
    """One that a stranger redeemed, one of a user's own wallet, and one that an earlier nonce made."""
    harness = lived
    for number, mint_id in ((11, "front_run"), (12, "own"), (13, "renewed")):
        harness.record(mint_id, MintStatus.SUBMITTED)
        harness.store.mint_table[mint_id] = harness.store.mint_table[mint_id].evolve(token_id=number)
    own = {"custody": "self", "sender": None, "nonce": None, "status": MintStatus.ISSUED}
    harness.store.mint_table["own"] = harness.store.mint_table["own"].evolve(**own)
    failed = Sent(b"f" * 32, contract_of(harness), succeeded=False)
    harness.sign(failed.hash, "front_run")
    renewed = harness.mint(13, mint_id="renewed")
    earlier = harness.carrying("renewed")
    later = earlier.evolve(nonce=99, attempts=())
    harness.store.transaction_table[later.key] = later
    harness.store.mint_table["renewed"] = harness.store.mint_table["renewed"].evolve(nonce=99)
    harness.chain.mine([harness.mint(11), harness.mint(12), renewed])
    harness.chain.mine([failed])
    await follow(harness)
    statuses = {mint_id: harness.stands(mint_id).status for mint_id in ("front_run", "own", "renewed")}
    assert set(statuses.values()) == {MintStatus.MINED}

    assert await differences(harness) == []


async def test_compare__when_a_later_attempt_is_mined_after_a_reorg__then_there_is_no_difference(
    lived: Harness,
) -> None:
    """A rebuild that goes on following meets attempts that were not there when it first read the record."""
    harness = lived
    harness.record("mint_b", MintStatus.SUBMITTED)
    harness.chain.mine([harness.mint(21, mint_id="mint_b")])
    await follow(harness)
    rebuild = rebuild_of(harness)
    await rebuild.catch_up()
    harness.chain.drop(1)
    replacement = Sent(
        b"r" * 32, contract_of(harness), (Move(contract_of(harness), 21, None, ALICE, bytes(32)),)
    )
    harness.sign(replacement.hash, "mint_b")
    harness.chain.mine([replacement])
    harness.chain.mine()
    await follow(harness)
    assert harness.stands("mint_b").tx_hash == replacement.hash

    assert await rebuild.differences() == []


def misplace(harness: Harness) -> None:
    carrying = harness.carrying("mint_a")
    harness.store.transaction_table[carrying.key] = carrying.evolve(block_hash=b"x" * 32)


def lose_token(harness: Harness) -> None:
    del harness.store.token_table[TokenKey(contract_of(harness), 1)]


def lose_transfer(harness: Harness) -> None:
    del harness.store.transfer_table[min(harness.store.transfer_table)]


def lose_outcome(harness: Harness) -> None:
    carrying = harness.carrying("mint_a")
    gone = dict.fromkeys(("outcome", "tx_hash", "block_number", "block_hash"))
    lost = carrying.evolve(state=TransactionState.SUBMITTED, **gone)
    harness.store.transaction_table[carrying.key] = lost


def invent_token(harness: Harness) -> None:
    token = harness.store.token_table[TokenKey(contract_of(harness), 1)]
    harness.store.token_table[TokenKey(contract_of(harness), 9)] = token.evolve(token_id=9)


def spoil_undo(harness: Harness) -> None:
    (position,) = (
        p
        for p, undo_record in harness.store.block_rows.items()
        if any(old.token for old in undo_record.tokens)
    )
    undo_record = harness.store.block_rows[position]
    tokens = tuple(
        old if old.token is None else old.evolve(token=old.token.evolve(owner=BOB))
        for old in undo_record.tokens
    )
    harness.store.block_rows[position] = undo_record.evolve(tokens=tokens)


def lose_balance(harness: Harness) -> None:
    del harness.store.balance_table[BalanceKey(contract_of(harness), ITEM, ALICE)]


def raise_balance(harness: Harness) -> None:
    key = BalanceKey(contract_of(harness), ITEM, BOB)
    harness.store.balance_table[key] = harness.store.balance_table[key].evolve(quantity=7)


def spoil_undone_balance(harness: Harness) -> None:
    (position,) = (
        p
        for p, undo_record in harness.store.block_rows.items()
        if any(old.balance for old in undo_record.balances)
    )
    undo_record = harness.store.block_rows[position]
    balances = tuple(
        old.evolve(balance=old.balance and old.balance.evolve(quantity=1)) for old in undo_record.balances
    )
    harness.store.block_rows[position] = undo_record.evolve(balances=balances)


CHANGES = [
    (lose_balance, BALANCES, []),
    (raise_balance, BALANCES, ["quantity"]),
    (spoil_undone_balance, BLOCKS, ["balances"]),
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
    lived: Harness, change: Callable[[Any], None], table: Table, fields: list[str]
) -> None:
    change(lived)

    (difference,) = await differences(lived)

    assert (difference.key[0], difference.fields()) == (table.name, fields)
