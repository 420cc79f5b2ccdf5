"""How tests have an indexer index everything."""

from __future__ import annotations

from mintline_indexer.indexer import Indexer


async def catch_up(indexer: Indexer) -> None:
    """Poll until there is nothing more to do at once, and once more for finality."""
    while await indexer.poll():
        pass
    await indexer.poll()
