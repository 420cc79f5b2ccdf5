"""The reconciler's process."""

from __future__ import annotations

from mintline import process
from mintline_indexer.reconciler.service import run
from mintline_indexer.reconciler.settings import ReconcilerSettings

if __name__ == "__main__":
    process.main("reconciler", ReconcilerSettings, run)
