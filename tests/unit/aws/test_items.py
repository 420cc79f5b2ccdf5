from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintline.aws.items import decode_item, decode_value, encode_item, encode_value
from mintline.aws.records import from_item
from mintline.errors import Unreadable
from mintline.records.problems import Problem

scalars = st.none() | st.booleans() | st.integers(-(10**38) + 1, 10**38 - 1) | st.text() | st.binary()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@pytest.mark.slow
@given(st.dictionaries(st.text(), values))
def test_item__when_encoded__decodes_to_itself(item: dict[str, Any]) -> None:
    decoded = decode_item(encode_item(item))
    assert decoded == item
    assert repr(decoded) == repr(item)


@pytest.mark.parametrize("value", [10**38, -(10**38), 2**256])
def test_encode__when_an_integer_is_too_long__refuses(value: int) -> None:
    with pytest.raises(ValueError, match="38 digits"):
        encode_value(value)


@pytest.mark.parametrize("value", [1.5, {1, 2}, object()])
def test_encode__when_dynamodb_has_no_such_type__refuses(value: object) -> None:
    with pytest.raises(TypeError):
        encode_value(value)


def test_encode__when_given_an_enumeration__stores_its_text() -> None:
    class Colour(StrEnum):
        RED = "red"

    assert encode_value(Colour.RED) == {"S": "red"}
    assert type(encode_value(Colour.RED)["S"]) is str


@pytest.mark.parametrize("attribute", [{"SS": ["a"]}, {"N": "1.5"}, {"N": "1E+3"}, {"BS": [b"a"]}])
def test_decode__when_the_type_is_one_we_never_store__then_no_field_of_a_record_takes_it(
    attribute: dict[str, Any],
) -> None:
    assert decode_value(attribute) == attribute
    item: dict[str, Any] = {"code": {"S": "c"}, "reason": attribute}
    with pytest.raises(Unreadable, match="Problem: reason: string_type"):
        from_item(Problem, decode_item(item))
