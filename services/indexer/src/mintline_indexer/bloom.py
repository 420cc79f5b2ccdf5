"""Logs blooms of block headers (Yellow Paper, 4.3.1): they may say "maybe" wrongly, never "no"."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from mintline.chain.answers import Log
from mintline.eth import keccak256

BLOOM_BYTES = 256


@lru_cache(maxsize=4096)
def bloom_bits(value: bytes) -> int:
    """Return the three bits that `value` (an address or a topic) sets, as an integer of 2048 bits."""
    digest = keccak256(value)
    bits = 0
    for offset in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[offset : offset + 2], "big") & 0x7FF)
    return bits


def may_hold(bloom: bytes, contracts: tuple[str, ...], topics: tuple[bytes, ...]) -> bool:
    """Tell whether a block with this bloom may hold a log of any of the contracts with any of the topics."""
    word = int.from_bytes(bloom, "big")
    if not any(word & (bits := bloom_bits(topic)) == bits for topic in topics):
        return False
    return any(word & (bits := bloom_bits(bytes.fromhex(address[2:]))) == bits for address in contracts)


def bloom_of(logs: Iterable[Log]) -> bytes:
    """Return the bloom of a block with exactly these logs."""
    word = 0
    for log in logs:
        word |= bloom_bits(bytes.fromhex(log.address[2:]))
        for topic in log.topics:
            word |= bloom_bits(topic)
    return word.to_bytes(BLOOM_BYTES, "big")


def is_blank(bloom: bytes) -> bool:
    """Tell whether no bit is set: no logs, or a chain that leaves the bloom out of its headers."""
    return not any(bloom)
