"""RLP, Ethereum's encoding of nested byte strings (Yellow Paper, appendix B). Each item has one encoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

RlpItem: TypeAlias = "bytes | Sequence[RlpItem]"
"""What can be encoded."""
Rlp: TypeAlias = "bytes | list[Rlp]"
"""What is decoded."""
MAX_DEPTH = 4
"""Lists within lists that are read: a transaction's access list needs three."""


def to_big_endian(value: int) -> bytes:
    """Return `value` as RLP wants its integers: big-endian without leading zeros, zero as empty."""
    if value < 0:
        raise ValueError("RLP has no negative integers")
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def rlp_encode(item: RlpItem) -> bytes:
    """Encode bytes and nested sequences of bytes."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _head(len(item), 0x80) + item
    payload = b"".join(rlp_encode(child) for child in item)
    return _head(len(payload), 0xC0) + payload


def rlp_decode(data: bytes) -> Rlp:
    """Decode one canonical item and nothing behind it; raises ValueError."""
    item, end = _item(data, 0, MAX_DEPTH)
    if end != len(data):
        raise ValueError("bytes are left over behind the RLP item")
    return item


def _head(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes([offset + length])
    size = to_big_endian(length)
    return bytes([offset + 55 + len(size)]) + size


def _item(data: bytes, at: int, depth: int) -> tuple[Rlp, int]:
    if at >= len(data):
        raise ValueError("the RLP breaks off")
    head = data[at]
    if head < 0x80:
        return data[at : at + 1], at + 1
    is_list = head >= 0xC0
    start, length = _payload(data, at, head - (0xC0 if is_list else 0x80))
    end = start + length
    if end > len(data):
        raise ValueError("the RLP breaks off")
    if not is_list:
        if length == 1 and data[start] < 0x80:
            raise ValueError("a byte is encoded at length: not canonical RLP")
        return data[start:end], end
    if depth == 0:
        raise ValueError("the RLP is nested too deeply")
    items: list[Rlp] = []
    while start < end:
        item, start = _item(data[:end], start, depth - 1)
        items.append(item)
    return items, end


def _payload(data: bytes, at: int, code: int) -> tuple[int, int]:
    """Return where an item's payload starts, and its length."""
    if code <= 55:
        return at + 1, code
    size = code - 55
    encoded = data[at + 1 : at + 1 + size]
    length = int.from_bytes(encoded, "big")
    if len(encoded) != size or encoded[0] == 0 or length <= 55:
        raise ValueError("a length is not canonical RLP")
    return at + 1 + size, length
