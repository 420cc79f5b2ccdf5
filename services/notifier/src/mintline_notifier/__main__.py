"""The notifier's process."""

from __future__ import annotations

import mintline.without_extras  # noqa: F401 - before all that would load them
from mintline import process
from mintline_notifier.service import run
from mintline_notifier.settings import NotifierSettings

if __name__ == "__main__":
    process.main("notifier", NotifierSettings, run)
