"""The `mintline` command."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command; until its own handlers stand, Ctrl-C ends it at once and in silence."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mintline_cli import main as cli  # noqa: PLC0415 - a second of imports, in which Ctrl-C may come

    cli.quieten()
    cli.app()


if __name__ == "__main__":
    main()
