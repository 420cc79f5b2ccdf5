"""JSON by orjson, and by `json` what that leaves out, as lone surrogates.

orjson writes NaN as null and reads an integer above 64 bits as a float, so neither is written: what stands
for an amount or a token id is a decimal string.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any

import orjson

LEAST_INTEGER = -(2**63)
MOST_INTEGER = 2**64 - 1
_PLAIN = frozenset({str, bool, type(None)})
"""Types without numbers: most of what an event holds."""


def dumps(value: Any, *, default: Callable[[Any], str] | None = None) -> bytes:
    """Return a value as JSON in UTF-8, without spaces; `default` turns other types into strings.

    Raises TypeError for a value that it cannot turn, ValueError for NaN, an infinity, or an integer that
    64 bits do not hold.
    """
    try:
        text = orjson.dumps(value, default=default)
    except orjson.JSONEncodeError:
        _check_numbers([value])
        return json.dumps(value, default=default, separators=(",", ":")).encode()
    if b"null" in text:
        _check_numbers([value])
    return text


def loads(text: bytes) -> Any:
    """Return what JSON in UTF-8 says; raises ValueError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def _check_numbers(values: Iterable[Any]) -> None:
    for value in values:
        if type(value) in _PLAIN:
            continue
        if isinstance(value, dict):
            _check_numbers(value.values())
        elif isinstance(value, int):
            if not LEAST_INTEGER <= value <= MOST_INTEGER:
                raise ValueError(f"an integer of {value.bit_length()} bits is written as a string")
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise ValueError(f"JSON has no {value}")
        elif isinstance(value, list | tuple):
            _check_numbers(value)
