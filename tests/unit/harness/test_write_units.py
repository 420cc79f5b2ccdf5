"""Write units by AWS's own examples and rules."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from mintline.resources import MINTS, TOKENS, TRANSFERS
from mintline_harness.write_units import cost, item_size, units, written_by

PREFIX = "p"
TABLES_BY_NAME = {table.table_name(PREFIX): table for table in (MINTS, TOKENS, TRANSFERS)}


def mint(*, size: int = 0, **attributes: Any) -> dict[str, Any]:
    """Return a mint's item of about so many bytes."""
    return {"mint_id": {"S": "m"}, **attributes, "filler": {"S": "x" * size}}


@pytest.mark.parametrize(
    ("attribute", "size"),
    [
        ({"S": "héllo"}, 6),
        ({"N": "27"}, 2),
        ({"N": "-1795398654321"}, 8),
        ({"B": base64.b64encode(bytes(33)).decode()}, 33),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"NULL": True}]}, 3 + 3 + 2),
        ({"M": {"name": {"S": "ab"}}}, 3 + 6 + 1),
    ],
)
def test_item_size__when_of_one_attribute__then_by_the_guides_rules(attribute: Any, size: int) -> None:
    assert item_size({"key": attribute}) == 3 + size


@pytest.mark.parametrize(("size", "expected"), [(0, 1), (1, 1), (1024, 1), (1025, 2), (3 * 1024 + 512, 4)])
def test_units__when_an_item_is_written__then_whole_kilobytes_count(size: int, expected: int) -> None:
    assert units(size) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, 1500, 2),
        (3000, 100, 3),
        (100, 3000, 3),
        (3000, None, 3),
        (3000, 3000, 3),
        (None, None, 1),
    ],
    ids=["created", "shrunk", "grown", "deleted", "refused", "nothing there"],
)
def test_cost__when_an_item_changes__then_its_larger_form_counts_and_twice_in_a_transaction(
    before: int | None, after: int | None, expected: int
) -> None:
    old, new = (None if size is None else mint(size=size) for size in (before, after))

    assert cost(MINTS, old, new) == {"mints": expected}
    assert cost(MINTS, old, new, transactional=True) == {"mints": 2 * expected}


def test_cost__when_an_index_of_keys_is_entered_kept_moved_or_left__then_it_counts_on_its_own() -> None:
    place: dict[str, Any] = {"open_shard": {"S": "1"}, "created_key": {"S": "1#m"}}
    entered, moved = mint(**place), mint(**{**place, "open_shard": {"S": "2"}})

    assert cost(MINTS, None, entered, transactional=True) == {"mints": 2, "mints/open": 1}
    assert cost(MINTS, entered, mint(size=9, **place)) == {"mints": 1}
    assert cost(MINTS, entered, moved) == {"mints": 1, "mints/open": 2}
    assert cost(MINTS, entered, mint()) == {"mints": 1, "mints/open": 1}


def test_cost__when_an_index_holds_whole_items__then_each_change_of_one_is_written_again() -> None:
    token = {
        "token_ref": {"S": "1#c#1"},
        "owner_id": {"S": "o"},
        "owned_key": {"S": "k"},
    }
    larger = {**token, "filler": {"S": "x" * 1500}}

    assert cost(TOKENS, token, larger) == {"tokens": 2, "tokens/by_owner": 2}
    assert cost(TOKENS, token, token) == {"tokens": 1}


MINT_KEY: Mapping[str, Any] = {"mint_id": {"S": "m"}}
TRANSFER_KEY: Mapping[str, Any] = {"token_ref": {"S": "t"}, "position": {"S": "9"}}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("UpdateItem", {"TableName": "p-mints", "Key": MINT_KEY}),
        ("PutItem", {"TableName": "p-mints", "Item": mint()}),
        ("BatchWriteItem", {"RequestItems": {"p-mints": [{"PutRequest": {"Item": mint()}}]}}),
        ("TransactWriteItems", {"TransactItems": [{"Update": {"TableName": "p-mints", "Key": MINT_KEY}}]}),
        (
            "BatchExecuteStatement",
            {
                "Statements": [
                    {
                        "Statement": "INSERT INTO \"p-mints\" VALUE {'filler': ?, 'mint_id': ?}",
                        "Parameters": [{"S": "x"}, {"S": "m"}],
                    }
                ]
            },
        ),
        (
            "ExecuteStatement",
            {
                "Statement": 'UPDATE "p-mints" SET "status" = ? WHERE "mint_id" = ? AND "status" IN [?, ?]',
                "Parameters": [{"S": "built"}, {"S": "m"}, {"S": "a"}, {"S": "b"}],
            },
        ),
    ],
)
def test_written_by__when_a_request_writes__then_its_items_are_found(operation: str, body: Any) -> None:
    assert list(written_by(operation, body, TABLES_BY_NAME)) == [(MINTS, MINT_KEY)]


def test_written_by__when_a_table_has_a_sort_key__then_both_parts_of_the_key_are_found() -> None:
    statement = 'UPDATE "p-transfers" SET "a" = ? WHERE "token_ref" = ? AND "position" = ?'
    body = {"Statement": statement, "Parameters": [{"S": "x"}, {"S": "t"}, {"S": "9"}]}

    assert list(written_by("ExecuteStatement", body, TABLES_BY_NAME)) == [(TRANSFERS, TRANSFER_KEY)]


@pytest.mark.parametrize("operation", ["GetItem", "BatchGetItem", "Query", "DescribeTable"])
def test_written_by__when_a_request_reads__then_nothing_counts(operation: str) -> None:
    assert list(written_by(operation, {"TableName": "p-mints"}, TABLES_BY_NAME)) == []
