"""Where the contracts that the API knows are on record."""

from __future__ import annotations

from typing import Protocol

from mintline.records.collections import RegisteredContract


class CollectionStore(Protocol):
    """The registered collections."""

    async def collection(self, contract: str) -> RegisteredContract | None:
        """Return a collection of ours."""
        ...
