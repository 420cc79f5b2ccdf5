"""Runs schedules: `python -m mintline_harness.simulation --help`."""

from __future__ import annotations

import sys

from mintline_harness.simulation.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
