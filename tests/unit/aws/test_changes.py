"""What goes over the wire for each kind of change."""

from dataclasses import replace

import pytest

from mintline.aws.changes import (
    Change,
    Check,
    Clause,
    Delete,
    Operator,
    Put,
    Update,
    expression,
    expressions,
    identity,
    statement,
)
from mintline.aws.records import from_item, to_item, transition
from mintline.messages.parts import Fees
from mintline.records.index import Token
from mintline.records.problems import Problem
from mintline.resources import BLOCKS, MINTS
from mintline.states import MintStatus

KEY = {"mint_id": "m1"}
NEW = Clause("new", "mint_id", "missing")
BUILT = Clause("source", "status", "eq", ("built",))


def test_statement__when_inserting__names_every_attribute() -> None:
    assert statement(Put(MINTS, {**KEY, "n": 1}, where=(NEW,)), "p") == {
        "Statement": "INSERT INTO \"p-mints\" VALUE {'mint_id': ?, 'n': ?}",
        "Parameters": [{"S": "m1"}, {"N": "1"}],
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def test_statement__when_updating__binds_parameters_in_the_order_of_the_text() -> None:
    update = Update(
        BLOCKS,
        {"chain": "1", "position": "2"},
        set={"a": 1, "b": "x"},
        remove=("c", "d"),
        where=(Clause("k", "e", "in", ("u", "v")), Clause("l", "f", "missing"), Clause("m", "g", "ge", (7,))),
    )
    rendered = statement(update, "p")
    assert rendered is not None
    assert rendered["Statement"] == (
        'UPDATE "p-blocks" SET "a" = ? SET "b" = ? REMOVE "c" REMOVE "d" '
        'WHERE "chain" = ? AND "position" = ? AND "e" IN [?, ?] AND "f" IS MISSING AND "g" >= ?'
    )
    values = [{"N": "1"}, {"S": "x"}, {"S": "1"}, {"S": "2"}, {"S": "u"}, {"S": "v"}, {"N": "7"}]
    assert rendered["Parameters"] == values


def test_expressions__when_updates_share_all_but_their_key__then_each_is_as_alone() -> None:
    first = Update(MINTS, dict(KEY), set={"n": 1}, remove=("c",), where=(BUILT,))
    batch: list[Change] = [
        first,
        replace(first, key={"mint_id": "m2"}),
        Check(MINTS, dict(KEY), where=(BUILT,)),
        replace(first, key={"mint_id": "m3"}),
        replace(first, set={"n": True}),
        replace(first, set={"n": 2}),
        replace(first, where=(NEW,)),
        replace(first, remove=()),
        replace(first, add={"a": 1}),
        replace(first, append={"a": [1]}),
        replace(first, table=BLOCKS, key={"chain": "1", "position": "2"}),
        Put(MINTS, dict(KEY)),
    ]
    assert list(expressions(batch, "p")) == [expression(change, "p") for change in batch]
    [_, _, _, _, flag, *_] = expressions(batch, "p")
    assert next(iter(flag["ExpressionAttributeValues"].values())) == {"BOOL": True}


@pytest.mark.parametrize(
    "change",
    [
        Put(MINTS, dict(KEY)),
        Put(MINTS, dict(KEY), where=(BUILT,)),
        Put(MINTS, dict(KEY), where=(NEW, BUILT)),
        Put(MINTS, dict(KEY), where=(Clause("c", "other", "missing"),)),
        Put(MINTS, {**KEY, "it's": 1}, where=(NEW,)),
        Update(MINTS, dict(KEY), set={"a": 1}),
        Update(MINTS, dict(KEY), set={"a": 1}, where=(Clause("c", "a", "missing"),)),
        Update(MINTS, dict(KEY), set={"a": 1}, where=(BUILT, Clause("c", "b", "ne", (1,)))),
        Update(MINTS, dict(KEY), set={"a": 1}, where=(BUILT, Clause("c", "b", "empty"))),
        Update(MINTS, dict(KEY), add={"a": 1}, where=(BUILT,)),
        Update(MINTS, dict(KEY), append={"a": [1]}, where=(BUILT,)),
        Update(MINTS, dict(KEY), set={'a"b': 1}, where=(BUILT,)),
        Update(MINTS, dict(KEY), where=(BUILT,)),
        Delete(MINTS, dict(KEY), where=(BUILT,)),
        Delete(MINTS, dict(KEY)),
    ],
    ids=str,
)
def test_statement__when_partiql_would_mean_something_else__is_none(change: Change) -> None:
    assert statement(change, "p") is None


def test_expression__when_everything_is_used__hides_names_and_values_behind_placeholders() -> None:
    update = Update(
        MINTS,
        dict(KEY),
        set={"status": "built"},
        remove=("metadata",),
        add={"n": 2},
        append={"attempts": [1]},
        where=(BUILT, Clause("not_null", "n", "ne", (0,)), Clause("open", "problem", "missing")),
    )
    assert expression(update, "p") == {
        "TableName": "p-mints",
        "Key": {"mint_id": {"S": "m1"}},
        "UpdateExpression": ("SET #0 = :0, #1 = list_append(if_not_exists(#1, :1), :2) REMOVE #2 ADD #3 :3"),
        "ConditionExpression": "#0 = :4 AND #3 <> :5 AND attribute_not_exists(#4)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ExpressionAttributeNames": {
            "#0": "status",
            "#1": "attempts",
            "#2": "metadata",
            "#3": "n",
            "#4": "problem",
        },
        "ExpressionAttributeValues": {
            ":0": {"S": "built"},
            ":1": {"L": []},
            ":2": {"L": [{"N": "1"}]},
            ":3": {"N": "2"},
            ":4": {"S": "built"},
            ":5": {"N": "0"},
        },
    }


def test_expression__when_a_list_is_to_be_empty__then_a_missing_one_is() -> None:
    check = Check(MINTS, dict(KEY), where=(BUILT, Clause("none", "attempts", "empty")))
    rendered = expression(check, "p")
    assert rendered["ConditionExpression"] == "#0 = :0 AND (attribute_not_exists(#1) OR #1 = :1)"
    assert rendered["ExpressionAttributeValues"] == {":0": {"S": "built"}, ":1": {"L": []}}


def test_identity__when_key_attributes_differ_in_order__is_the_same() -> None:
    check = Check(BLOCKS, {"chain": "1", "position": "2"}, where=(BUILT,))
    other = Put(BLOCKS, {"x": 1, "position": "2", "chain": "1"})
    assert identity(check) == identity(other) != identity(Delete(BLOCKS, {"chain": "2", "position": "1"}))


def test_transition__when_a_state_has_several_sources__accepts_any_of_them() -> None:
    update = transition("m1", MintStatus.REJECTED, at=5, set={"problem": {"code": "c"}}, remove=("metadata",))
    (legal,) = update.where
    assert legal == Clause("legal_source", "status", "in", ("accepted", "built", "issued", "submitted"))
    assert update.set == {"status": "rejected", "updated_at": 5, "problem": {"code": "c"}}
    rendered = statement(update, "p")
    assert rendered is not None
    assert '"status" IN [?, ?, ?, ?]' in rendered["Statement"]


def test_transition__when_a_state_has_one_source__asks_for_equality() -> None:
    rendered = statement(transition("m1", MintStatus.FINALIZED, at=5), "p")
    assert rendered is not None
    assert rendered["Statement"].endswith('WHERE "mint_id" = ? AND "status" = ?')


def test_record__when_stored_with_index_keys__reads_back_without_them() -> None:
    record = Fees(max_fee_per_gas=2**200, max_priority_fee_per_gas=2)
    item = to_item(record)
    assert item == {"max_fee_per_gas": str(2**200), "max_priority_fee_per_gas": "2"}
    assert from_item(Fees, {**item, "owned_key": "more"}) == record


def test_record__when_a_field_is_none__stores_no_attribute() -> None:
    assert to_item(Problem(code="c", reason="r")) == {"code": "c", "reason": "r"}
    token = Token(
        chain_id=1,
        contract="0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        token_id=7,
        owner=None,
        metadata_digest=None,
        mint_id=None,
        minted_block=1,
        block_number=2,
        tx_hash=b"\x01" * 32,
    )
    item = to_item(token)
    assert "owner" not in item
    assert from_item(Token, item) == token


@pytest.mark.parametrize(
    ("operator", "symbol"), [("eq", "="), ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")]
)
def test_clause__when_it_compares__then_both_languages_have_its_very_symbol(
    operator: Operator, symbol: str
) -> None:
    update = Update(MINTS, dict(KEY), set={"a": 1}, where=(Clause("c", "n", operator, (7,)),))
    rendered = statement(update, "p")
    assert rendered is not None
    assert rendered["Statement"].endswith(f'"mint_id" = ? AND "n" {symbol} ?')
    assert expression(update, "p")["ConditionExpression"] == f"#1 {symbol} :1"
