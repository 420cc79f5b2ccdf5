"""The IPFS content id of a file, without IPFS: what `ipfs add --cid-version=1` names it.

That is Kubo's import of 2015 to 2025: chunks of 256 KiB as raw leaves, and above them balanced nodes of
UnixFS with at most 174 links. A file of one chunk is named by that chunk. Other settings of an importer give
the same bytes another id.

Sources: CIDv1 (https://github.com/multiformats/cid), the DAG-PB specification (https://ipld.io/specs/codecs/dag-pb/)
and the UnixFS specification (https://specs.ipfs.tech/unixfs/).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

CHUNK = 256 * 1024
MOST_LINKS = 174

_VERSION = b"\x01"
_RAW, _DAG_PB = b"\x55", b"\x70"
_SHA2_256 = b"\x12\x20"
_FILE = b"\x08\x02"
"""UnixFS's field 1, the type, with the value for a file."""


class _Node(NamedTuple):
    """A part of a file: its id, its bytes of the file, and the bytes of all blocks that it takes."""

    cid: bytes
    size: int
    total: int


class CidHasher:
    """Takes a file's bytes in pieces of any size, and names the file."""

    def __init__(self) -> None:
        self._leaves: list[_Node] = []
        self._rest = bytearray()

    def update(self, data: bytes) -> None:
        """Take the next bytes of the file."""
        self._rest += data
        # The last chunk waits: it may be the end of the file.
        while len(self._rest) > CHUNK:
            self._leaves.append(_leaf(bytes(self._rest[:CHUNK])))
            del self._rest[:CHUNK]

    def text(self) -> str:
        """Return the file's id in base32, as gateways take it."""
        nodes = [*self._leaves, _leaf(bytes(self._rest))] if self._rest or not self._leaves else self._leaves
        while len(nodes) > 1:
            nodes = [_parent(nodes[at : at + MOST_LINKS]) for at in range(0, len(nodes), MOST_LINKS)]
        return "b" + base64.b32encode(nodes[0].cid).decode().lower().rstrip("=")


def cid_of(data: bytes) -> str:
    """Return the id of a file that is in memory."""
    hasher = CidHasher()
    hasher.update(data)
    return hasher.text()


def _leaf(chunk: bytes) -> _Node:
    return _Node(_cid(_RAW, chunk), len(chunk), len(chunk))


def _parent(children: Sequence[_Node]) -> _Node:
    """Return the node above some parts: links in protobuf's field 2, UnixFS's data behind them in field 1."""
    links = b"".join(
        _field(2, _field(1, child.cid) + _field(2, b"") + b"\x18" + _varint(child.total))
        for child in children
    )
    size = sum(child.size for child in children)
    sizes = b"".join(b"\x20" + _varint(child.size) for child in children)
    block = links + _field(1, _FILE + b"\x18" + _varint(size) + sizes)
    return _Node(_cid(_DAG_PB, block), size, len(block) + sum(child.total for child in children))


def _cid(codec: bytes, block: bytes) -> bytes:
    return _VERSION + codec + _SHA2_256 + hashlib.sha256(block).digest()


def _field(number: int, value: bytes) -> bytes:
    """Return a length-delimited field of protobuf."""
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
