"""JSON of any value that the standard library takes, by the faster of two libraries that takes it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mintline.aws.json_text import dumps, loads


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, -1, True, None, "é", "\u2028"], "b": {}},
        {"S": "a lone \ud800 surrogate"},
        [2**63, 2**64, -(2**70)],
        (1, ("b",)),
    ],
    ids=["usual", "surrogate", "large", "tuples"],
)
def test_json__when_a_value_is_written_and_read__then_it_is_as_the_standard_library_has_it(
    value: Any,
) -> None:
    text = dumps(value)

    assert json.loads(text) == loads(text) == json.loads(json.dumps(value))
    assert b" :" not in text
    assert b": " not in text


def test_dumps__when_a_type_is_none_of_json__then_it_is_turned_or_refused() -> None:
    assert dumps({"B": b"\xff"}, default=bytes.hex) == b'{"B":"ff"}'
    assert loads(dumps(["\ud800", b"\xff"], default=bytes.hex)) == ["\ud800", "ff"]
    with pytest.raises(TypeError):
        dumps(object())


@pytest.mark.parametrize("text", [b"", b"{", b"<html>", b'"\xff"'])
def test_loads__when_it_is_no_json__then_it_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)
