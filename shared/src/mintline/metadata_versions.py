"""Versions of a token's metadata.

The first is what was minted, whose digest is on chain. Each later one is an object of its own in S3, named by
its SHA-256, and an item of the table `metadata-versions`. So is the first one of an ERC-1155 item, of which
tokens are minted again and again.
"""

from __future__ import annotations

from pydantic import Field

from mintline.fields import Bytes32
from mintline.frozen import Frozen

MINTED_VERSION = 1
MOST_VERSIONS = 100
"""Versions that a token's metadata may have, the minted one included."""


class MetadataVersion(Frozen):
    """A version; the latest is what `tokenURI` serves. Of ERC-721 tokens, one after the minted one."""

    token_ref: str = Field(pattern=r"^[0-9]+#0x[0-9a-fA-F]{40}#[0-9]+$")
    """`{chain_id}#{contract}#{token_id}`."""
    version: int = Field(ge=MINTED_VERSION)
    digest: Bytes32
    """SHA-256 of its JSON text."""
    principal: str
    """The machine client that made it."""
    operation_id: str
    """The change of the collection that announces it (ERC-4906); of an item's first, the mint."""
    created_at: int
    """Unix milliseconds."""


def version_object_key(chain_id: int, contract: str, token_id: int, digest: bytes) -> str:
    """Return the S3 key of a version of a token's metadata, by its SHA-256: written once."""
    return f"{chain_id}/{contract}/versions/{token_id}/{digest.hex()}.json"
