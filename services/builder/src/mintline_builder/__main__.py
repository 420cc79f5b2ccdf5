"""Run the builder: `python -m mintline_builder`, configured by `MINTLINE_…` variables."""

from __future__ import annotations

import mintline.without_extras  # noqa: F401 - before all that would load them
from mintline import process
from mintline_builder.service import run
from mintline_builder.settings import Settings

if __name__ == "__main__":
    process.main("builder", Settings, run)
