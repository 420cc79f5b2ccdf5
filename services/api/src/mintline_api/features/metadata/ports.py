"""What metadata needs from storage."""

from __future__ import annotations

from typing import Protocol


class MetadataStore(Protocol):
    """The metadata's bytes."""

    async def read(self, key: str) -> bytes | None:
        """Return an object's bytes."""
        ...
