"""`python -m mintline_harness.boot`: boot the enclave's image, and mint by it."""

from __future__ import annotations

import sys

from mintline_harness.boot.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
