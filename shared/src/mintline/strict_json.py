"""JSON read strictly: what two readers could take for different things is refused (RFC 7493, I-JSON)."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_DEPTH = 32
"""Levels of nesting, unless the caller allows fewer."""
MAX_INTEGER = 2**53 - 1

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKETS = re.compile(r"[^\[\]{}]+")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class NotJson(ValueError):  # noqa: N818 - named for what was found
    """It is no JSON text in UTF-8; the message is one sentence, with the place where it can be told."""


class AmbiguousJson(ValueError):  # noqa: N818 - named for what was found
    """Two readers could take it for different things; the message is one sentence, `pointer` says where."""

    def __init__(self, reason: str, *, pointer: str | None = None) -> None:
        super().__init__(reason)
        self.pointer = pointer


def parse(body: bytes, *, what: str = "The body", max_depth: int = MAX_DEPTH) -> Any:
    """Return the value of a JSON text in UTF-8; raises NotJson or AmbiguousJson, which call it `what`."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson(f"{what} is not UTF-8: byte {error.start} begins no character.") from None
    if text.startswith("\ufeff"):
        raise NotJson(f"{what} begins with a byte order mark (BOM), which JSON does not allow.")
    _check_depth(text, what, max_depth)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise NotJson(f"{what} is not JSON: {_fault(error.msg)} at {where}.") from None
    except _NoConstant as constant:
        raise NotJson(f"{what} is not JSON: JSON has no {constant}.") from None
    if _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value, "#")
    return value


class _NoConstant(ValueError):  # noqa: N818 - as above
    """NaN or an infinity, which Python's reader knows."""


def _fault(message: str) -> str:
    """Python's wording, made to run on in a sentence."""
    return message[:1].lower() + message[1:].removesuffix(" at")


def _check_depth(text: str, what: str, most: int) -> None:
    """Refuse deep nesting before the parser recurses into it."""
    if text.count("[") + text.count("{") <= most:
        return
    depth = 0
    for bracket in _NO_BRACKETS.sub("", _STRING.sub("", text)):
        if bracket in "[{":
            depth += 1
            if depth > most:
                raise AmbiguousJson(f"{what} is nested more than {most} levels deep.")
        else:
            depth -= 1


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise AmbiguousJson(f"The key {json.dumps(key[:100])} appears twice in one object.")
            seen.add(key)
    return value


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(value := int(digits)) > MAX_INTEGER:
        raise AmbiguousJson(
            f"An integer of {len(digits.lstrip('-'))} digits is beyond ±(2^53 - 1), where readers round it; "
            "send it as a string.",
        )
    return value


def _real(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise AmbiguousJson("A number is too large for a double.")
    return value


def _constant(name: str) -> Any:
    raise _NoConstant(name)


def _check_surrogates(value: Any, pointer: str) -> None:
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise AmbiguousJson("A string is not Unicode text.", pointer=pointer)
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
