"""What items need from storage."""

from __future__ import annotations

from typing import Protocol

from mintline.metadata_versions import MetadataVersion
from mintline_api.features.metadata.ports import VersionReader


class ItemTexts(Protocol):
    """The texts of items' metadata."""

    async def publish(self, key: str, body: bytes) -> None:
        """Store an object whose key holds its digest: a copy stored before is the same."""
        ...


class ItemVersions(VersionReader, Protocol):
    """The versions of items' metadata."""

    async def begin(self, version: MetadataVersion) -> bool:
        """Write an item's first version unless it has one; tell whether that was done."""
        ...
