"""JSON by orjson, and by `json` what that leaves out: lone surrogates, integers above 64 bits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson


def dumps(value: Any, *, default: Callable[[Any], Any] | None = None) -> bytes:
    """Return a value as JSON in UTF-8, without spaces; `default` turns other types into those of JSON.

    Raises TypeError for a value that it cannot turn.
    """
    try:
        return orjson.dumps(value, default=default)
    except orjson.JSONEncodeError:
        return json.dumps(value, default=default, separators=(",", ":")).encode()


def loads(text: bytes) -> Any:
    """Return what JSON in UTF-8 says; raises ValueError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
