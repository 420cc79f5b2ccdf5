"""Counts hot keys: `python -m mintline_harness.hot_keys --help`."""

from __future__ import annotations

import sys

from mintline_harness.hot_keys.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
