"""Run the builder: `python -m mintline_builder`, configured by `MINTLINE_…` variables."""

from __future__ import annotations

from mintline import process
from mintline_builder.service import run
from mintline_builder.settings import Settings

if __name__ == "__main__":
    process.main("builder", Settings, run)
