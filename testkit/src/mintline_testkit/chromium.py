"""The Chromium that tests drive: Debian's package, found on PATH."""

from __future__ import annotations

import shutil

_NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--disable-background-networking",)
"""So that the browser calls nobody by itself."""
MISSING = "needs a Chromium on PATH: Debian's package is chromium"


def find_chromium() -> str | None:
    """Return the browser's path; None if there is none."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)
