"""The indexer's process."""

from __future__ import annotations

import mintline.without_extras  # noqa: F401 - before all that would load them
from mintline import process
from mintline_indexer.service import run
from mintline_indexer.settings import IndexerSettings

if __name__ == "__main__":
    process.main("indexer", IndexerSettings, run)
