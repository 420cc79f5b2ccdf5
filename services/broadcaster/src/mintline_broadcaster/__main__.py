"""The broadcaster's process."""

from __future__ import annotations

import mintline.without_extras  # noqa: F401 - before all that would load them
from mintline import process
from mintline_broadcaster.service import run
from mintline_broadcaster.settings import BroadcasterSettings

if __name__ == "__main__":
    process.main("broadcaster", BroadcasterSettings, run)
