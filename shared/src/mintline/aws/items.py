"""DynamoDB's AttributeValue codec: Python values in, `{"S": …}` out, and back.

Integers travel as numbers (38 digits at most, so amounts in wei are stored as strings); there are no floats.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, TypeAlias, Union

Value: TypeAlias = Union[bool, int, str, bytes, "list[Value]", "dict[str, Value]", None]
Item: TypeAlias = dict[str, Value]

NUMBER_DIGITS = 38
_BEYOND = 10**NUMBER_DIGITS
_INTEGER = re.compile(r"-?[0-9]+")


def encode_value(value: Any) -> dict[str, Any]:  # noqa: PLR0911 - one per type
    """Return one AttributeValue; raises ValueError for an integer that DynamoDB cannot hold."""
    kind = type(value)
    if kind is str:
        return {"S": value}
    if kind is bool:
        return {"BOOL": value}
    if kind is int:
        if not -_BEYOND < value < _BEYOND:
            raise ValueError(f"DynamoDB's numbers end at {NUMBER_DIGITS} digits: store it as a string")
        return {"N": str(value)}
    if value is None:
        return {"NULL": True}
    if kind is dict:
        return {"M": encode_item(value)}
    if isinstance(value, list | tuple):
        return {"L": [encode_value(inner) for inner in value]}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, str):  # an enumeration's member
        return {"S": str.__str__(value)}
    raise TypeError(f"DynamoDB cannot hold a {kind.__name__}")


def decode_value(attribute: Any) -> Value:  # noqa: PLR0911 - one per type
    """Return the Python value of one AttributeValue.

    What we never store (a set, a fraction) comes back as an object with its type: no field of a record takes
    it, so that its record alone is unreadable, and not what was read along with it.
    """
    ((tag, value),) = attribute.items()
    match tag:
        case "S":
            return str(value)
        case "N" if _INTEGER.fullmatch(value):
            return int(value)
        case "BOOL":
            return bool(value)
        case "NULL":
            return None
        case "B":
            # Base64 as it is sent (`mintline.aws.wire`), or bytes as botocore gives them.
            return b64decode(value) if isinstance(value, str) else bytes(value)
        case "L":
            # Text first, which most values are: it costs a look, and no walk through all types.
            return [inner["S"] if "S" in inner else decode_value(inner) for inner in value]
        case "M":
            return decode_item(value)
    return {tag: value}


def encode_item(item: Item) -> dict[str, Any]:
    """Return an item in DynamoDB's form."""
    return {name: {"S": value} if type(value) is str else encode_value(value) for name, value in item.items()}


def decode_item(attributes: Any) -> Item:
    """Return an item in Python's form."""
    return {
        name: attribute["S"] if "S" in attribute else decode_value(attribute)
        for name, attribute in attributes.items()
    }
