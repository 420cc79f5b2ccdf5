"""Runs chaos: `python -m mintline_harness.chaos --help`."""

from __future__ import annotations

import sys

from mintline_harness.chaos.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
