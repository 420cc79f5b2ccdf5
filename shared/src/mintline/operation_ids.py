"""Ids of operations: the kind, and 130 bits in Crockford's base 32."""

from __future__ import annotations

import hashlib

from mintline.canonical_json import canonical_json

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(first + second for first in _CROCKFORD for second in _CROCKFORD)
_PAIR_SHIFTS = range(120, -1, -10)
_ID_CHARACTERS = 2 * len(_PAIR_SHIFTS)
ID_BYTES = 17


def operation_id_from(kind: str, seed: bytes) -> str:
    """Return the id that 17 or more bytes give."""
    bits = int.from_bytes(seed[:ID_BYTES], "big") >> (8 * ID_BYTES - 5 * _ID_CHARACTERS)
    # Two digits at a time: a request for many mints derives hundreds of ids.
    return f"{kind}_" + "".join([_PAIRS[bits >> shift & 1023] for shift in _PAIR_SHIFTS])


def keyed_operation_id(kind: str, chain_id: int, sub: str, key: str) -> str:
    """Return the id that a user's idempotency key stands for, on any copy of the api, permanently."""
    return _named(kind, [kind, chain_id, sub, key])


def line_mint_id(request_id: str, chunk: int, line: int) -> str:
    """Return the id of the mint that a line of a request for many is, always the same one."""
    return _named("mint", ["line", request_id, chunk, line])


def _named(kind: str, names: list[str | int]) -> str:
    return operation_id_from(kind, hashlib.sha256(canonical_json(names).encode()).digest())
