"""What metadata needs from storage."""

from __future__ import annotations

from typing import Protocol

from mintline.metadata_versions import MetadataVersion
from mintline.packs import Pack, PackIndex
from mintline.records.index import Token


class MetadataStore(Protocol):
    """The metadata's bytes."""

    async def read(self, key: str) -> bytes | None:
        """Return an object's bytes."""
        ...

    async def read_token(self, contract: str, token_id: int) -> bytes | None:
        """Return a token's metadata as minted, of an object of its own or of a pack."""
        ...

    async def find_token(self, contract: str, token_id: int, digest: bytes) -> bytes | None:
        """Return the text of a token with a SHA-256 from anywhere that may have one, as minted.

        A token id that was given out twice, after a backup was restored, may be in two packs.
        """
        ...

    async def read_version(self, contract: str, token_id: int, digest: bytes) -> bytes | None:
        """Return a version of a token's metadata by its SHA-256, if it is stored as one."""
        ...

    async def read_revealed(self, contract: str, token_id: int) -> bytes | None:
        """Return the text that was revealed, or is to be, for a token."""
        ...

    async def revealed_packs(self, contract: str) -> list[PackIndex]:
        """Return where the texts are that a collection reveals, by token id."""
        ...


class VersionReader(Protocol):
    """The versions of tokens' metadata after the minted ones."""

    async def latest(self, contract: str, token_id: int) -> MetadataVersion | None:
        """Return the latest version, None if the metadata is as minted."""
        ...

    async def versions(self, contract: str, token_id: int) -> list[MetadataVersion]:
        """Return all versions, newest first."""
        ...


class TokenReader(Protocol):
    """The tokens on chain."""

    async def token(self, contract: str, token_id: int) -> Token | None:
        """Return a token that was ever minted."""
        ...


class PackStore(Protocol):
    """The packed metadata of many tokens."""

    async def put(self, pack: Pack) -> None:
        """Store a pack's bytes, once; raises Unavailable if others are stored under its name."""
        ...

    async def announce(self, index: PackIndex) -> None:
        """Say which tokens a stored pack has; raises Unavailable if another pack has them."""
        ...
