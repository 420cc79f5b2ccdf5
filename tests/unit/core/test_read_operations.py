"""A mint as it stands is two records, read one after the other: no write in between makes it look ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mintline.aws.dynamo import Item
from mintline.aws.operations import read_mint, read_operations
from mintline.aws.records import to_item
from mintline.messages.parts import Fees, KeyRef
from mintline.records.operations import Attempt, Mint
from mintline.records.problems import Problem
from mintline.records.transactions import Transaction
from mintline.resource_types import Table
from mintline.resources import MINTS
from mintline.set_aside import SetAside
from mintline.states import MintStatus, TransactionState
from mintline_testkit.records import make_transaction

ALICE = "0x" + "2" * 40
KEY = KeyRef(address=ALICE, subject="user", chain_id=1, secret_id="secret")
OURS, STRANGERS = b"\x01" * 32, b"\x02" * 32


class Racing:
    """Tables in which a transaction is settled between the reads of its mint and its own record."""

    def __init__(self, before: Mint, after: Mint, settled: Transaction) -> None:
        self._items = [to_item(before), to_item(settled), to_item(after)]
        self.tables: list[str] = []

    async def get(self, table: Table, _key: Item) -> Item | None:
        self.tables.append(table.name)
        return self._items.pop(0)

    async def get_each(self, table: Table, keys: Sequence[Item]) -> list[Item | None]:
        return [await self.get(table, key) for key in keys]


class Kept:
    """Tables that count the items that are read of them."""

    def __init__(self, mints: Sequence[Mint], transaction: Transaction) -> None:
        self._items = {mint.mint_id: to_item(mint) for mint in mints}
        self.transaction = to_item(transaction)
        self.read: list[str] = []

    async def get_each(self, table: Table, keys: Sequence[Item]) -> list[Item | None]:
        self.read += [table.name] * len(keys)
        items = [self._items.get(str(key["mint_id"])) if table is MINTS else self.transaction for key in keys]
        return [None if item is None else dict(item) for item in items]


def built(**changes: Any) -> Mint:
    fields: dict[str, Any] = {
        "mint_id": "m1",
        "sub": "user",
        "status": MintStatus.BUILT,
        "chain_id": 1,
        "contract": "0x" + "1" * 40,
        "to": ALICE,
        "sender": KEY,
        "nonce": 0,
        "metadata_digest": bytes(32),
        "request_digest": "",
        "created_at": 0,
        "updated_at": 0,
    }
    return Mint(**fields | changes)


def failed() -> Transaction:
    return make_transaction(
        KEY,
        operations=("m1",),
        gas=1,
        fees=Fees(max_fee_per_gas=1, max_priority_fee_per_gas=1),
        state=TransactionState.MINED,
        outcome="failed",
        tx_hash=OURS,
        block_number=5,
        block_hash=OURS,
        mined_at=1,
        problem=Problem(code="reverted", reason="No."),
        attempts=(Attempt(tx_hash=OURS, max_fee_per_gas=1, max_priority_fee_per_gas=1, at=0),),
        reserved_at=0,
        updated_at=1,
    )


@pytest.mark.parametrize(
    ("after", "status", "tx_hash"),
    [
        (built(status=MintStatus.MINED, tx_hash=STRANGERS), MintStatus.MINED, STRANGERS),
        (built(), MintStatus.REVERTED, OURS),
    ],
    ids=["front run", "failed"],
)
async def test_mint__when_its_transaction_fails_between_the_reads__then_it_is_reverted_only_if_nobody_made_it(
    after: Mint, status: MintStatus, tx_hash: bytes
) -> None:
    tables: Any = Racing(built(), after, failed())
    mint = await read_mint(tables, "m1", SetAside())
    assert mint is not None
    assert (mint.status, mint.tx_hash) == (status, tx_hash)
    assert tables.tables == [MINTS.name, "transactions", MINTS.name]

    tables = Racing(built(), after, failed())
    assert await read_operations(tables, ["m1"], SetAside()) == {"m1": mint}
    assert tables.tables == [MINTS.name, "transactions", MINTS.name]


async def test_mints__when_one_transaction_carries_them_all__then_it_is_read_once() -> None:
    names = [f"m{number}" for number in range(100)]
    carrier = failed().evolve(kind="batch", operations=tuple(names), outcome="succeeded", problem=None)
    tables = Kept([built(mint_id=name) for name in names], carrier)
    dynamo: Any = tables

    operations = await read_operations(dynamo, [*names, "unknown", "m0"], SetAside())

    assert list(operations) == names
    assert {mint.status for mint in operations.values()} == {MintStatus.MINED}
    assert tables.read.count(MINTS.name) == 101
    assert tables.read.count("transactions") == 1


async def test_mints__when_the_transaction_of_one_is_unreadable__then_it_alone_is_missing() -> None:
    tables = Kept([built(), built(mint_id="m2", nonce=None)], failed())
    tables.transaction["state"] = "unheard of"
    dynamo: Any = tables

    assert list(await read_operations(dynamo, ["m1", "m2"], SetAside())) == ["m2"]
