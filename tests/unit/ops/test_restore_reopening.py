"""Which records a restore opens again, and which mints it leaves alone though no transaction carries them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from mintline.authorizations import KEPT
from mintline.aws.dynamo import Item, Update
from mintline.aws.operations import transaction_item
from mintline.aws.records import to_item
from mintline.records.operations import Mint
from mintline.records.transactions import Transaction
from mintline.resource_types import Table
from mintline.resources import MINTS
from mintline.states import MintStatus, TransactionState
from mintline_ops.restore.reopening import MARGIN, NAMED, Reopened, reopen
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.records import make_key, make_mint, make_transaction

NOW = 30 * 24 * 3600 * 1000
YOUNG = NOW - 1_000
OLD = NOW - (KEPT - MARGIN) * 1000
SENDER = make_key()


def carried(nonce: int, *, at: int = YOUNG) -> Mint:
    return make_mint(f"mint_{nonce}", at=at, status=MintStatus.BUILT, sender=SENDER, nonce=nonce)


class Records:
    """Tables of mints and transactions, and what was written."""

    def __init__(self, mints: Sequence[Mint], transactions: Sequence[Transaction] = ()) -> None:
        self._mints, self._transactions = mints, transactions
        self.written: list[Update] = []

    async def every(self, table: Table) -> AsyncIterator[Item]:
        items = map(to_item, self._mints) if table is MINTS else map(transaction_item, self._transactions)
        for item in items:
            yield item

    async def write(self, update: Update) -> None:
        self.written.append(update)

    async def reopened(self, *, rebuild: bool) -> Reopened:
        return await reopen(self.every, self.write, CHAIN_ID, at=NOW, rebuild=rebuild)


def final(nonce: int, **changes: Any) -> Transaction:
    operations = (f"mint_{nonce}",)
    return make_transaction(SENDER, nonce, state=TransactionState.FINAL, operations=operations, **changes)


async def test_mints__when_transactions_was_not_restored__then_those_without_one_are_left_and_named() -> None:
    records = Records([carried(0), carried(1), carried(2)], [final(1, outcome="succeeded")])

    reopened = await records.reopened(rebuild=False)

    assert reopened == Reopened(left=2, left_ids=("mint_0", "mint_2"))
    assert records.written == []


async def test_mints__when_their_authorizations_may_be_gone__then_those_are_not_built_again() -> None:
    records = Records([carried(0, at=OLD), carried(1, at=OLD + 1)])

    reopened = await records.reopened(rebuild=True)

    assert reopened == Reopened(mints=1, left=1, left_ids=("mint_0",))
    assert [update.key for update in records.written] == [{"mint_id": "mint_1"}]


async def test_mints__when_very_many_are_left__then_all_are_counted_and_some_named() -> None:
    reopened = await Records([carried(nonce) for nonce in range(NAMED + 1)]).reopened(rebuild=False)

    assert (reopened.left, len(reopened.left_ids)) == (NAMED + 1, NAMED)


async def test_transaction__when_it_was_closed_without_its_mint__then_it_is_opened_again() -> None:
    records = Records([carried(0), carried(1)], [final(0, outcome="filled"), final(1, outcome="succeeded")])

    assert await records.reopened(rebuild=False) == Reopened(transactions=1)
    assert [update.key["nonce"] for update in records.written] == [0]
