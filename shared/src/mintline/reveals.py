"""Metadata that is committed to before the first mint, and revealed later.

::

    leaf       = salt ‖ token id ‖ SHA-256 of the token's text       32 bytes each, the id big-endian
    root       = Merkle root over the leaves of tokens 1 to count    RFC 9162: `mintline.merkle`
    commitment = SHA-256("mintline-reveal-v1" ‖ count ‖ root)        the count in 32 bytes, big-endian

The salt keeps anyone from finding texts by trying likely ones. The count fixes the tree's shape, so each
token id has one place in it: there is one text that can be revealed for a token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pydantic import Field

from mintline.eth import word
from mintline.fields import Bytes32
from mintline.frozen import Frozen
from mintline.merkle import merkle_root, root_of_path

FIRST_TOKEN = 1
"""The first token id that a collection of a client mints."""
CHUNK = 50
"""Texts that are handed over at once: those of tokens 1 to 50, of 51 to 100, and so on."""
MOST_TOKENS = 20_000
MOST_TEXT_BYTES = 16 * 1024
"""Of one token's text: a chunk of them fits into a request, with their paths."""
REVEALED_VERSION = 2
"""The number of the revealed text among a token's versions: the first is the placeholder."""
REVEAL_SUFFIX = "#reveal"
_DOMAIN = b"mintline-reveal-v1"


class Reveal(Frozen):
    """What a collection reveals that was created with a commitment, which is part of its arguments."""

    tokens: int = Field(ge=1, le=MOST_TOKENS)
    """How many texts were committed to, for the token ids from 1 on."""
    salt: Bytes32 | None = None
    """None until it is revealed, as all that follows."""
    operation_id: str | None = None
    """The change that announces it."""
    revealed_at: int | None = None
    """Unix milliseconds."""

    @property
    def is_done(self) -> bool:
        """Whether the texts are served."""
        return self.salt is not None

    def covers(self, token_id: int) -> bool:
        """Tell whether a text was committed to for a token."""
        return FIRST_TOKEN <= token_id < FIRST_TOKEN + self.tokens

    def chunk(self, first_token_id: int) -> range | None:
        """Return the token ids of the chunk that begins with one, None if none does."""
        place = first_token_id - FIRST_TOKEN
        if not 0 <= place < self.tokens or place % CHUNK:
            return None
        return range(first_token_id, min(first_token_id + CHUNK, FIRST_TOKEN + self.tokens))


def leaf_of(salt: bytes, token_id: int, text: bytes) -> bytes:
    """Return a token's leaf; `salt` is 32 bytes, `text` its metadata as it will be served."""
    return salt + word(token_id) + hashlib.sha256(text).digest()


def commitment_of(leaves: Sequence[bytes]) -> bytes:
    """Return the commitment to the leaves of tokens from 1 on; raises ValueError for none."""
    return _bound(len(leaves), merkle_root(leaves))


def commitment_by_path(leaf: bytes, token_id: int, count: int, path: Sequence[bytes]) -> bytes:
    """Return the commitment that a leaf and its path lead to; raises ValueError if no tree has them."""
    return _bound(count, root_of_path(leaf, token_id - FIRST_TOKEN, count, path))


def reveal_partition(collection_id: str) -> str:
    """Return the partition of the table `packs` that has a collection's revealed texts."""
    return f"{collection_id}{REVEAL_SUFFIX}"


def is_reveal_partition(partition: str) -> bool:
    """Tell whether a partition of the table `packs` has texts that are revealed, or are to be."""
    return partition.endswith(REVEAL_SUFFIX)


def _bound(count: int, root: bytes) -> bytes:
    return hashlib.sha256(_DOMAIN + word(count) + root).digest()
