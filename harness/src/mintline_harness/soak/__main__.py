"""Runs a soak: `python -m mintline_harness.soak --help`."""

from __future__ import annotations

import sys

from mintline_harness.soak.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
