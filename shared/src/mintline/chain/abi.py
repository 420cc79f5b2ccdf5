"""The part of Solidity's contract ABI that Mintline meets: words, and strings and bytes of any length.

https://docs.soliditylang.org/en/latest/abi-spec.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mintline.eth import address_word, to_checksum_address, word

_UINT = re.compile(r"uint(\d+)")
_FIXED_BYTES = re.compile(r"bytes(\d+)")


def encode(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """Encode arguments; raises ValueError for a value out of range or a type outside this part of the ABI."""
    head: list[bytes] = []
    tail = b""
    for kind, value in zip(types, values, strict=True):
        if kind in ("string", "bytes"):
            content = value.encode() if kind == "string" else value
            head.append(word(32 * len(types) + len(tail)))
            tail += word(len(content)) + content + bytes(-len(content) % 32)
        else:
            head.append(_encode_word(kind, value))
    return b"".join(head) + tail


def _encode_word(kind: str, value: Any) -> bytes:
    if kind == "address":
        return address_word(value)
    if kind == "bool":
        return word(int(value))
    if match := _UINT.fullmatch(kind):
        if not 0 <= value < 2 ** int(match[1]):
            raise ValueError(f"{value} does not fit {kind}")
        return word(value)
    if (match := _FIXED_BYTES.fullmatch(kind)) and len(value) == int(match[1]):
        return bytes(value).ljust(32, b"\0")
    raise ValueError(f"cannot encode {kind}")


def decode(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """Decode arguments; raises ValueError for data that is too short or no value of its type."""
    return tuple(_decode_at(kind, data, 32 * index) for index, kind in enumerate(types))


def _decode_at(kind: str, data: bytes, offset: int) -> Any:
    raw = _slice(data, offset, 32)
    number = int.from_bytes(raw, "big")
    if kind in ("string", "bytes"):
        length = int.from_bytes(_slice(data, number, 32), "big")
        content = _slice(data, number + 32, length)
        return content.decode(errors="replace") if kind == "string" else content
    if kind == "address":
        if any(raw[:12]):
            raise ValueError("an address has 20 bytes")
        return to_checksum_address(raw[12:])
    if kind == "bool":
        if number > 1:
            raise ValueError("a bool is 0 or 1")
        return number == 1
    if match := _UINT.fullmatch(kind):
        if number >> int(match[1]):
            raise ValueError(f"{number} does not fit {kind}")
        return number
    if match := _FIXED_BYTES.fullmatch(kind):
        return raw[: int(match[1])]
    raise ValueError(f"cannot decode {kind}")


def _slice(data: bytes, offset: int, length: int) -> bytes:
    if offset + length > len(data):
        raise ValueError("the data ends too early")
    return data[offset : offset + length]
