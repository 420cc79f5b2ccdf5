"""Packs: the metadata of many tokens with contiguous ids in one S3 object, one JSON text after another.

A row of the table `packs` says which tokens an object has, and where each text begins. What is served of it
is compared with the token's digest on chain, like an object that holds one token's.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from pydantic import Field

from mintline.fields import HexBytes
from mintline.frozen import Frozen
from mintline.records.keys import scoped, token_key

MOST_TOKENS = 1000
"""Tokens of a pack at most: no more ids are leased at once, and a pack has no others."""
_OFFSET = 4
"""Bytes of an offset: a pack ends before 4 GiB."""


class PackIndex(Frozen):
    """Which tokens a pack has, and where."""

    collection_id: str
    """`{chain_id}#{contract}`."""
    first_token: str
    """The first token's id in 78 digits, so that keys sort as numbers do."""
    object_key: str = Field(max_length=512)
    """Of the pack in the metadata bucket."""
    offsets: HexBytes = Field(min_length=2 * _OFFSET)
    """Where each text begins, and the last one ends: 4 bytes each, big-endian."""

    @property
    def first_token_id(self) -> int:
        """The first token's id."""
        return int(self.first_token)

    @property
    def size(self) -> int:
        """How many tokens the pack has."""
        return len(self.offsets) // _OFFSET - 1

    def span_of(self, token_id: int) -> tuple[int, int] | None:
        """Return where a token's text begins and ends, None if the pack has no such token."""
        place = token_id - self.first_token_id
        if not 0 <= place < self.size:
            return None
        start, end = struct.unpack_from(">II", self.offsets, place * _OFFSET)
        return (start, end) if start < end else None


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack that is to be published."""

    body: bytes
    index: PackIndex

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the whole object."""
        return hashlib.sha256(self.body).digest()


def pack_of(chain_id: int, contract: str, first_token_id: int, texts: Sequence[str]) -> Pack:
    """Return the pack of tokens' metadata, in the order of their ids. It is named by its content."""
    parts = [text.encode() for text in texts]
    body = b"".join(parts)
    offsets = [0, *accumulate(map(len, parts))]
    index = PackIndex(
        collection_id=scoped(chain_id, contract),
        first_token=token_key(first_token_id),
        object_key=pack_object_key(chain_id, contract, body),
        offsets=struct.pack(f">{len(offsets)}I", *offsets),
    )
    return Pack(body, index)


def pack_object_key(chain_id: int, contract: str, body: bytes) -> str:
    """Return the S3 key of a pack: the same bytes have the same name."""
    return f"{chain_id}/{contract}/packs/{hashlib.sha256(body).hexdigest()}"
