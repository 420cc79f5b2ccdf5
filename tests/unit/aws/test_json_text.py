"""JSON by the faster of two libraries that takes a value, and never a number that is not read as written."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from mintline.aws.json_text import dumps, loads


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, -1, True, None, "é", "\u2028"], "b": {}},
        {"S": "a lone \ud800 surrogate"},
        [2**63 + 1, 2**64 - 1, -(2**63), 1.5, None],
        (1, ("b",)),
    ],
    ids=["usual", "surrogate", "large", "tuples"],
)
def test_json__when_a_value_is_written_and_read__then_it_is_as_the_standard_library_has_it(
    value: Any,
) -> None:
    text = dumps(value)

    assert repr(loads(text)) == repr(json.loads(text)) == repr(json.loads(json.dumps(value)))
    assert b" :" not in text
    assert b": " not in text


def test_dumps__when_a_type_is_none_of_json__then_it_is_turned_or_refused() -> None:
    assert dumps({"B": b"\xff"}, default=bytes.hex) == b'{"B":"ff"}'
    assert loads(dumps(["\ud800", b"\xff"], default=bytes.hex)) == ["\ud800", "ff"]
    with pytest.raises(TypeError):
        dumps(object())


@pytest.mark.parametrize("beside", [None, "null", 1, "a lone \ud800 surrogate"])
@pytest.mark.parametrize(
    "number", [2**64, 2**64 + 1, -(2**63) - 1, -(2**70), math.nan, math.inf, -math.inf], ids=repr
)
def test_dumps__when_a_number_would_be_read_as_another__then_it_is_refused(
    number: float, beside: object
) -> None:
    with pytest.raises(ValueError, match=r"JSON has no|written as a string"):
        dumps({"a": beside, "b": [{"c": (number,)}]})


@pytest.mark.parametrize("text", [b"", b"{", b"<html>", b'"\xff"'])
def test_loads__when_it_is_no_json__then_it_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)
