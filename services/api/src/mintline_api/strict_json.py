"""JSON read strictly: what two readers could take for different things is refused (RFC 7493, I-JSON)."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from mintline_api.problems import AMBIGUOUS_JSON, NOT_JSON, Fault, Refused

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(body: bytes) -> Any:
    """Return the value of a JSON text in UTF-8; raises Refused, with the place where it can be told."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(NOT_JSON, f"The body is not UTF-8: byte {error.start} begins no character.") from None
    if text.startswith("\ufeff"):
        raise Refused(NOT_JSON, "The body begins with a byte order mark (BOM), which JSON does not allow.")
    _check_depth(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Refused(NOT_JSON, f"The body is not JSON: {_fault(error.msg)} at {where}.") from None
    if _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value, "#")
    return value


def _fault(message: str) -> str:
    """Python's wording, made to run on in a sentence."""
    return message[:1].lower() + message[1:].removesuffix(" at")


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the parser recurses into it."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _BRACKETS.finditer(text):
        bracket = match[0]
        if bracket in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise Refused(AMBIGUOUS_JSON, f"The body is nested more than {MAX_DEPTH} levels deep.")
        elif bracket in ("]", "}"):
            depth -= 1


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Refused(AMBIGUOUS_JSON, f"The key {json.dumps(key[:100])} appears twice in one object.")
            seen.add(key)
    return value


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(value := int(digits)) > MAX_INTEGER:
        raise Refused(
            AMBIGUOUS_JSON,
            f"An integer of {len(digits.lstrip('-'))} digits is beyond ±(2^53 - 1), where readers round it; "
            "send it as a string.",
        )
    return value


def _real(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Refused(AMBIGUOUS_JSON, "A number is too large for a double.")
    return value


def _constant(name: str) -> Any:
    raise Refused(NOT_JSON, f"The body is not JSON: JSON has no {name}.")


def _check_surrogates(value: Any, pointer: str) -> None:
    if isinstance(value, str):
        if _SURROGATE.search(value):
            fault = Fault("half of a surrogate pair stands alone", pointer=pointer)
            raise Refused(AMBIGUOUS_JSON, "A string is not Unicode text.", faults=[fault])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_surrogates(item, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_surrogates(key, pointer)
            _check_surrogates(item, f"{pointer}/{escape(key)}")


def escape(part: str | int) -> str:
    """Return one reference token of a JSON pointer (RFC 6901)."""
    return str(part).replace("~", "~0").replace("/", "~1")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_int=_integer, parse_float=_real, parse_constant=_constant
)
