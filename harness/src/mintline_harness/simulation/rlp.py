"""Reads back what the signer wrote: RLP, and the fields of a signed EIP-1559 transaction."""

from __future__ import annotations

from typing import TypeAlias

from mintline.eth import Transaction, to_checksum_address

Item: TypeAlias = "bytes | list[Item]"

address = to_checksum_address


def decode(data: bytes) -> Item:
    """Decode one RLP item (Yellow Paper, appendix B); raises ValueError if anything is left over."""
    item, end = _item(data, 0)
    if end != len(data):
        raise ValueError("bytes after the end")
    return item


def transaction(raw: bytes) -> tuple[Transaction, tuple[int, int, int]]:
    """Return a signed transaction's fields, and its y parity, r and s; raises ValueError."""
    fields = decode(raw[1:]) if raw[:1] == b"\x02" else b""
    if not isinstance(fields, list) or len(fields) != 12:
        raise ValueError("not a signed EIP-1559 transaction")
    chain_id, nonce, tip, cap, gas, to, value, data, _access, parity, r, s = fields
    body = Transaction(
        chain_id=_number(chain_id),
        nonce=_number(nonce),
        max_priority_fee_per_gas=_number(tip),
        max_fee_per_gas=_number(cap),
        gas=_number(gas),
        to=address(_bytes(to)),
        value=_number(value),
        data=_bytes(data),
    )
    return body, (_number(parity), _number(r), _number(s))


def _item(data: bytes, at: int) -> tuple[Item, int]:
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    offset = 0x80 if first < 0xC0 else 0xC0
    size, start = first - offset, at + 1
    if size > 55:
        start = at + 1 + size - 55
        size = int.from_bytes(data[at + 1 : start], "big")
    end = start + size
    if offset == 0x80:
        return data[start:end], end
    items: list[Item] = []
    while start < end:
        item, start = _item(data, start)
        items.append(item)
    return items, end


def _bytes(item: Item) -> bytes:
    if not isinstance(item, bytes):
        raise ValueError("a list where bytes belong")  # noqa: TRY004 - about the data, not the code
    return item


def _number(item: Item) -> int:
    return int.from_bytes(_bytes(item), "big")
