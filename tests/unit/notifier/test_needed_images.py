"""What is left out of a change when it is read changes no event."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from mintline.aws.dynamo import GONE
from mintline.aws.items import Item, encode_item
from mintline.aws.records import to_item
from mintline.records.index import Transfer
from mintline.resource_types import Table
from mintline.resources import MINTS, WALLETS
from mintline.states import MintStatus
from mintline_notifier.changes import Change, Shard
from mintline_notifier.deriving.operations import is_silent
from mintline_notifier.deriving.ownership import fact_of, is_mint
from mintline_notifier.dynamo_streams import DynamoStreams
from mintline_testkit.records import make_mint

ITEMS: list[Item] = [
    {**to_item(make_mint(status=status)), **gone}
    for status, gone in itertools.product(MintStatus, ({}, {GONE: 1}))
]
ADDRESSES = (None, "0x" + "11" * 20)


class OneChange:
    """Stands in for the client of a stream with one change."""

    def __init__(self, old: Item, new: Item) -> None:
        self.images = {"OldImage": encode_item(old), "NewImage": encode_item(new)}

    async def get_shard_iterator(self, **_: object) -> Any:
        return {"ShardIterator": "first"}

    async def get_records(self, **_: object) -> Any:
        record = {"SequenceNumber": "1", "ApproximateCreationDateTime": 5, **self.images}
        return {"Records": [{"dynamodb": record}]}


async def read(table: Table, old: Item, new: Item) -> Change:
    client: Any = OneChange(old, new)
    streams = DynamoStreams(client, client, "prefix")
    streams._arns[table.name] = "arn"
    (change,) = (await streams.read(Shard(table, "shard-0"), "0")).changes
    return change


@pytest.mark.parametrize("old", ITEMS, ids=lambda item: item["status"] + "-gone" * (GONE in item))
async def test_change_of_an_operation__when_it_may_be_a_step__then_both_items_are_whole(old: Item) -> None:
    for new in ITEMS:
        change = await read(MINTS, old, new)
        assert change.new == (None if GONE in new else new)
        if GONE in old:
            assert change.old is None
        elif change.old != old:
            assert change.old is not None
            assert is_silent(old, new)
            assert is_silent(change.old, new)


async def test_change_of_an_operation__when_it_is_no_step__then_the_item_before_is_not_decoded() -> None:
    old = to_item(make_mint(status=MintStatus.ACCEPTED))
    change = await read(MINTS, old, {**old, "status": "built"})
    assert change.old == {"kind": "mint", "status": "accepted"}


async def test_change_of_another_record__when_it_is_read__then_both_items_are_whole() -> None:
    old: Item = {"wallet_id": "a", "status": "accepted"}
    assert await read(WALLETS, old, {**old, "status": "built"}) == Change(
        WALLETS, "1", 5000, old, {**old, "status": "built"}
    )


@pytest.mark.parametrize(("sender", "recipient"), list(itertools.product(ADDRESSES, ADDRESSES)))
def test_transfer__when_it_is_passed_over_unread__then_its_record_says_nothing(
    sender: str | None, recipient: str | None
) -> None:
    transfer = Transfer(
        chain_id=1,
        contract="0x" + "22" * 20,
        token_id=7,
        sender=sender,
        recipient=recipient,
        block_number=1,
        block_hash=b"\1" * 32,
        log_index=0,
        tx_hash=b"\2" * 32,
        timestamp=5,
    )
    assert is_mint(to_item(transfer)) == (fact_of(transfer) is None)
