"""Imported first by each service's process: keeps out what its libraries would load if it is installed.

structlog loads rich and greenlet, aiobotocore httpx; a checkout has them for its commands and tests. No
service uses any of them, and no image has them.
"""

from __future__ import annotations

import sys

NAMES = ("greenlet", "httpx", "rich")

for name in NAMES:
    # What is None cannot be imported: https://docs.python.org/3/reference/import.html#the-module-cache
    sys.modules[name] = None  # type: ignore[assignment]
