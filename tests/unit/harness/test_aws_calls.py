"""Which grants of a role a call uses."""

from __future__ import annotations

from typing import Any

from mintline_harness.aws_calls import AwsCall, grants_of

ONCE: dict[str, Any] = {"Null": {"s3:if-none-match": "false"}}
STATEMENTS: list[dict[str, Any]] = [
    {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["uploads/*", "media/*"]},
    {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": ["metadata/*"], "Condition": ONCE},
    {"Effect": "Deny", "Action": ["s3:PutObject"], "Resource": ["metadata/*/contract.json"]},
]


def test_grants__when_a_call_is_made__then_those_that_allow_it_are_used() -> None:
    assert grants_of(STATEMENTS, AwsCall("s3:GetObject", "uploads/1")) == {("s3:GetObject", "uploads/*")}
    assert grants_of(STATEMENTS, AwsCall("s3:DeleteObject", "uploads/1")) == set()


def test_grants__when_one_has_a_condition__then_only_calls_that_fulfil_it_use_it() -> None:
    assert grants_of(STATEMENTS, AwsCall("s3:PutObject", "metadata/1.json")) == set()
    assert grants_of(STATEMENTS, AwsCall("s3:PutObject", "metadata/1.json", creates=True)) == {
        ("s3:PutObject", "metadata/*")
    }


def test_grants__when_another_statement_denies_the_call__then_none_is_used() -> None:
    assert grants_of(STATEMENTS, AwsCall("s3:PutObject", "metadata/1/contract.json", creates=True)) == set()
