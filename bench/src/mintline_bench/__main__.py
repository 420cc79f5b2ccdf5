"""`python -m mintline_bench`: what `make bench` runs."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Run the bench; until its own handlers stand, Ctrl-C ends it at once and in silence."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mintline_bench import command  # noqa: PLC0415 - a second of imports, in which Ctrl-C may come

    return command.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
