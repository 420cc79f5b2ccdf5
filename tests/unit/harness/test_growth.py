"""The measurement of growth writes records that the services read, and its table tells sizes apart."""

from __future__ import annotations

from mintline.aws.records import OPEN, from_item, operation_from
from mintline.records.collections import Collection
from mintline.records.index import Token
from mintline.records.keys import token_key
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_harness.growth.blocks import FINALITY, days_table, follow
from mintline_harness.growth.costs import Cost, table
from mintline_harness.growth.measure import filled, pages
from mintline_harness.growth.records import CONTRACT, HOUR, collections, tokens, vouchers
from mintline_testkit.constants import CHAIN_ID

OWNER = "0x" + "0a" * 20


def test_tokens__when_written__then_they_are_an_owners_in_order() -> None:
    items = list(tokens(OWNER, 3, chain_id=CHAIN_ID))
    assert {str(from_item(Token, item).owner).lower() for item in items} == {OWNER}
    assert [item["owned_key"] for item in items] == [
        f"{CONTRACT}#{token_key(number)}" for number in (1, 2, 3)
    ]
    assert len({str(item["token_ref"]) for item in items}) == 3


def test_collections__when_written__then_they_are_of_one_client_and_differ() -> None:
    items = list(collections("client", 3, chain_id=CHAIN_ID))
    assert len({from_item(Collection, item).contract for item in items}) == 3
    assert {item["created_by"] for item in items} == {f"{CHAIN_ID}#client"}


def test_vouchers__when_written__then_they_are_open_and_nobody_has_redeemed_them() -> None:
    now = 1_790_000_000_000
    items = list(vouchers("sub", 2, chain_id=CHAIN_ID, now=now, age=24 * HOUR))
    mints = [operation_from(item) for item in items]
    assert all(OPEN in item for item in items)
    assert [mint.status for mint in mints] == [MintStatus.ISSUED] * 2
    for mint in mints:
        assert isinstance(mint, Mint)
        assert (mint.custody, mint.updated_at) == ("self", now - 24 * HOUR)
        assert mint.deadline is not None
        assert mint.deadline * 1000 > now


def test_table__when_two_sizes_were_measured__then_each_has_its_columns() -> None:
    costs = {1000: [Cost("page", 2, 100, 1.5, 0.2)], 10: [Cost("page", 1, 10, 0.5, 0.1)]}
    lines = table(costs).splitlines()
    assert lines[0].split() == ["10", "records", "1,000", "records"]
    assert lines[1].split() == ["requests", "items", "read", "CPU", "ms", "peak", "MB"] * 2
    assert lines[2].split() == ["page", "1", "10", "0.5", "0.1", "2", "100", "1.5", "0.2"]


async def test_growth__when_there_is_more__then_a_page_reads_no_more() -> None:
    few, many = [await pages(await filled(size), size) for size in (400, 1_600)]
    for before, after in zip(few[:6], many[:6], strict=True):
        # A client's collections fill their page only now: twelve more, each by its key and its record.
        assert (after.requests, after.items_read - before.items_read) <= (before.requests, 24), before.name


async def test_index__when_days_go_by__then_it_keeps_undo_records_of_young_blocks_alone() -> None:
    days = await follow(3, blocks_a_day=200)

    assert [day.day for day in days] == [1, 2, 3]
    assert all(0 < day.undo_records < 2 * FINALITY for day in days)
    assert days_table(days).count("\n") == len(days)
